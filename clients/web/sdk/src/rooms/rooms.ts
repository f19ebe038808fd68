/** The rooms of a session. They outlive connections: a session that was lost enters its rooms again. */
import type { Joined } from '../frames.js';
import type { Session } from '../session.js';
import { Room } from './room.js';

export class Rooms {
  readonly #session: Session;
  readonly #joined = new Map<string, { room: Room; info: unknown }>();

  constructor(session: Session) {
    this.#session = session;
    const of = (name: string) => this.#joined.get(name)?.room;
    session.on('joined', (frame) => of(frame.room)?.onRoster(frame));
    session.on('peer-joined', ({ room, version, peer, info }) => of(room)?.onChange(version, peer, { info }));
    session.on('peer-left', ({ room, version, peer, reason }) => of(room)?.onChange(version, peer, { reason }));
    session.on('room-count', ({ room, count }) => of(room)?.onCount(count));
    session.on('message', (message) => {
      if (message.room) of(message.room)?.onMessage(message);
    });
    session.on('left', ({ room, reason = 'left' }) => this.#forget(room, reason));
    session.on('welcome', ({ resumed }) => {
      if (resumed) return;
      for (const { room, info } of this.#joined.values()) void this.#enter(room, info).catch(() => this.#forget(room.name, 'lost'));
    });
  }

  /** The rooms of which this peer is a member. */
  get all(): Room[] {
    return [...this.#joined.values()].map(({ room }) => room);
  }

  /** Enters a room; who is the first one creates it. `info` is shown to the other members: an object of at most 1 KiB. */
  async join(name: string, info?: object): Promise<Room> {
    const room = this.#joined.get(name)?.room ?? new Room(this.#session, name);
    this.#joined.set(name, { room, info });
    try {
      await this.#enter(room, info);
    } catch (error) {
      this.#joined.delete(name);
      throw error;
    }
    return room;
  }

  async leave(name: string): Promise<void> {
    await this.#session.request({ type: 'leave', room: name });
  }

  #enter(room: Room, info: unknown): Promise<Joined> {
    return this.#session.request<Joined>({ type: 'join', room: room.name, info });
  }

  #forget(name: string, reason: Parameters<Room['onLeft']>[0]): void {
    const entry = this.#joined.get(name);
    this.#joined.delete(name);
    entry?.room.onLeft(reason);
  }
}
