// @ts-check
/** What the stage and the banner say, for each state of the page. */
import { endText } from '../call/end_texts.js';

/** @typedef {import('../call/end_texts.js').Text} Text */
/** @typedef {import('./page.js').View} View */

/** The text in the middle of the stage; nothing where pictures speak. @param {View} view @returns {Text | undefined} */
export function curtainText({ phase, who, ended, media, signaling, others }) {
  if (ended) return endText(ended.reason, who);
  switch (phase) {
    case 'calling':
      return [`Calling ${who} …`, 'Looking for their page.'];
    case 'ringing':
      return [`Calling ${who} …`, 'It rings at their side.'];
    case 'connecting':
      return [`Connecting with ${who} …`, 'Looking for a way between the two browsers.'];
    case 'connected':
      return others ? undefined : [`You are the first in ${who}`, 'Others enter the room from their list, or you invite them from yours.'];
  }
  if (media === 'pending') return ['May this page use your camera?', 'Answer your browser’s question to begin.'];
  if (typeof media !== 'string') return [media.message, media.help];
  if (signaling === 'closed') return ['Not reachable any more', 'Reload the page to come back.'];
  if (signaling !== 'connected') return ['Connecting …', 'Looking for the signaling node.'];
  return ['Ready for a call', 'Call somebody from the list, enter a room, or send your link.'];
}

/** @param {View} view @param {boolean} isChoosing whether the stage has the question about the camera @returns {Text | undefined} */
export function bannerText({ signaling, why, media, notice }, isChoosing) {
  if (signaling === 'reconnecting') return ['The signaling node is unreachable', `${capital(why)}. The page tries again. A running call continues.`];
  if (signaling === 'closed') return ['Signaling has ended', `${capital(why)}. Reload the page to come back.`];
  if (notice) return notice;
  return typeof media === 'string' || isChoosing ? undefined : [media.message, `${media.help} You see the other side, but they do not see you.`];
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
