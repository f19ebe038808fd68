// @ts-check
/** The texts for the end of a call, and for what this page does not understand. Reasons are those of the SDK's calls. */

/** @typedef {[title: string, help: string]} Text */

/** @param {string} reason @param {string} name of the other side, or of the room @returns {Text} */
export function endText(reason, name) {
  switch (reason) {
    case 'hung-up':
      return ['Call ended', 'You hung up.'];
    case 'they-hung-up':
      return ['Call ended', `${name} hung up.`];
    case 'declined':
      return [`${name} declined the call`, 'They are here, and do not want to talk now.'];
    case 'busy':
      return [`${name} is busy`, 'They are in another call. Try again in a moment.'];
    case 'missed':
      return [`You missed a call from ${name}`, 'Call back when you like.'];
    case 'no-answer':
    case 'expired':
      return [`No answer from ${name}`, 'The call got no answer in time.'];
    case 'peer-offline':
      return [`Nobody answers at ${name}`, 'No such peer is connected. Check the ID, or open the page on the other side first.'];
    case 'no-path':
      return ['No way through', 'The two browsers found no network path to each other. Strict networks need a TURN server.'];
    case 'relay-refused':
      return ['The relay refused', 'This network needs a TURN server, and the server did not take the credentials. Its secret may be wrong, or the clocks differ.'];
    case 'connection-lost':
    case 'gone':
      return ['Connection lost', `The media connection with ${name} broke and did not come back.`];
    case 'vanished':
      return [`${name} has vanished`, 'Their page, browser or network is gone, without a hang-up. Call again when they are back.'];
    case 'not-understood':
      return [`This page does not understand ${name}`, 'Their call has another format. Their page may be another program or version.'];
    case 'they-not-understood':
      return [`${name} does not understand this call`, 'Their page may be another program or version.'];
    case 'replaced':
      return ['Call ended', `${name} calls again.`];
    case 'not-allowed':
      return ['This call is not allowed', 'The token of this page does not allow it.'];
    case 'room-full':
      return [`${name} is full`, 'A room has at most eight people. Choose another room.'];
    case 'queue-full':
    case 'rate-limited':
      return ['Too much at once', `${name} cannot take more messages right now. Try again in a moment.`];
    case 'bad-id':
      return ['This is no peer ID', 'An ID has up to 128 characters: A to Z, digits and . _ ~ : @ + = -.'];
    case 'closed':
      return ['Signaling has ended', 'Reload the page to come back.'];
    case 'timeout':
    case 'bus-unavailable':
      return ['The call did not get through', `The nodes of the cluster cannot reach each other right now (${reason}).`];
    case 'invite-declined':
      return [`${name} declined the invitation`, 'They are here, and do not want to join now.'];
    case 'kicked':
      return [`You were removed from ${name}`, 'The server ended your membership.'];
    case 'left':
      return [`You left ${name}`, 'The others go on without you.'];
    case 'lost':
      return [`You lost ${name}`, 'The session of this page ended. Enter the room again.'];
    case 'yourself':
      return ['This is your own link', 'Send it to someone else, or open it in another browser.'];
    default:
      return ['The call could not be set up', `Reason: ${reason}`];
  }
}

/** @param {string} name @param {string} kind @returns {Text} */
export function strangeText(name, kind) {
  return ['A message was not understood', `${name} sent a message of the kind “${kind}” in another format. Their page may be another program or version.`];
}
