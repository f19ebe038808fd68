// @ts-check
/**
 * The call of this tab: at most one at a time. It accepts an incoming call when idle, refuses others with `busy`,
 * and resolves two calls that cross. Not here: the page.
 */
import { Call } from './call.js';

/** @typedef {import('./protocol.js').Delivery} Delivery */
/**
 * @typedef {object} CallManagerReport
 * @property {(call: Call) => void} onStart
 * @property {(call: Call, reason: string, detail: string) => void} onEnd
 * @property {(text: string) => void} onLog
 * @property {(pc: RTCPeerConnection) => void} onChange
 * @property {(stream: MediaStream) => void} onRemote
 * @property {(devices: import('./call.js').Devices) => void} onDevices
 * @property {(from: string, kind: string) => void} onStrange
 * @property {(kind: string, ms: number) => void} onReceipt
 */

export class CallManager {
  /** @type {Call | null} */
  call = null;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {RTCIceServer[]} from the latest welcome */
  iceServers = [];
  self = '';

  /** @param {import('./signaling.js').Signaling} signaling @param {CallManagerReport} report */
  constructor(signaling, report) {
    this.signaling = signaling;
    this.report = report;
  }

  /** @param {string} peer */
  dial(peer) {
    if (!this.call) this.#start(peer, crypto.randomUUID?.() ?? String(Math.random()), true);
  }

  /** @param {string} [reason] for the other side */
  hangUp(reason = 'hung-up') {
    this.call?.end(reason);
  }

  /** @param {MediaStream} stream */
  setStream(stream) {
    this.#stream = stream;
    this.call?.addStream(stream);
    this.announceDevices();
  }

  /** Says to the other side which devices of this side are on: WebRTC sends black and silence for those that are off. */
  announceDevices() {
    /** @param {string} kind */
    const isOn = (kind) => this.#stream?.getTracks().some((track) => track.kind === kind && track.enabled) ?? false;
    if (this.call?.pc.connectionState === 'connected') this.call.sendDevices({ microphone: isOn('audio'), camera: isOn('video') });
  }

  /** @param {Delivery} delivery */
  receive(delivery) {
    const { type, from, payload } = delivery;
    const isCurrent = this.call?.peer === from && this.call.id === payload?.call;
    if (isCurrent) void this.call?.receive(delivery);
    else if (type === 'offer' && typeof payload?.call === 'string') this.#onOffer(delivery);
    else if (typeof payload?.call !== 'string') this.report.onStrange(from, type);
    // All other messages belong to a call that has ended.
  }

  /** @param {Delivery} delivery an offer of a new call */
  #onOffer(delivery) {
    const { from, payload } = delivery;
    /** @param {string} reason */
    const refuse = (reason) => {
      this.report.onLog(`refused a call from ${from}: ${reason}`);
      this.signaling.send('bye', from, { call: payload.call, reason }).catch(() => {});
    };
    if (payload.again) return refuse('gone');
    if (this.call && this.call.peer !== from) return refuse('busy');
    if (this.call?.isRinging && !this.call.polite) return; // crossed: our offer stays, the other side drops its own
    this.call?.end('replaced', '', false);
    this.#start(from, payload.call, false);
    void this.call?.receive(delivery);
  }

  /** @param {string} peer @param {string} id @param {boolean} caller */
  #start(peer, id, caller) {
    const { report, self, iceServers } = this;
    const call = new Call({ id, self, peer, caller, iceServers, stream: this.#stream }, this.signaling, {
      ...report,
      onConnected: () => this.announceDevices(),
      onEnd: (reason, detail) => {
        this.call = null;
        report.onEnd(call, reason, detail);
      },
    });
    this.call = call;
    report.onStart(call);
  }
}
