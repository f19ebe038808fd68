/**
 * Rooms, and who is online. Add them in the turn of `connect`: then they miss nothing.
 *
 * @module
 */
import type { Session } from '../session.js';
import { Presence } from './presence.js';
import { Rooms } from './rooms.js';

export type { PresenceState } from '../generated/frames.js';
export type { Member, Room, RoomEvents } from './room.js';
export type { PresenceEvents } from './presence.js';
export type { Presence, Rooms };

/**
 * The rooms of a session. Call it once, in the turn of `connect`.
 *
 * @example
 * ```ts
 * const lobby = await rooms(session).join('lobby', { name: 'Alice' });
 * lobby.on('peer-joined', ({ peer, info }) => console.log(peer, info?.name));
 * lobby.on('message', ({ from, payload }) => console.log(from, payload));
 * await lobby.send({ text: 'hello, all' });
 * ```
 */
export const rooms = (session: Session): Rooms => new Rooms(session);
/**
 * Who is online. Call it once, in the turn of `connect`.
 *
 * @example
 * ```ts
 * const friends = presence(session);
 * friends.on('change', ({ peer, state }) => console.log(peer, state));
 * await friends.watch('bob', 'carol');
 * ```
 */
export const presence = (session: Session): Presence => new Presence(session);
