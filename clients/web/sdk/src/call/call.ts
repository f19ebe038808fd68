/**
 * One call: its states from ringing to its end, its deadlines, its tracks, and how it outlives lost paths and reloads of the
 * other page. Not here: the descriptions (`negotiation`), and which calls there are (`calls`).
 */
import { Emitter } from '../emitter.js';
import type { SwitchboardError } from '../error.js';
import type { MessageKind } from '../generated/frames.js';
import type { Session } from '../session.js';
import { backoffMs } from '../wait.js';
import { freshIceServers } from './ice.js';
import { Negotiation } from './negotiation.js';
import { type Body, type MediaState, newId, type Payload } from './payload.js';
import { RELAY_REFUSED, relayError } from './relay.js';

/** How long a caller waits for an answer. */
const RING_MS = 45_000;
/** An accepted call without any path. */
const CONNECT_WITHIN_MS = 30_000;
/** A call that lost its path. */
const RECONNECT_WITHIN_MS = 30_000;
/** A path often comes back by itself. */
const RESTART_AFTER_MS = 2_000;
/** How often a message without an outcome is sent again. */
const MAX_TRIES = 6;
/** Messages of the caller before the call is accepted. */
const MAX_EARLY = 64;
const TRANSIENT = ['timeout', 'bus-unavailable', 'queue-full', 'rate-limited'];
const AWAY = ['peer-offline', 'expired'];
const OWN_STATES = ['declined', 'busy', 'cancelled', 'no-answer'];

/** `calling`: the other side does not have the call yet. `accepted`: both sides want it; see `connection` for media. */
export type CallState = 'calling' | 'ringing' | 'accepted' | 'declined' | 'busy' | 'cancelled' | 'no-answer' | 'ended';

/** The events of a call, each with what its handlers get. */
export interface CallEvents {
  /** `reason` says why a call ended: `hung-up`, `no-path`, `relay-refused`, `connection-lost`, `gone`, `replaced`, or an error code. */
  state: { state: CallState; reason: string };
  /** The other side is away for a moment. The call waits for it. */
  queued: Call;
  /** A track of the other side. */
  track: RTCTrackEvent;
  /** A data channel that the other side opened. */
  channel: RTCDataChannel;
  /** Whether there is a path between the two sides. */
  connection: RTCPeerConnectionState;
  /** The other page was reloaded, so `pc` is a new connection. Tracks are sent again, data channels are not. */
  pc: RTCPeerConnection;
  /** What the other side says of its media. */
  media: MediaState;
  /** What went wrong, and did not end the call. */
  error: Error;
}

/** The media of a call. */
export interface MediaOptions {
  /** What this side sends. */
  stream?: MediaStream | undefined;
  /** What this side receives without sending it: `['audio', 'video']` by default. */
  receive?: ('audio' | 'video')[];
}

/** A call of a page that is left: peer, id, state, whether this side called, and what came while it rings. */
export type CallLeft = [peer: string, id: string, state: CallState, isCaller: boolean, early: Payload[]];

interface Setup {
  session: Session;
  rtc: RTCConfiguration | undefined;
  peer: string;
  id: string;
  /** Of a call in a room, which has no id of its own. */
  room?: string;
  state: CallState;
  isCaller: boolean;
  onEnd: (call: Call) => void;
}

/** One call with one peer. Made by `Calls`. */
export class Call extends Emitter<CallEvents> {
  /** The other side's peer ID. */
  readonly peer: string;
  /** Whether this side called. */
  readonly isCaller: boolean;
  readonly #setup: Setup;
  readonly #leg = newId();
  #id: string;
  #theirLeg: string | undefined;
  /** The id of their call, which crossed this one and lost. */
  #crossed: string | undefined;
  #state: CallState;
  #reason = '';
  #hasMedia = false;
  #negotiation: Negotiation;
  #early: Payload[] = [];
  #media: MediaState | undefined;
  #theirMedia: MediaState | undefined;
  #noPath = 'no-path';
  readonly #tracks = new Map<MediaStreamTrack, MediaStream[]>();
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  readonly #offIce: () => void;

  /** @internal */
  constructor(setup: Setup) {
    super();
    this.#setup = setup;
    ({ peer: this.peer, id: this.#id, isCaller: this.isCaller, state: this.#state } = setup);
    this.#negotiation = this.#negotiate();
    this.#offIce = setup.session.on('ice', ({ ice_servers }) => this.#negotiation.useServers(ice_servers));
    if (this.#state === 'accepted') this.#expect('connection-lost', RECONNECT_WITHIN_MS);
    else this.#expect('no-answer', RING_MS);
  }

  /** The call's ID, the same on both sides. */
  get id(): string {
    return this.#id;
  }

  /** What the call does now. */
  get state(): CallState {
    return this.#state;
  }

  /** Why the call ended, as in the event `state`; empty before. */
  get reason(): string {
    return this.#reason;
  }

  /** Whether the call has ended, in any way. */
  get isOver(): boolean {
    return this.#state === 'ended' || OWN_STATES.includes(this.#state);
  }

  /** The connection, for data channels and all else that it offers. */
  get pc(): RTCPeerConnection {
    return this.#negotiation.pc;
  }

  /** What the other side said of its media last. */
  get theirMedia(): MediaState | undefined {
    return this.#theirMedia;
  }

  /** @internal What the next page of this tab needs to continue the call. */
  get left(): CallLeft {
    return [this.peer, this.#id, this.#state, this.isCaller, this.#early];
  }

  /** Accepts an incoming call, or continues a restored one. Only the first time does anything. */
  accept({ stream, receive = ['audio', 'video'] }: MediaOptions = {}): this {
    if (this.#hasMedia || this.isOver) return this;
    this.#hasMedia = true;
    const isIncoming = this.#state === 'ringing' && !this.isCaller;
    for (const track of stream?.getTracks() ?? []) this.addTrack(track, stream as MediaStream);
    if (!isIncoming) {
      const isSent = (kind: string) => [...this.#tracks.keys()].some((track) => track.kind === kind);
      for (const kind of receive) if (!isSent(kind)) this.pc.addTransceiver(kind, { direction: 'recvonly' });
      return this;
    }
    this.#accepted();
    for (const payload of this.#early.splice(0)) this.#negotiation.receive(payload);
    return this;
  }

  /** Ends an incoming call with `declined`. */
  decline(): void {
    this.end('declined');
  }

  /** Ends the call on both sides. `reason`: at most 40 characters of `a-z` and `-`. */
  end(reason = this.#state === 'accepted' ? 'hung-up' : this.isCaller ? 'cancelled' : 'declined'): void {
    if (this.isOver) return;
    void this.#send('bye', { reason }).catch(() => {});
    if (this.#crossed) void this.#setup.session.send(this.peer, { call: this.#crossed, leg: this.#leg, reason }, { kind: 'bye' });
    this.#finish(reason);
  }

  /** Sends another track. The other side hears `track`. */
  addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): RTCRtpSender {
    this.#tracks.set(track, streams);
    return this.pc.addTrack(track, ...streams);
  }

  /** Stops to send a track. */
  removeTrack(track: MediaStreamTrack): void {
    this.#tracks.delete(track);
    const sender = this.#senderOf(track);
    if (sender) this.pc.removeTrack(sender);
  }

  /** Sends another track of the same kind instead. The other side notices nothing. */
  async replaceTrack(old: MediaStreamTrack, track: MediaStreamTrack): Promise<void> {
    await this.#senderOf(old)?.replaceTrack(track);
    this.#tracks.set(track, this.#tracks.get(old) ?? []);
    this.#tracks.delete(old);
  }

  /** Tells the other side what it mutes, once the call is accepted, and again after its page was reloaded. */
  setMedia(media: MediaState): void {
    this.#media = media;
    this.#tellMedia();
  }

  #tellMedia(): void {
    const media = this.#media;
    if (media && this.#state === 'accepted') void this.#send('message', { media }, () => media === this.#media).catch(() => {});
  }

  #senderOf(track: MediaStreamTrack): RTCRtpSender | undefined {
    return this.pc.getSenders().find((sender) => sender.track === track);
  }

  // Messages.

  /** @internal Of two calls that cross, the polite side gives its own up and continues as a part of the other. */
  cross(payload: Payload): boolean {
    if (!this.isCaller || this.isOver || this.#state === 'accepted') return false;
    if (this.#isPolite()) {
      this.#id = payload.call as string;
      this.receive('offer', payload);
    } else this.#crossed = payload.call as string;
    return true;
  }

  #isPolite(): boolean {
    return (this.#setup.session.welcome?.peer ?? '') < this.peer;
  }

  /** @internal */
  receive(type: MessageKind, payload: Payload): void {
    const { leg, to_leg } = payload;
    if (to_leg && to_leg !== this.#leg) return; // for this page before its reload
    if (type === 'bye') return this.#finish(payload.reason as string);
    const isOther = this.#theirLeg !== undefined && leg !== this.#theirLeg;
    if (isOther && type === 'candidate') return; // of their page before its reload
    if (type === 'message') {
      this.#theirMedia = payload.media;
      this.emit('media', payload.media as MediaState);
      return;
    }
    this.#theirLeg = leg;
    if (!this.isCaller && this.#state === 'ringing') {
      if (isOther) this.#early = [];
      if (this.#early.length < MAX_EARLY) this.#early.push(payload);
      else this.emit('error', new Error(`more than ${MAX_EARLY} messages before it is accepted`));
      return;
    }
    if (this.#state !== 'accepted' && type !== 'candidate') this.#accepted();
    const isUsed = this.pc.remoteDescription || this.pc.signalingState !== 'stable';
    if (isOther && type === 'offer' && isUsed) {
      this.#negotiation.close();
      this.#negotiation = this.#negotiate();
      for (const [track, streams] of this.#tracks) this.pc.addTrack(track, ...streams);
      this.emit('pc', this.pc);
      this.#tellMedia();
    }
    this.#negotiation.receive(payload);
  }

  async #send(kind: MessageKind, body: Body, isCurrent = () => true): Promise<void> {
    const { room } = this.#setup;
    const payload: Payload = { ...(room ? { room } : { call: this.#id }), leg: this.#leg, ...body };
    if (this.#theirLeg) payload.to_leg = this.#theirLeg;
    for (let tries = 1; ; tries++) {
      try {
        await this.#setup.session.send(this.peer, payload, { kind, onQueued: () => void this.emit('queued', this) });
        if (kind === 'offer' && this.#state === 'calling') this.#setState('ringing');
        return;
      } catch (error) {
        const { code } = error as SwitchboardError;
        const mayPass = TRANSIENT.includes(code) || (AWAY.includes(code) && this.#state === 'accepted');
        if (this.isOver || !mayPass || tries === MAX_TRIES || !isCurrent()) {
          if (kind === 'offer' && this.#state !== 'accepted') this.end(code);
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, backoffMs(tries + 2)));
      }
    }
  }

  // States.

  #negotiate(): Negotiation {
    const { session, rtc } = this.#setup;
    const negotiation = new Negotiation({
      rtc,
      iceServers: () => freshIceServers(session),
      isPolite: () => this.#isPolite(),
      mayOffer: () => this.isCaller || this.#state === 'accepted',
      send: (kind, body, isCurrent) => this.#send(kind, body, isCurrent),
      onError: (error) => void this.emit('error', error),
    });
    const { pc } = negotiation;
    pc.ontrack = (event) => void this.emit('track', event);
    pc.ondatachannel = ({ channel }) => void this.emit('channel', channel);
    pc.onicecandidateerror = (event) => {
      const error = relayError(event);
      if (!error) return;
      this.#noPath = RELAY_REFUSED;
      this.emit('error', error);
    };
    pc.onconnectionstatechange = () => this.#onConnection(pc.connectionState);
    return negotiation;
  }

  #onConnection(state: RTCPeerConnectionState): void {
    clearTimeout(this.#restart);
    if (state === 'connected') this.#expect();
    const isLost = state === 'disconnected' || state === 'failed';
    if (isLost) {
      if (!this.#deadline) this.#expect('connection-lost', RECONNECT_WITHIN_MS);
      this.#restart = setTimeout(() => void this.#negotiation.restart(), state === 'failed' ? 0 : RESTART_AFTER_MS);
    }
    this.emit('connection', state);
  }

  /** Ends the call unless its next step happens in time. */
  #expect(reason?: string, ms?: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = reason ? setTimeout(() => this.end(reason === 'no-path' ? this.#noPath : reason), ms) : undefined;
  }

  #accepted(): void {
    this.#expect('no-path', CONNECT_WITHIN_MS);
    this.#setState('accepted');
    this.#tellMedia();
  }

  #setState(state: CallState): void {
    this.#state = state;
    this.emit('state', { state, reason: this.#reason });
  }

  #finish(reason: string): void {
    this.#reason = reason;
    this.#expect();
    clearTimeout(this.#restart);
    this.#early = [];
    this.#offIce();
    this.#negotiation.close();
    this.#setup.onEnd(this);
    this.#setState(OWN_STATES.includes(reason) ? (reason as CallState) : 'ended');
  }
}
