/**
 * One `RTCPeerConnection` and its descriptions: perfect negotiation (W3C WebRTC, section 10.7) with trickled candidates
 * (RFC 8838). Either side may change what it sends at any time. Not here: what a call is, and who may talk.
 */
import type { Body, Payload } from './payload.js';

export interface NegotiationOptions {
  rtc: RTCConfiguration | undefined;
  /** The newest credentials. */
  iceServers: () => Promise<RTCIceServer[]>;
  /** Of two offers that cross, the one of the side that is not polite stands. */
  isPolite: () => boolean;
  /** Rejects when the other side cannot have it. */
  send: (kind: 'offer' | 'answer' | 'candidate', body: Body, isCurrent?: () => boolean) => Promise<void>;
  onError: (error: Error) => void;
}

export class Negotiation {
  readonly pc: RTCPeerConnection;
  readonly #options: NegotiationOptions;
  readonly #hasServers: Promise<void>;
  /** Messages are handled one after the other. */
  #handled: Promise<void> = Promise.resolve();
  #isMakingOffer = false;
  #isIgnoring = false;
  #offers = 0;
  #theirOffer = 0;

  constructor(options: NegotiationOptions) {
    this.#options = options;
    const pc = (this.pc = new RTCPeerConnection(options.rtc));
    this.#hasServers = this.#refreshServers();
    pc.onnegotiationneeded = () => void this.#offer().catch(options.onError);
    pc.onicecandidate = ({ candidate }) => {
      // Without a candidate the call may still find another path.
      options.send('candidate', { candidate: candidate?.toJSON() ?? null }).catch(() => {});
    };
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

  async #offer(): Promise<void> {
    await this.#hasServers;
    // If it is not stable, the event comes again.
    if (this.pc.signalingState !== 'stable') return;
    this.#isMakingOffer = true;
    try {
      await this.#describe();
    } finally {
      this.#isMakingOffer = false;
    }
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
    this.#options.send(isOffer ? 'offer' : 'answer', { n, description: { type, sdp } }, isCurrent).catch(async () => {
      // Takes the offer back, so that a later one can be made.
      if (isOffer && isCurrent()) await pc.setLocalDescription({ type: 'rollback' });
    });
  }

  receive(payload: Payload): void {
    this.#handled = this.#handled.then(() => this.#handle(payload)).catch(this.#options.onError);
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
    this.#isIgnoring = isOffer && (this.#isMakingOffer || pc.signalingState !== 'stable') && !this.#options.isPolite();
    const isStale = !isOffer && (n !== this.#offers || pc.signalingState !== 'have-local-offer');
    if (this.#isIgnoring || isStale) return;
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
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.ondatachannel = pc.onconnectionstatechange = null;
    pc.close();
  }
}
