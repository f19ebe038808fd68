/** The package's first entry: a session with a signaling cluster. Calls are the second one, `./call`. */
export { SwitchboardError } from './error.js';
export type * from './frames.js';
export type { Close } from './link.js';
export type { Delivered } from './outbox.js';
export { connect, type ConnectOptions, type SendOptions, type Session, type SessionEvents, type State } from './session.js';
export type { SnapshotStorage } from './snapshot.js';
export type { Connection, Listener, Request, Transport } from './transport.js';
export { webSocket, type WebSocketLike } from './websocket.js';
