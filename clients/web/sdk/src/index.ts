/**
 * The package's first entry: a session with a signaling cluster. Rooms, fallbacks and calls have entries of their own.
 *
 * @module
 */
export { SwitchboardError } from './error.js';
export type { CloseCode, ErrorCode } from './generated/codes.js';
export type * from './generated/frames.js';
export type { Close } from './link.js';
export type { Answer, Delivered } from './outbox.js';
export { connect, type ConnectOptions, type SendOptions, type Session, type SessionEvents, type State } from './session.js';
export type { SnapshotStorage } from './snapshot.js';
export type { Connection, Listener, Request, Transport } from './transport.js';
export { webSocket, type WebSocketLike } from './websocket.js';
