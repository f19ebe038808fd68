/** The rooms of a session. They outlive connections: a session that was lost enters its rooms again. */
import type { Joined } from '../generated/frames.js';
import type { Session } from '../session.js';
import { Room } from './room.js';

/** The rooms of a session. Made by `rooms`. */
export class Rooms {
  readonly #session: Session;
  readonly #joined = new Map<string, { room: Room; info: object | undefined; isMember?: boolean }>();

  constructor(session: Session) {
    this.#session = session;
    const of = (name: string) => this.#joined.get(name)?.room;
    session.on('joined', (frame) => {
      const entry = this.#joined.get(frame.room);
      if (!entry) return;
      entry.isMember = true;
      entry.room.onRoster(frame);
    });
    session.on('peer-joined', ({ room, version, peer, info }) => of(room)?.onChange(version, peer, { info }));
    session.on('peer-left', ({ room, version, peer, reason }) => of(room)?.onChange(version, peer, { reason }));
    session.on('room-count', ({ room, count }) => of(room)?.onCount(count));
    session.on('message', (message) => {
      if (message.room) of(message.room)?.onMessage(message);
    });
    session.on('left', ({ room, reason = 'left' }) => this.#forget(room, reason));
    session.on('welcome', ({ resumed }) => {
      if (resumed) return;
      // A first join that has no answer yet is on its way, or fails.
      for (const { room, info, isMember } of this.#joined.values()) {
        if (isMember) void this.#enter(room, info).catch(() => this.#forget(room.name, 'lost'));
      }
    });
  }

  /** The rooms of which this peer is a member. */
  get all(): Room[] {
    return [...this.#joined.values()].map(({ room }) => room);
  }

  /**
   * Enters a room; the first member creates it.
   *
   * @param info Shown to the other members: an object of at most 1 KiB of JSON.
   * @throws SwitchboardError `room-full`, `not-allowed` (also over `welcome.limits.rooms_per_peer`), `bus-unavailable`, `timeout`.
   */
  async join(name: string, info?: object): Promise<Room> {
    const entry = this.#joined.get(name) ?? { room: new Room(this.#session, name), info };
    entry.info = info;
    this.#joined.set(name, entry);
    try {
      await this.#enter(entry.room, info);
    } catch (error) {
      if (!entry.isMember) this.#joined.delete(name);
      throw error;
    }
    return entry.room;
  }

  /** Leaves a room. Its event `left` follows. */
  async leave(name: string): Promise<void> {
    await this.#session.request({ type: 'leave', room: name });
  }

  #enter(room: Room, info: object | undefined): Promise<Joined> {
    return this.#session.request<Joined>({ type: 'join', room: room.name, info });
  }

  #forget(name: string, reason: Parameters<Room['onLeft']>[0]): void {
    const entry = this.#joined.get(name);
    this.#joined.delete(name);
    entry?.room.onLeft(reason);
  }
}
