/** Rooms, and who is online. Add them in the turn of `connect`: then they miss nothing. */
import type { Session } from '../session.js';
import { Presence } from './presence.js';
import { Rooms } from './rooms.js';

export type { PresenceState } from './presence.js';
export type { Member, Room, RoomEvents } from './room.js';
export type { Presence, Rooms };

export const rooms = (session: Session): Rooms => new Rooms(session);
export const presence = (session: Session): Presence => new Presence(session);
