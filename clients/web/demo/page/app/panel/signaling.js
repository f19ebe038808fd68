// @ts-check
/** The signaling part of the connection panel: state, node, transport, and what became of the messages. */
import { byId } from '../ui/dom.js';
import { milliseconds } from '../ui/format.js';

/** @type {Record<import('../vendor/sdk.js').State, 'good' | 'wait' | 'bad'>} */
const TONES = { connected: 'good', connecting: 'wait', reconnecting: 'wait', closed: 'bad' };
const TRANSPORTS = { websocket: 'WebSocket', events: 'server-sent events', polling: 'long polling' };

let welcomes = 0;
let resumes = 0;
let delivered = 0;

/** @param {import('../vendor/sdk.js').State} state */
export function showSignalingState(state) {
  byId('f-signaling').textContent = state;
  byId('f-signaling').dataset.tone = TONES[state];
  byId('cut', 'button').disabled = state !== 'connected';
}

/** @param {import('../vendor/sdk.js').Welcome} welcome */
export function showWelcome({ node, resumed }) {
  welcomes += 1;
  resumes += Number(resumed);
  byId('f-node').textContent = node;
  byId('f-welcomes').textContent = `${welcomes}, of which ${resumes} resumed`;
}

/** @param {import('../vendor/sdk.js').TransportName} name */
export function showTransport(name) {
  byId('f-transport').textContent = TRANSPORTS[name];
}

/** @param {number} ms until the receipt */
export function showReceipt(ms) {
  delivered += 1;
  byId('f-receipts').textContent = `${delivered} delivered, last in ${milliseconds(ms)}`;
}
