// @ts-check
/** A call with one person, from ringing to its end, and why it ended as this side sees it. */
import { Leg } from './leg.js';

/** @typedef {import('../vendor/sdk.js').Call} Call */
/** @typedef {ConstructorParameters<typeof Leg>[1]} LegReport */

export class DirectCall {
  room = undefined;
  #isOurEnd = false;

  /**
   * @param {Call} call
   * @param {(peer: string) => Promise<boolean>} isOnline
   * @param {LegReport} report
   * @param {(reason: string) => void} onEnd
   */
  constructor(call, isOnline, report, onEnd) {
    this.call = call;
    this.isOnline = isOnline;
    this.peer = call.peer;
    this.leg = new Leg(call, report);
    call.on('error', (error) => {
      // The browser does not take their first description, so there will be no path.
      if (error instanceof DOMException && call.state === 'accepted' && !call.pc.remoteDescription) this.end('not-understood');
    });
    call.on('state', ({ state }) => {
      report.onLog(`call with ${this.peer}: ${state}`);
      if (!call.isOver) return report.onChange();
      void this.#reason().then(onEnd);
    });
  }

  get legs() {
    return [this.leg];
  }

  /** @returns {'calling' | 'ringing' | 'connecting' | 'connected'} */
  get phase() {
    const { state } = this.call;
    if (state !== 'accepted') return state === 'ringing' ? 'ringing' : 'calling';
    return this.leg.wasConnected ? 'connected' : 'connecting';
  }

  /** @param {string} [reason] the one of a person by default */
  end(reason) {
    this.#isOurEnd = true;
    this.call.end(reason);
  }

  /** Without a session of theirs, a path that is lost does not come back. @param {string} peer */
  onGone(peer) {
    if (peer === this.peer && this.leg.isInterrupted) this.call.end('connection-lost');
  }

  /** Sends a message of the page, over the signaling cluster. @param {import('../vendor/sdk.js').Session} session @param {unknown} payload */
  say(session, payload) {
    return session.send(this.peer, payload);
  }

  /** The reason as this side sees it. */
  async #reason() {
    const { reason } = this.call;
    if (!this.#isOurEnd && (reason === 'hung-up' || reason === 'not-understood')) return `they-${reason}`;
    if (reason !== 'connection-lost') return reason;
    // Without an answer nothing is known of the other side.
    return (await this.isOnline(this.peer).catch(() => true)) ? reason : 'vanished';
  }
}
