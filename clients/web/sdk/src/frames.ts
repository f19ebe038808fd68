/**
 * The frames of the wire protocol, version 1, as types. A test compares them with the tables of the protocol's page, so
 * they cannot drift. Not here: what a session does with a frame.
 */

/** What one peer sends to another. */
export type Kind = 'offer' | 'answer' | 'candidate' | 'bye' | 'message';

/** The reasons of a node, in `error` frames. */
export type ErrorCode =
  | 'bad-frame'
  | 'unknown-type'
  | 'bad-id'
  | 'missing-field'
  | 'payload-too-large'
  | 'not-allowed'
  | 'peer-offline'
  | 'expired'
  | 'timeout'
  | 'queue-full'
  | 'rate-limited'
  | 'bus-unavailable'
  | 'not-in-room'
  | 'room-full'
  | 'token-invalid'
  | 'internal';

/** A message of another peer. */
export interface Message {
  type: Kind;
  /** The sender's peer ID. */
  from: string;
  /** The room that it was sent to; absent for a message to this peer. */
  room?: string;
  /** The name of this message for ever. */
  mid: string;
  /** Its number in this session. */
  seq: number;
  /** As it was sent, any JSON value. */
  payload: unknown;
}

/** The first frame of a connection. */
export interface Welcome {
  type: 'welcome';
  peer: string;
  tenant: string;
  session: string;
  node: string;
  /** Whether the session before continues. */
  resumed: boolean;
  /** Whether messages of the session before may be missing. */
  gap: boolean;
  resume_token: string;
  resume_window_ms: number;
  heartbeat_ms: number;
  /** In seconds since the Unix epoch. */
  token_expires_at: number;
  limits: Limits;
  ice_servers: RTCIceServer[];
  /** When their credentials end, in seconds since the Unix epoch; 0 without credentials. */
  expires_at: number;
}

/** The node's bounds for this client. */
export interface Limits {
  message_bytes: number;
  pending_messages: number;
  pending_bytes: number;
  messages_per_second: number;
  message_burst: number;
  send_deadline_ms: number;
}

export interface Receipt {
  type: 'receipt';
  id: number;
  /** `queued` is not final: the receiver is detached, and the message waits for it. */
  status: 'queued' | 'delivered' | 'published';
}

export interface Failure {
  type: 'error';
  id?: number;
  code: ErrorCode;
  /** For people. */
  message: string;
  retry_after_ms?: number;
}

export interface Joined {
  type: 'joined';
  id?: number;
  room: string;
  version: number;
  count: number;
  /** Absent in a large room. */
  members?: Member[];
  /** Whether messages to the room may be missing. */
  gap?: boolean;
}

/** One member of a room. */
export interface Member {
  peer: string;
  /** What the member shows of itself. */
  info?: unknown;
  state: 'online' | 'detached';
}

export interface Left {
  type: 'left';
  id?: number;
  room: string;
  /** Only if the node ended the membership. */
  reason?: LeaveReason;
}

export type LeaveReason = 'left' | 'lost' | 'kicked' | 'expired';

export interface PeerJoined {
  type: 'peer-joined';
  room: string;
  version: number;
  peer: string;
  info?: unknown;
}

export interface PeerLeft {
  type: 'peer-left';
  room: string;
  version: number;
  peer: string;
  reason: LeaveReason;
}

/** Instead of the two frames above, in a large room. */
export interface RoomCount {
  type: 'room-count';
  room: string;
  count: number;
}

export interface Presence {
  type: 'presence';
  id?: number;
  peers: { peer: string; state: 'online' | 'detached' | 'offline' }[];
}

export interface Ice {
  type: 'ice';
  id?: number;
  ice_servers: RTCIceServer[];
  /** In seconds since the Unix epoch; 0 without credentials. */
  expires_at: number;
}

export interface Expiring {
  type: 'expiring';
  /** In seconds since the Unix epoch. */
  expires_at: number;
}

export interface Renewed {
  type: 'renewed';
  id?: number;
  /** In seconds since the Unix epoch. */
  token_expires_at: number;
}

export interface Goaway {
  type: 'goaway';
  reason: 'draining' | 'rebalancing';
  reconnect_after_ms: number;
}

export interface Pong {
  type: 'pong';
  id?: number;
  /** The node's clock, in milliseconds since the Unix epoch. */
  time_ms: number;
}

/** Every frame of a node. */
export type Frame =
  | Welcome
  | Message
  | Receipt
  | Failure
  | Joined
  | Left
  | PeerJoined
  | PeerLeft
  | RoomCount
  | Presence
  | Ice
  | Expiring
  | Renewed
  | Goaway
  | Pong;
