// @ts-check
/** The side panel: states, path, receipts and event log. It only displays. */
import { byId } from './dom.js';

const MAX_LOG_LINES = 200;

/** @type {Record<string, 'good' | 'wait' | 'bad'>} the tone of a state */
const TONES = {
  complete: 'good', connected: 'good', completed: 'good', connecting: 'wait', reconnecting: 'wait', gathering: 'wait',
  new: 'wait', checking: 'wait', disconnected: 'wait', failed: 'bad', closed: 'bad',
};

/** @typedef {'signaling' | 'gathering' | 'ice' | 'connection' | 'path' | 'rtt' | 'video' | 'receipts'} Fact */

/** @param {Fact} name @param {string} text @param {string} [state] gives the colour */
export function showFact(name, text, state = '') {
  const cell = byId(`f-${name}`);
  cell.textContent = text || '–';
  const tone = TONES[state];
  if (tone) cell.dataset.tone = tone;
  else delete cell.dataset.tone;
}

/** @param {RTCPeerConnection} pc */
export function showStates(pc) {
  showFact('gathering', pc.iceGatheringState, pc.iceGatheringState);
  showFact('ice', pc.iceConnectionState, pc.iceConnectionState);
  showFact('connection', pc.connectionState, pc.connectionState);
}

/** @param {import('./stats.js').Facts} facts */
export function showMeasured({ path, rttMs, video }) {
  showFact('path', path);
  showFact('rtt', rttMs === null ? '' : milliseconds(rttMs));
  showFact('video', video);
}

export function clearStates() {
  for (const name of /** @type {Fact[]} */ (['gathering', 'ice', 'connection', 'path', 'rtt', 'video'])) showFact(name, '');
}

/** @param {number} ms */
export function milliseconds(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** @param {string} text */
export function log(text) {
  const list = byId('log');
  const line = document.createElement('li');
  const time = document.createElement('time');
  const message = document.createElement('span');
  time.textContent = new Date().toTimeString().slice(0, 8);
  message.textContent = text; // never as HTML: the other side controls parts of it
  line.append(time, message);
  const following = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  list.append(line);
  while (list.childElementCount > MAX_LOG_LINES) list.firstElementChild?.remove();
  if (following) list.scrollTop = list.scrollHeight;
}
