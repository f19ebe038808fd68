// @ts-check
/**
 * The tables of the wire protocol for this page: names, close codes and backoff. They have no state. The normative text is
 * docs/protocol.md.
 */

/** @typedef {{peer: string, token: string, ws_url: string}} Session what `/dev/session` answers */
/** @typedef {'offer' | 'answer' | 'candidate' | 'bye' | 'message'} Kind */
/** @typedef {{type: Kind, from: string, mid?: string, seq?: number, payload: any}} Delivery */
/** @typedef {{peer: string, node: string, resumed: boolean, gap: boolean, resume_token?: string, heartbeat_ms: number, ice_servers?: RTCIceServer[]}} Welcome */

export const SUBPROTOCOL = 'switchboard.v1';

/** @type {ReadonlySet<string>} */
export const KINDS = new Set(['offer', 'answer', 'candidate', 'bye', 'message']);

/** Close codes that end the session. After every other code a client resumes. */
export const FINAL_CLOSES = new Map([
  [1000, 'the node closed the connection'],
  [1003, 'the node refused a binary frame'],
  [1007, 'the node refused a frame that is not UTF-8'],
  [1009, 'a message was over the size limit'],
  [4400, 'the node met a protocol violation'],
  [4403, 'removed by the backend'],
  [4409, 'this peer ID was opened somewhere else'],
]);

const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 10_000;

/**
 * Backoff with full jitter: a random wait up to a bound that doubles. The clients of a failed node return at different times.
 * @param {number} failures failures in a row, from 0
 * @param {number} [minimumMs] the wait that the node asked for
 */
export function backoffMs(failures, minimumMs = 0) {
  return minimumMs + Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** failures);
}

/** The `retry_after_ms` in the reason of the closes 1013 and 4429. @param {string} reason */
export function retryAfterMs(reason) {
  const found = /\d+/.exec(reason);
  return found ? Math.min(Number(found[0]), 6 * BACKOFF_CAP_MS) : 0;
}
