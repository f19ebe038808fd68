// @ts-check
/** The texts for the end of a call, and for what this page does not understand. Reasons are error codes and `bye` reasons. */

/** @typedef {[title: string, help: string]} Text */

/** @param {string} reason @param {string} peer @param {string} detail @returns {Text} */
export function endText(reason, peer, detail) {
  switch (reason) {
    case 'peer-offline':
      return [`Nobody answers at ${peer}`, 'No such peer is connected. Check the ID, or open the page on the other side first.'];
    case 'they-busy':
      return [`${peer} is busy`, 'They are in another call. Try again in a moment.'];
    case 'hung-up':
      return ['Call ended', 'You hung up.'];
    case 'they-hung-up':
      return ['Call ended', `${peer} hung up.`];
    case 'they-left':
      return ['Call ended', `${peer} closed or reloaded the page.`];
    case 'no-answer':
    case 'they-no-answer':
    case 'expired':
      return [`No answer from ${peer}`, 'The call got no answer in time.'];
    case 'no-path':
    case 'they-no-path':
      return ['No way through', 'The two browsers found no network path to each other. Strict networks need a TURN server.'];
    case 'connection-lost':
    case 'they-connection-lost':
    case 'they-gone':
      return ['Connection lost', `The media connection with ${peer} broke and did not come back.`];
    case 'vanished':
      return [`${peer} has vanished`, 'Their page, browser or network is gone, without a hang-up. Call again when they are back.'];
    case 'not-understood':
      return [`This page does not understand ${peer}`, 'Their call has another format. Their page may be another program or version.'];
    case 'they-not-understood':
      return [`${peer} does not understand this call`, 'Their page may be another program or version.'];
    case 'timeout':
    case 'bus-unavailable':
      return ['The call did not get through', `The nodes of the cluster cannot reach each other right now (${reason}).`];
    case 'yourself':
      return ['This is your own link', 'Send it to someone else, or open it in another browser.'];
    default:
      return ['The call could not be set up', detail || `Reason: ${reason}`];
  }
}

/** @param {string} from @param {string} kind @returns {Text} */
export function strangeText(from, kind) {
  return ['A message was not understood', `${from} sent a message of the kind “${kind}” in another format. Their page may be another program or version.`];
}
