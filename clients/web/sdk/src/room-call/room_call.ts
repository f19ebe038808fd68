/**
 * The call of a room: one call with each other member that takes part, without ringing. Who comes calls those that are there.
 * Local media is changed once for all. Not here: one of these calls, and who is in the room.
 */
import { Call, type CallState } from '../call/call.js';
import type { Calls } from '../call/calls.js';
import type { MediaState, Payload } from '../call/payload.js';
import { Emitter } from '../emitter.js';
import { SwitchboardError } from '../error.js';
import type { LeaveReason, Message } from '../generated/frames.js';
import type { Room } from '../rooms/room.js';
import { backoffMs } from '../wait.js';

/** Each person sends to every other one, so a room of more people needs another kind of call. */
const MAX_PEOPLE = 8;
/** Calls with members, and with peers that are no members yet: an offer can be faster than the news of the room. */
const MAX_LEGS = 2 * MAX_PEOPLE;
/** How often a member is called again, until there is a connection. */
const MAX_TRIES = 5;
/** Another end of a call with a member is a failure, and it is called again. */
const MEANT = ['hung-up', 'gone', 'busy', 'left', 'lost', 'kicked', 'expired'];

/** The media of this side. */
export interface RoomCallOptions {
  /** What this side sends to everybody. */
  stream?: MediaStream | undefined;
  /** What this side receives without sending it: `['audio', 'video']` by default. */
  receive?: ('audio' | 'video')[];
}

/** The events of a room's call, each with what its handlers get. */
export interface RoomCallEvents {
  /** Somebody is in the call. Add handlers to their part of it in this turn: `track`, `media`, `connection`. */
  joined: Call;
  /** Somebody is not in the call any more, by the `reason` of their part. */
  left: Call;
  /** A member cannot be reached. It is called again a few times. */
  failed: Call;
  /** This side is not in the call any more: `hung-up`, or why its membership ended. Nothing follows. */
  ended: { reason: string };
}

/** The call of a room. Made by `roomCall`. */
export class RoomCall extends Emitter<RoomCallEvents> {
  /** The room whose members are in the call. */
  readonly room: Room;
  readonly #calls: Calls;
  readonly #receive: RoomCallOptions['receive'];
  /** With each other person, also before they accept. */
  readonly #legs = new Map<string, Call>();
  readonly #participants = new Map<string, Call>();
  readonly #tracks = new Map<MediaStreamTrack, MediaStream[]>();
  /** Calls without a connection, by peer. */
  readonly #tries = new Map<string, number>();
  readonly #offs: (() => void)[];
  #media: MediaState | undefined;
  #isOver = false;

  /** @internal */
  constructor(calls: Calls, room: Room, { stream, receive }: RoomCallOptions) {
    super();
    this.room = room;
    this.#calls = calls;
    this.#receive = receive;
    const { size } = room.members;
    if (!size || size > MAX_PEOPLE) throw new SwitchboardError('room-full', `${room.count} members, at most ${MAX_PEOPLE} can call each other`);
    if (calls.inRooms.has(room.name)) throw new SwitchboardError('not-allowed', 'this page is in the call of this room');
    for (const track of stream?.getTracks() ?? []) this.#tracks.set(track, [stream as MediaStream]);
    calls.inRooms.set(room.name, (message, payload) => this.#onMessage(message, payload));
    this.#offs = [
      room.on('roster', () => this.#onRoster()),
      room.on('peer-joined', ({ peer }) => this.#admit(peer)),
      room.on('peer-left', ({ peer, reason }) => this.#onPeerLeft(peer, reason)),
      room.on('left', ({ reason }) => this.#end(reason)),
    ];
    // The application adds its handlers first.
    queueMicrotask(() => this.#onRoster());
  }

  /** The others in the call, by their peer IDs. A member of the room that is not here is not in the call. */
  get participants(): ReadonlyMap<string, Call> {
    return this.#participants;
  }

  /** Whether this side is not in the call any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Leaves the call, and stays in the room. */
  leave(): void {
    this.#end('hung-up');
  }

  // Local media.

  /** Sends another track to everybody. */
  addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): void {
    this.#tracks.set(track, streams);
    for (const leg of this.#started()) leg.addTrack(track, ...streams);
  }

  /** Stops to send a track. */
  removeTrack(track: MediaStreamTrack): void {
    this.#tracks.delete(track);
    for (const leg of this.#started()) leg.removeTrack(track);
  }

  /** Sends another track of the same kind instead. The others notice nothing. */
  async replaceTrack(old: MediaStreamTrack, track: MediaStreamTrack): Promise<void> {
    this.#tracks.set(track, this.#tracks.get(old) ?? []);
    this.#tracks.delete(old);
    await Promise.all(this.#started().map((leg) => leg.replaceTrack(old, track)));
  }

  /** Tells everybody what this side mutes, also those that come later. */
  setMedia(media: MediaState): void {
    this.#media = media;
    for (const leg of this.#legs.values()) leg.setMedia(media);
  }

  // Members.

  #onRoster(): void {
    const { members } = this.room;
    for (const peer of this.#legs.keys()) if (!members.has(peer)) this.#onPeerLeft(peer, 'lost');
    for (const peer of members.keys()) {
      if (this.#legs.has(peer)) this.#admit(peer);
      else this.#dial(peer);
    }
  }

  /** Accepts the call of a member. */
  #admit(peer: string): void {
    const leg = this.#legs.get(peer);
    if (leg && isWaiting(leg) && this.room.members.has(peer)) this.#start(leg);
  }

  #dial(peer: string): void {
    if (!this.#isOver && peer !== this.#calls.session.welcome?.peer) this.#start(this.#leg(peer, true));
  }

  /** The session of a lost member ended. A path that still works does not need it. */
  #onPeerLeft(peer: string, reason: LeaveReason): void {
    const leg = this.#legs.get(peer);
    if (leg && (reason !== 'lost' || leg.pc.connectionState !== 'connected')) leg.end(reason);
  }

  // Calls with each of them.

  #onMessage({ type, from }: Message, payload: Payload): string | undefined {
    let leg = this.#legs.get(from);
    if (!leg) {
      if (type !== 'offer' || payload.to_leg) return 'gone';
      if (this.#legs.size >= MAX_LEGS) return 'busy';
      leg = this.#leg(from, false);
    }
    leg.receive(type, payload);
    this.#admit(from);
    return undefined;
  }

  #leg(peer: string, isCaller: boolean): Call {
    const { session, options } = this.#calls;
    const state = isCaller ? 'calling' : 'ringing';
    const leg = new Call({ session, rtc: options.rtc, peer, id: '', room: this.room.name, state, isCaller, onEnd() {} });
    this.#legs.set(peer, leg);
    leg.on('state', ({ state }) => this.#onState(leg, state));
    leg.on('connection', (state) => {
      if (state === 'connected') this.#tries.delete(peer);
      else if (!this.room.members.has(peer)) leg.end('lost');
    });
    if (this.#media) leg.setMedia(this.#media);
    return leg;
  }

  #start(leg: Call): void {
    for (const [track, streams] of this.#tracks) leg.addTrack(track, ...streams);
    leg.accept(this.#receive && { receive: this.#receive });
  }

  #started(): Call[] {
    return [...this.#legs.values()].filter((leg) => !isWaiting(leg));
  }

  #onState(leg: Call, state: CallState): void {
    const { peer, reason } = leg;
    if (state === 'accepted') {
      this.#participants.set(peer, leg);
      this.emit('joined', leg);
    }
    if (!leg.isOver) return;
    this.#legs.delete(peer);
    if (this.#participants.delete(peer)) this.emit('left', leg);
    if (MEANT.includes(reason) || this.#isOver || !this.room.members.has(peer)) return;
    this.emit('failed', leg);
    const tries = (this.#tries.get(peer) ?? 0) + 1;
    this.#tries.set(peer, tries);
    if (tries > MAX_TRIES) return;
    setTimeout(() => {
      if (this.room.members.has(peer) && !this.#legs.has(peer)) this.#dial(peer);
    }, backoffMs(tries));
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const off of this.#offs) off();
    for (const leg of this.#legs.values()) leg.end(reason);
    this.#calls.inRooms.delete(this.room.name);
    this.emit('ended', { reason });
  }
}

/** Called by somebody who is no member as far as this side knows. */
const isWaiting = (leg: Call): boolean => leg.state === 'ringing' && !leg.isCaller;

/**
 * Takes part in the call of a room of which this peer is a member.
 *
 * @throws SwitchboardError `room-full` if the room has more than 8 members, and `not-allowed` if this page is in its call already.
 *
 * @example
 * ```ts
 * const phone = calls(session);
 * const room = await rooms(session).join('standup');
 * const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
 * const group = roomCall(phone, room, { stream });
 * group.on('joined', (call) => call.on('track', ({ streams: [theirs] }) => console.log(call.peer, theirs)));
 * ```
 */
export const roomCall = (calls: Calls, room: Room, options: RoomCallOptions = {}): RoomCall => new RoomCall(calls, room, options);
