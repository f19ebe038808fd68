// @ts-check
/**
 * The sends without an outcome. Every send ends in exactly one outcome: `delivered` or an error. Ids, bounds and promises are
 * here. Not here: the socket.
 */

/** @typedef {import('./protocol.js').Kind} Kind */
/** @typedef {{frame: string, kind: Kind, sentAt: number, resolve: (ms: number) => void, reject: (e: SendError) => void}} Pending */

const MAX_PENDING_SENDS = 512;

/** The outcome of a failed send. `code` is one of the protocol's error codes. */
export class SendError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Outbox {
  /** @type {Map<number, Pending>} in the order of their ids */
  #pending = new Map();
  #nextId = 1;

  /**
   * @param {Kind} kind @param {string} to @param {unknown} payload
   * @param {(frame: string) => void} transmit called at once; has no effect without a connection
   * @returns {Promise<number>} milliseconds to `delivered`
   */
  add(kind, to, payload, transmit) {
    if (this.#pending.size >= MAX_PENDING_SENDS) {
      return Promise.reject(new SendError('queue-full', 'too many sends without an outcome'));
    }
    const id = this.#nextId++;
    const frame = JSON.stringify({ type: kind, to, id, payload });
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { frame, kind, sentAt: performance.now(), resolve, reject });
      transmit(frame);
    });
  }

  /** The frames that a new connection must repeat, with the same ids. */
  frames() {
    return [...this.#pending.values()].map(({ frame }) => frame);
  }

  /** @param {number} id */
  kindOf(id) {
    return this.#pending.get(id)?.kind;
  }

  /** @param {number} id */
  delivered(id) {
    const send = this.#take(id);
    send?.resolve(performance.now() - send.sentAt);
  }

  /** @param {number} id @param {SendError} error @returns {boolean} whether the send was pending */
  failed(id, error) {
    const send = this.#take(id);
    send?.reject(error);
    return send !== undefined;
  }

  /** Fails all sends, because no connection follows. @param {SendError} error */
  failAll(error) {
    for (const id of [...this.#pending.keys()]) this.failed(id, error);
  }

  /** @param {number} id */
  #take(id) {
    const send = this.#pending.get(id);
    this.#pending.delete(id);
    return send;
  }
}
