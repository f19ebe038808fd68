/**
 * The calls of one session: places them, lets them ring, refuses those over the limit with `busy`, resolves calls that cross,
 * and continues them after a reload. Not here: a call itself.
 */
import { Emitter } from '../emitter.js';
import type { Message } from '../generated/frames.js';
import { readJson } from '../json.js';
import { watchPage } from '../page.js';
import type { Session } from '../session.js';
import { save, type SnapshotStorage, storageOf, take } from '../snapshot.js';
import { Call, type CallLeft, type CallState, type MediaOptions } from './call.js';
import { newId, type Payload, readPayload } from './payload.js';

/** Takes a message of a room's call, or returns why it is refused. */
type RoomReceiver = (message: Message, payload: Payload) => string | undefined;

/** How calls are placed and taken. */
export interface CallsOptions {
  /** How many calls there may be at a time: 1 by default. Another caller gets `busy`. */
  limit?: number;
  /** For each `RTCPeerConnection`. The ICE servers of the node are added. */
  rtc?: RTCConfiguration;
  /** Where calls wait during a reload: the tab's `sessionStorage` by default, `null` for nowhere. */
  storage?: SnapshotStorage | null;
}

/** The events of all calls of a session, each with what its handlers get. */
export interface CallsEvents {
  /** A call rings. Add handlers and `accept` or `decline` it. */
  incoming: Call;
  /** A call of this page before its reload. Continue it with `accept`; without a handler it ends. */
  restored: Call;
  /** A message that belongs to no call: its payload has another form, or its call is over. */
  other: { message: Message; why: 'form' | 'no-call' };
}

const STORAGE_KEY = 'switchboard1-calls:';

/** The calls of one session. Made by `calls`. */
export class Calls extends Emitter<CallsEvents> {
  /** @internal */
  readonly session: Session;
  /** @internal */
  readonly options: CallsOptions;
  /** @internal The calls of rooms, by the rooms' names. */
  readonly inRooms = new Map<string, RoomReceiver>();
  readonly #calls = new Set<Call>();

  constructor(session: Session, options: CallsOptions = {}) {
    super();
    this.session = session;
    this.options = options;
    const off = session.on('message', (message) => this.#onMessage(message));
    const storage = storageOf(options.storage);
    const key = STORAGE_KEY + globalThis.location?.pathname;
    const left = take(storage, key);
    const unwatch = watchPage({
      wake() {},
      hide: () => void (this.#calls.size && save(storage, key, this.all.map(({ left }) => left))),
      show: () => void take(storage, key),
    });
    session.on('closed', () => {
      off();
      unwatch();
    });
    // The application adds its handlers first.
    queueMicrotask(() => this.#restore(left));
  }

  /** The calls that are not over. */
  get all(): Call[] {
    return [...this.#calls];
  }

  /**
   * Calls a peer, or accepts its call that rings here. Another call with this peer ends. It rings there for at most 45 s. Its
   * states and its end are events of the call.
   */
  call(peer: string, media?: MediaOptions): Call {
    for (const call of this.all.filter((its) => its.peer === peer)) {
      if (call.state === 'ringing' && !call.isCaller) return call.accept(media);
      call.end('replaced');
    }
    return this.#add(peer, newId(), 'calling', true).accept(media);
  }

  #add(peer: string, id: string, state: CallState, isCaller: boolean): Call {
    const { rtc } = this.options;
    const call = new Call({ session: this.session, rtc, peer, id, state, isCaller, onEnd: (ended) => void this.#calls.delete(ended) });
    this.#calls.add(call);
    return call;
  }

  #onMessage(message: Message): void {
    const { type, from } = message;
    const payload = readPayload(type, message.payload);
    if (!payload) {
      // Another `message` is the application's.
      if (type !== 'message') this.emit('other', { message, why: 'form' });
      return;
    }
    const { call, room, to_leg } = payload;
    const inRoom = room && this.inRooms.get(room);
    const refused = inRoom ? inRoom(message, payload) : 'gone';
    if (!refused) return;
    const theirs = this.all.filter(({ peer }) => peer === from);
    const mine = theirs.find(({ id }) => id === call);
    if (mine) mine.receive(type, payload);
    else if (type !== 'offer') this.emit('other', { message, why: 'no-call' });
    else if (room || to_leg) this.#refuse(from, payload, refused);
    else if (!theirs.some((mine) => mine.cross(payload))) this.#ring(from, payload, theirs);
  }

  #ring(from: string, payload: Payload, theirs: Call[]): void {
    // Their page was reloaded and knows nothing of the call before.
    for (const old of theirs) old.end('replaced');
    if (this.#calls.size >= (this.options.limit ?? 1)) return this.#refuse(from, payload, 'busy');
    const call = this.#add(from, payload.call as string, 'ringing', false);
    call.receive('offer', payload);
    if (!this.emit('incoming', call)) call.end('declined');
  }

  #refuse(peer: string, { call, room, leg }: Payload, reason: string): void {
    void this.session.send(peer, { call, room, leg: newId(), to_leg: leg, reason }, { kind: 'bye' });
  }

  #restore(left: string | undefined): void {
    for (const [peer, id, state, isCaller, early] of (readJson(left) ?? []) as CallLeft[]) {
      const call = this.#add(peer, id, state, isCaller);
      for (const payload of early) call.receive(payload.description ? 'offer' : 'candidate', payload);
      if (isCaller && state !== 'accepted') call.end();
      else if (!this.emit(state === 'accepted' ? 'restored' : 'incoming', call)) call.end('gone');
    }
  }
}

/**
 * Starts to take and place calls over a session. Call it once, in the turn of `connect`.
 *
 * @example
 * ```ts
 * const phone = calls(session);
 * const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
 * phone.on('incoming', (call) => void call.accept({ stream }));
 * const call = phone.call('bob', { stream });
 * call.on('track', ({ streams: [theirs] }) => (document.querySelector('video')!.srcObject = theirs!));
 * call.on('state', ({ state, reason }) => console.log(state, reason));
 * ```
 */
export const calls = (session: Session, options?: CallsOptions): Calls => new Calls(session, options);
