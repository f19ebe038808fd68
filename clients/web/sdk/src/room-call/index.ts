/**
 * Calls of small groups. They need a session, its calls, and a room of which this peer is a member.
 *
 * @module
 */
export { RoomCall, type RoomCallEvents, type RoomCallOptions, roomCall } from './room_call.js';
