// @ts-check
/** The event log of the connection panel. */
import { byId, make } from '../ui/dom.js';

const MAX_LOG_LINES = 200;
const list = byId('log');

/** @param {string} text */
export function log(text) {
  const isFollowing = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  list.append(make('li', {}, make('time', {}, new Date().toTimeString().slice(0, 8)), make('span', {}, text)));
  while (list.childElementCount > MAX_LOG_LINES) list.firstElementChild?.remove();
  if (isFollowing) list.scrollTop = list.scrollHeight;
}
