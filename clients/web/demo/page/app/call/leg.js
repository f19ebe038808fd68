// @ts-check
/** One other person of a call, as the page shows them: what arrives from them, and how they are reached. Not here: the call itself. */
import { stats } from '../vendor/sdk.js';

/** @typedef {import('../vendor/sdk.js').Call} Call */
/** @typedef {import('../vendor/sdk.js').CallStats} CallStats */
/** @typedef {import('../vendor/sdk.js').MediaState} MediaState */

const MEASURE_EVERY_MS = 1_000;
/** How many samples a plot shows: one minute. */
const MAX_SAMPLES = 60;

export class Leg {
  /** @type {RTCPeerConnectionState} */
  connection = 'new';
  /** Whether media has worked once: losing it is then an interruption. */
  wasConnected = false;
  /** @type {Map<string, MediaStream>} */
  #streams = new Map();
  /** @type {CallStats[]} the newest one last */
  samples = [];

  /**
   * @param {Call} call
   * @param {{onChange: () => void, onSample: (leg: Leg) => void, onLog: (text: string) => void,
   *   onConnected: (leg: Leg) => void, onChannel: (leg: Leg, channel: RTCDataChannel) => void}} report
   */
  constructor(call, report) {
    this.call = call;
    this.peer = call.peer;
    call.on('track', ({ track, streams: [stream = new MediaStream([track])] }) => {
      this.#streams.set(stream.id, stream);
      stream.onremovetrack = () => {
        if (!stream.getTracks().length) this.#streams.delete(stream.id);
        report.onChange();
      };
      report.onChange();
    });
    call.on('media', () => report.onChange());
    call.on('channel', (channel) => report.onChannel(this, channel));
    call.on('pc', () => {
      report.onLog(`${this.peer} reloaded the page`);
      this.#streams.clear();
      report.onChange();
    });
    call.on('queued', () => report.onLog(`${this.peer} is away for a moment; the message waits`));
    call.on('error', (error) => report.onLog(`${this.peer}: ${error.message}`));
    call.on('connection', (state) => {
      this.connection = state;
      report.onLog(`connection with ${this.peer}: ${state}`);
      if (state === 'connected') {
        this.wasConnected = true;
        report.onConnected(this);
      }
      report.onChange();
    });
    void this.#measure(report);
  }

  /** @param {{onSample: (leg: Leg) => void}} report */
  async #measure({ onSample }) {
    for await (const sample of stats(this.call, MEASURE_EVERY_MS)) {
      if (!sample.path.local) continue;
      this.samples = [...this.samples, sample].slice(-MAX_SAMPLES);
      onSample(this);
    }
  }

  get isConnected() {
    return this.connection === 'connected';
  }

  /** Whether media worked and does not any more. */
  get isInterrupted() {
    return this.wasConnected && !this.isConnected;
  }

  /** Which of their devices are on; unknown at first. @returns {MediaState | undefined} */
  get media() {
    return this.call.theirMedia;
  }

  get camera() {
    return [...this.#streams.values()].find(({ id }) => id !== this.media?.screen);
  }

  get screen() {
    return this.media?.screen === undefined ? undefined : this.#streams.get(this.media.screen);
  }
}
