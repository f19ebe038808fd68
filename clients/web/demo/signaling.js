// @ts-check
/**
 * One peer's session with a signaling node: the native protocol over WebSocket. The session survives lost connections,
 * draining nodes and expiring tokens, and every send gets its outcome. It is not an SDK: it has one transport and no rooms.
 */
import { Outbox, SendError } from './outbox.js';
import { FINAL_CLOSES, KINDS, SUBPROTOCOL, backoffMs, retryAfterMs } from './protocol.js';
import { DuplicateFilter } from './duplicate_filter.js';

/** @typedef {'connecting' | 'connected' | 'reconnecting' | 'closed'} State */
/**
 * @typedef {object} Handlers
 * @property {(state: State, why: string) => void} onState
 * @property {(welcome: import('./protocol.js').Welcome) => void} onWelcome
 * @property {(delivery: import('./protocol.js').Delivery) => void} onDelivery
 * @property {(text: string) => void} onLog
 */

const WELCOME_DEADLINE_MS = 10_000;
/** After this time a connection is stable, and the next backoff starts again. */
const STABLE_AFTER_MS = 5_000;

export class Signaling {
  /** @type {WebSocket | null} the attached connection, which has its welcome */
  #attached = null;
  /** @type {WebSocket | null} the next connection, without a welcome */
  #opening = null;
  #outbox = new Outbox();
  #duplicateFilter = new DuplicateFilter();
  #seen = 0;
  #failures = 0;
  #resumeToken = '';
  #stopped = false;
  #waitingForToken = false;
  #retryTimer = 0;
  #heartbeatTimer = 0;
  #lastFrameAt = 0;

  /**
   * @param {() => Promise<import('./protocol.js').Session>} getSession requests a new token for the same peer
   * @param {Handlers} handlers
   */
  constructor(getSession, handlers) {
    this.getSession = getSession;
    this.handlers = handlers;
    addEventListener('online', () => !this.#attached && this.#retry(0));
  }

  start() {
    this.handlers.onState('connecting', '');
    this.#retry(0);
  }

  /**
   * Resolves with the milliseconds to `delivered`; rejects with a `SendError`.
   * @param {import('./protocol.js').Kind} kind @param {string} to @param {unknown} payload
   */
  send(kind, to, payload) {
    if (this.#stopped) return Promise.reject(new SendError('closed', 'signaling is closed'));
    return this.#outbox.add(kind, to, payload, (frame) => this.#transmit(frame));
  }

  /** @param {string} frame */
  #transmit(frame) {
    if (this.#attached?.readyState === WebSocket.OPEN) this.#attached.send(frame);
  }

  /** @param {number} afterMs */
  #retry(afterMs) {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.#open(), afterMs);
  }

  async #open() {
    if (this.#opening || this.#waitingForToken || this.#stopped) return;
    this.#waitingForToken = true;
    let session;
    try {
      session = await this.getSession();
    } catch (error) {
      return this.#lost(error instanceof Error ? error.message : String(error));
    } finally {
      this.#waitingForToken = false;
    }
    const url = new URL(session.ws_url, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    if (this.#resumeToken) {
      url.searchParams.set('resume', this.#resumeToken);
      url.searchParams.set('seen', String(this.#seen));
    }
    const socket = new WebSocket(url, [SUBPROTOCOL, `bearer.${session.token}`]);
    const deadline = setTimeout(() => socket.close(), WELCOME_DEADLINE_MS);
    const openedAt = performance.now();
    this.#opening = socket;
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      this.#lastFrameAt = performance.now();
      if (event.type !== 'welcome') return this.#received(socket, event);
      clearTimeout(deadline);
      this.#welcomed(socket, event);
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(deadline);
      if (performance.now() - openedAt > STABLE_AFTER_MS) this.#failures = 0;
      if (socket === this.#opening) this.#opening = null;
      else if (socket === this.#attached) this.#attached = null;
      else return; // the next connection has replaced it
      if (this.#opening) return; // the next connection will replace it
      const final = FINAL_CLOSES.get(code);
      if (final) this.#stop(final);
      else this.#lost(`closed with code ${code}`, retryAfterMs(reason));
    };
  }

  /** @param {WebSocket} socket @param {import('./protocol.js').Welcome} welcome */
  #welcomed(socket, welcome) {
    this.#opening = null;
    this.#attached?.close(1000); // the old connection after a goaway
    this.#attached = socket;
    if (!welcome.resumed) this.#seen = 0;
    if (welcome.gap) this.handlers.onLog('the node could not replay everything (gap)');
    this.#resumeToken = welcome.resume_token ?? '';
    clearInterval(this.#heartbeatTimer);
    this.#heartbeatTimer = setInterval(() => this.#heartbeat(welcome.heartbeat_ms), welcome.heartbeat_ms || 25_000);
    this.handlers.onWelcome(welcome);
    this.handlers.onState('connected', welcome.node);
    for (const frame of this.#outbox.frames()) this.#transmit(frame);
  }

  /** Scripts cannot see WebSocket pings, so this ping detects a dead connection. @param {number} everyMs */
  #heartbeat(everyMs) {
    if (performance.now() - this.#lastFrameAt > 2.5 * everyMs) {
      // Detached before close(), which waits for an answer that cannot arrive.
      const dead = this.#attached;
      this.#attached = null;
      dead?.close();
      this.#lost('heartbeat missed');
    } else this.#transmit('{"type":"ping"}');
  }

  /** @param {WebSocket} socket @param {any} event */
  #received(socket, event) {
    if (typeof event.seq === 'number') this.#seen = Math.max(this.#seen, event.seq);
    if (KINDS.has(event.type)) {
      if (this.#duplicateFilter.accept(event.mid)) this.handlers.onDelivery(event);
    } else if (event.type === 'receipt') {
      if (event.status === 'delivered') this.#outbox.delivered(event.id);
      else this.handlers.onLog(`${this.#outbox.kindOf(event.id) ?? 'send'}: queued until the other side is back`);
    } else if (event.type === 'error') {
      const wasPending = this.#outbox.failed(event.id, new SendError(event.code, event.message));
      if (!wasPending) this.handlers.onLog(`error ${event.code}: ${event.message}`);
    } else if (event.type === 'expiring') {
      void this.#renew(socket);
    } else if (event.type === 'renewed') {
      this.handlers.onLog('token renewed');
    } else if (event.type === 'goaway') {
      this.handlers.onLog(`the node asks to reconnect (${event.reason})`);
      this.#retry(event.reconnect_after_ms ?? 0);
    }
  }

  /** @param {WebSocket} socket */
  async #renew(socket) {
    try {
      const { token } = await this.getSession();
      socket.send(JSON.stringify({ type: 'renew', token }));
    } catch {
      this.handlers.onLog('no new token yet; the page reconnects with one after close 4401');
    }
  }

  /** @param {string} why @param {number} [minimumMs] */
  #lost(why, minimumMs) {
    if (!this.#attached) {
      clearInterval(this.#heartbeatTimer);
      this.handlers.onState('reconnecting', why);
    }
    this.#retry(backoffMs(this.#failures++, minimumMs));
  }

  /** @param {string} why */
  #stop(why) {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    clearInterval(this.#heartbeatTimer);
    this.handlers.onState('closed', why);
    this.#outbox.failAll(new SendError('closed', why));
  }
}
