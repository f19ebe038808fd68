// @ts-check
/** The texts for the end of a call. The reasons are error codes and `bye` reasons. */

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
    case 'timeout':
    case 'bus-unavailable':
      return ['The call did not get through', `The nodes of the cluster cannot reach each other right now (${reason}).`];
    case 'yourself':
      return ['This is your own link', 'Send it to someone else, or open it in another browser.'];
    default:
      return ['The call could not be set up', detail || `Reason: ${reason}`];
  }
}
