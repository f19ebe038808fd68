// @ts-check
/**
 * The line of this tab: at most one call at a time. Takes an incoming call when idle, tells a third
 * party `busy`, and settles two calls that cross. It knows nothing of pages and pictures.
 */
import { Call } from './call.js';

/** @typedef {import('./protocol.js').Delivery} Delivery */
/**
 * @typedef {object} LineReport
 * @property {(call: Call) => void} onStart
 * @property {(call: Call, reason: string, detail: string) => void} onEnd
 * @property {(text: string) => void} onLog
 * @property {(pc: RTCPeerConnection) => void} onChange
 * @property {(stream: MediaStream) => void} onRemote
 * @property {(kind: string, ms: number) => void} onReceipt
 */

export class Line {
  /** @type {Call | null} */
  call = null;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {RTCIceServer[]} from the latest welcome */
  iceServers = [];
  self = '';

  /** @param {import('./signaling.js').Signaling} signaling @param {LineReport} report */
  constructor(signaling, report) {
    this.signaling = signaling;
    this.report = report;
  }

  /** @param {string} peer */
  dial(peer) {
    if (!this.call) this.#start(peer, crypto.randomUUID?.() ?? String(Math.random()), true);
  }

  /** @param {string} [reason] told to the other side */
  hangUp(reason = 'hung-up') {
    this.call?.end(reason);
  }

  /** @param {MediaStream} stream */
  setStream(stream) {
    this.#stream = stream;
    this.call?.addStream(stream);
  }

  /** @param {Delivery} delivery */
  receive(delivery) {
    const { type, from, payload } = delivery;
    const ours = this.call?.peer === from && this.call.id === payload?.call;
    if (ours) void this.call?.receive(delivery);
    else if (type === 'offer' && typeof payload?.call === 'string') this.#offered(delivery);
    // Anything else is about a call that is over.
  }

  /** @param {Delivery} delivery an offer that belongs to no call of ours */
  #offered(delivery) {
    const { from, payload } = delivery;
    /** @param {string} reason */
    const refuse = (reason) => {
      this.report.onLog(`refused a call from ${from}: ${reason}`);
      this.signaling.send('bye', from, { call: payload.call, reason }).catch(() => {});
    };
    if (payload.again) return refuse('gone');
    if (this.call && this.call.peer !== from) return refuse('busy');
    if (this.call?.ringing && !this.call.polite) return; // crossed, and ours stands: they drop theirs
    this.call?.end('replaced', '', false);
    this.#start(from, payload.call, false);
    void this.call?.receive(delivery);
  }

  /** @param {string} peer @param {string} id @param {boolean} caller */
  #start(peer, id, caller) {
    const { report, self, iceServers } = this;
    const call = new Call({ id, self, peer, caller, iceServers, stream: this.#stream }, this.signaling, {
      ...report,
      onEnd: (reason, detail) => {
        this.call = null;
        report.onEnd(call, reason, detail);
      },
    });
    this.call = call;
    report.onStart(call);
  }
}
