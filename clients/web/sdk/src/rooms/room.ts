/** One room as its member sees it: who is there, and what they say. Not here: how frames reach it (`rooms`). */
import { Emitter } from '../emitter.js';
import type { Joined, LeaveReason, Member as MemberFrame, Message, MessageKind, PeerId } from '../generated/frames.js';
import type { Delivered } from '../outbox.js';
import type { Session } from '../session.js';

/** A member of a room. */
export interface Member {
  /** The member's peer ID. */
  peer: PeerId;
  /** What the member, or its token, says of itself. */
  info?: MemberFrame['info'] | undefined;
}

/** The events of a room, each with what its handlers get. */
export interface RoomEvents {
  /** Somebody came. Not in a large room. */
  'peer-joined': Member;
  /** Somebody left: `left`, `lost` (the connection did not come back), `kicked` or `expired`. Not in a large room. */
  'peer-left': { peer: PeerId; reason: LeaveReason };
  /** How many members there are, after each change. */
  count: number;
  /** The list is new as a whole: after a join, and after a time without a connection. With `gap`, messages may be missing. */
  roster: { gap: boolean };
  /** A message to the room, of another member. */
  message: Message;
  /** This member is out. Nothing follows. */
  left: { reason: LeaveReason };
}

/** A room of which this peer is a member. Made by `Rooms.join`. */
export class Room extends Emitter<RoomEvents> {
  /** The room's name within the tenant. */
  readonly name: string;
  readonly #session: Session;
  readonly #members = new Map<string, Member>();
  #count = 0;
  #version = 0;

  constructor(session: Session, name: string) {
    super();
    this.#session = session;
    this.name = name;
  }

  /** The members by their peer IDs, this one included. Empty in a large room, which has only a count. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** How many members there are, this one included. */
  get count(): number {
    return this.#count;
  }

  /**
   * Sends to all other members. Resolves when the cluster has published it: at most once for each member, in order.
   *
   * @throws SwitchboardError `not-in-room`, `not-allowed`, `bus-unavailable`, `rate-limited` and others.
   */
  send(payload: unknown, kind: MessageKind = 'message'): Promise<Delivered> {
    return this.#session.send({ room: this.name }, payload, { kind });
  }

  /** @internal */
  onRoster({ members, count, version, gap = false }: Joined): void {
    this.#members.clear();
    for (const { peer, info } of members ?? []) this.#members.set(peer, { peer, info });
    this.#version = version;
    this.emit('roster', { gap });
    this.#setCount(count);
  }

  /** @internal A change that the list has already makes no event. */
  onChange(version: number, peer: string, change: Pick<Member, 'info'> | { reason: LeaveReason }): void {
    if (version <= this.#version) return;
    this.#version = version;
    if ('reason' in change) {
      if (this.#members.delete(peer)) this.emit('peer-left', { peer, reason: change.reason });
    } else {
      const isNew = !this.#members.has(peer);
      this.#members.set(peer, { peer, info: change.info });
      if (isNew) this.emit('peer-joined', { peer, info: change.info });
    }
    this.#setCount(this.#members.size);
  }

  /** @internal The room is large: from now on it has no list. */
  onCount(count: number): void {
    this.#members.clear();
    this.#setCount(count);
  }

  /** @internal */
  onMessage(message: Message): void {
    this.emit('message', message);
  }

  /** @internal */
  onLeft(reason: LeaveReason): void {
    this.emit('left', { reason });
  }

  #setCount(count: number): void {
    if (count === this.#count) return;
    this.#count = count;
    this.emit('count', count);
  }
}
