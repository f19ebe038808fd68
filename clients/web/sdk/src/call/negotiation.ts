/**
 * One `RTCPeerConnection` and its descriptions: perfect negotiation (W3C WebRTC, section 10.7) with trickled candidates
 * (RFC 8838). Either side may change what it sends at any time. Not here: what a call is, and who may talk.
 */
import { within } from '../wait.js';
import type { Body, Payload } from './payload.js';

/** How long the answer to an offer that crosses the first own one waits at most. */
const GATHERS_WITHIN_MS = 1_000;

export interface NegotiationOptions {
  rtc: RTCConfiguration | undefined;
  /** The newest credentials. */
  iceServers: () => Promise<RTCIceServer[]>;
  /** Of two offers that cross, the one of the side that is not polite stands. */
  isPolite: () => boolean;
  /** False while the call rings here: an offer would accept it. Chromium wants to offer as soon as there are other ICE servers. */
  mayOffer: () => boolean;
  /** Rejects when the other side cannot have it. */
  send: (kind: 'offer' | 'answer' | 'candidate', body: Body, isCurrent?: () => boolean) => Promise<void>;
  onError: (error: Error) => void;
}

export class Negotiation {
  readonly pc: RTCPeerConnection;
  readonly #options: NegotiationOptions;
  readonly #hasServers: Promise<void>;
  /** When there is a first candidate, or none. */
  readonly #gathers: Promise<void>;
  /** One after the other. */
  #steps: Promise<void> = Promise.resolve();
  #isIgnoring = false;
  #offers = 0;
  #theirOffer = 0;

  constructor(options: NegotiationOptions) {
    this.#options = options;
    const pc = (this.pc = new RTCPeerConnection(options.rtc));
    this.#hasServers = this.#refreshServers();
    pc.onnegotiationneeded = () => void this.#hasServers.then(() => this.#next(() => this.#offer()));
    this.#gathers = new Promise((resolve) => {
      pc.onicecandidate = ({ candidate }) => {
        resolve();
        // Without a candidate the call may still find another path.
        options.send('candidate', { candidate: candidate?.toJSON() ?? null }).catch(() => {});
      };
    });
  }

  async #refreshServers(): Promise<void> {
    this.useServers(await this.#options.iceServers().catch(() => []));
  }

  /** Takes servers for every path that is looked for from now on, also when the other side asks for one. */
  useServers(iceServers: RTCIceServer[]): void {
    const { rtc } = this.#options;
    if (!this.#isClosed) this.pc.setConfiguration({ ...rtc, iceServers: [...(rtc?.iceServers ?? []), ...iceServers] });
  }

  get #isClosed(): boolean {
    return this.pc.signalingState === 'closed';
  }

  #next(step: () => Promise<void>): void {
    this.#steps = this.#steps.then(step).catch(this.#options.onError);
  }

  async #offer(): Promise<void> {
    // If it is not stable, the event comes again.
    if (this.#options.mayOffer() && this.pc.signalingState === 'stable') await this.#describe();
  }

  /** Sends an offer, or the answer if there is an offer to answer. */
  async #describe(): Promise<void> {
    const { pc } = this;
    await pc.setLocalDescription();
    const { type, sdp } = pc.localDescription as RTCSessionDescription;
    const isOffer = type === 'offer';
    const n = isOffer ? ++this.#offers : this.#theirOffer;
    const isCurrent = () =>
      isOffer ? n === this.#offers && pc.signalingState === 'have-local-offer' : n === this.#theirOffer && pc.signalingState === 'stable';
    this.#options.send(isOffer ? 'offer' : 'answer', { n, description: { type, sdp } }, isCurrent).catch(() => {
      // Takes the offer back, so that a later one can be made.
      this.#next(async () => {
        if (isOffer && isCurrent()) await pc.setLocalDescription({ type: 'rollback' });
      });
    });
  }

  receive(payload: Payload): void {
    this.#next(() => this.#handle(payload));
  }

  async #handle({ n, description, candidate }: Payload): Promise<void> {
    const { pc } = this;
    if (this.#isClosed) return;
    if (!description) {
      if (pc.remoteDescription) {
        await pc.addIceCandidate(candidate).catch((error) => {
          if (!this.#isIgnoring) throw error;
        });
      }
      return;
    }
    const isOffer = description.type === 'offer';
    this.#isIgnoring = isOffer && pc.signalingState !== 'stable' && !this.#options.isPolite();
    const isStale = !isOffer && (n !== this.#offers || pc.signalingState !== 'have-local-offer');
    if (this.#isIgnoring || isStale) return;
    // Chromium stops looking for candidates for good if it has found none when it takes back the first offer.
    if (isOffer && pc.signalingState !== 'stable') await within(GATHERS_WITHIN_MS, this.#gathers, 'candidate').catch(() => {});
    await pc.setRemoteDescription(description); // rolls an own offer back
    if (!isOffer) return;
    this.#theirOffer = n as number;
    await this.#hasServers;
    await this.#describe();
  }

  /** Finds another path, with fresh credentials. */
  async restart(): Promise<void> {
    await this.#refreshServers();
    if (!this.#isClosed) this.pc.restartIce();
  }

  close(): void {
    const { pc } = this;
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.ondatachannel = pc.onconnectionstatechange = pc.onicecandidateerror = null;
    pc.close();
  }
}
