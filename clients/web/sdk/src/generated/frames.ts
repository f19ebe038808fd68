/** The frames of the wire protocol, version 1. Generated from `docs/asyncapi.json` by `npm run generate`. Not here: what a session does with a frame. */
import type { ErrorCode } from './codes.js';

/** A message of another peer. */
export interface Message {
  /** Its kind. */
  type: MessageKind;
  /** The sender's peer ID. */
  from: string;
  /** The message's name for ever: `<sender's session>/<id>`, the same in each repetition. */
  mid: string;
  /** Its number in this session, from 1. */
  seq: number;
  /** The payload as the sender wrote it: any JSON value. */
  payload: unknown;
  /** The room that the message was sent to. Absent for a message to this peer. */
  room?: string;
}

/** The first frame of a connection: the session is attached and receives messages. */
export interface Welcome {
  type: 'welcome';
  /** The client's peer ID. */
  peer: PeerId;
  /** The client's tenant. */
  tenant: TenantId;
  /** The session's public id. */
  session: string;
  /** The session's node. */
  node: NodeId;
  /** Whether an earlier session continues. */
  resumed: boolean;
  /** Whether messages of the earlier session may be missing. */
  gap: boolean;
  /** The secret that resumes this session; empty if sessions cannot be resumed. */
  resume_token: string;
  /** How long a detached session lasts, in milliseconds; 0 if sessions cannot be resumed. */
  resume_window_ms: number;
  /** How often the node sends a WebSocket ping, in milliseconds. */
  heartbeat_ms: number;
  /** When the token ends, in seconds since the Unix epoch. */
  token_expires_at: number;
  /** The node's bounds for this client. */
  limits: WelcomeLimits;
  /** As in `RTCConfiguration.iceServers`. */
  ice_servers: IceServer[];
  /**
   * When the credentials in `ice_servers` end, in seconds since the Unix epoch; 0 without credentials. An `ice` with
   * new ones comes before.
   */
  expires_at: number;
}

/** The status of a send with an `id`. */
export interface Receipt {
  type: 'receipt';
  /** The send's `id`. */
  id: number;
  /** `delivered` and `published` are final, `queued` is not. */
  status: ReceiptStatus;
}

/** A command failed; final for its `id`. */
export interface Failure {
  type: 'error';
  /** The reason for programs. */
  code: ErrorCode;
  /** The reason for people. */
  message: string;
  /** The command's `id`, if it was readable. */
  id?: number;
  /** Milliseconds to wait before trying again. */
  retry_after_ms?: number;
}

/** The answer to `leave`. It also comes unasked, with a reason, when the node ended the membership. */
export interface Left {
  type: 'left';
  /** The room. */
  room: RoomId;
  /** The command's `id`. */
  id?: number;
  /** Why the node ended the membership. Absent in an answer. */
  reason?: LeaveReason;
}

/** Another peer left a room of this client. */
export interface PeerLeft {
  type: 'peer-left';
  /** The room. */
  room: RoomId;
  /** The version of the roster without the peer. */
  version: number;
  /** The peer. */
  peer: PeerId;
  /** Why. */
  reason: LeaveReason;
}

/** The number of members of a large room changed. It comes at most once a second. */
export interface RoomCount {
  type: 'room-count';
  /** The room. */
  room: RoomId;
  /** The number of members. */
  count: number;
}

/** The answer to `lookup`, `watch` and `unwatch`. For a watched peer it also comes unasked at each change. */
export interface Presence {
  type: 'presence';
  /** The peers and their states. */
  peers: PeerPresence[];
  /** The command's `id`. */
  id?: number;
}

/** The answer to `ice`. It also comes unasked, without an `id`, before the credentials end. */
export interface Ice {
  type: 'ice';
  /** As in `RTCConfiguration.iceServers`. */
  ice_servers: IceServer[];
  /** When the credentials end, in seconds since the Unix epoch; 0 without credentials. */
  expires_at: number;
  /** The command's `id`. */
  id?: number;
}

/** The token ends within 60 s; send `renew`. */
export interface Expiring {
  type: 'expiring';
  /** Seconds since the Unix epoch. */
  expires_at: number;
}

/** The answer to `renew`. */
export interface Renewed {
  type: 'renewed';
  /** Seconds since the Unix epoch. */
  token_expires_at: number;
  /** The command's `id`. */
  id?: number;
}

/** Asks the client to open a new connection. */
export interface Goaway {
  type: 'goaway';
  /** Why. */
  reason: GoawayReason;
  /** Milliseconds to wait before connecting again. */
  reconnect_after_ms: number;
}

/** The answer to `ping`. */
export interface Pong {
  type: 'pong';
  /** The node's clock, in milliseconds since the Unix epoch. */
  time_ms: number;
  /** The command's `id`. */
  id?: number;
}

/** The answer to `join`. It also comes unasked, without an `id`, when a client must replace its roster. */
export interface Joined {
  type: 'joined';
  /** The room. */
  room: RoomId;
  /** The version of the roster. Changes with a higher version follow. */
  version: number;
  /** How many members the room has. */
  count: number;
  /** Whether messages to the room may be missing since the last event of the room. */
  gap?: boolean;
  /** The command's `id`. */
  id?: number;
  /** All members, with this client. Absent in a large room. */
  members?: Member[];
}

/** Another peer became a member. */
export interface PeerJoined {
  type: 'peer-joined';
  /** The room. */
  room: RoomId;
  /** The version of the roster with the new member. */
  version: number;
  /** The new member. */
  peer: PeerId;
  /** What the member shows of itself. */
  info?: Record<string, unknown>;
}

/** Every frame of a node. */
export type Frame =
  | Message
  | Welcome
  | Receipt
  | Failure
  | Left
  | PeerLeft
  | RoomCount
  | Presence
  | Ice
  | Expiring
  | Renewed
  | Goaway
  | Pong
  | Joined
  | PeerJoined;

/** A message for another peer, or for the members of a room. */
export type SendCommand = SendTarget & {
  /** The kind of message. */
  type: MessageKind;
  /** Any JSON value, as the bytes in the frame. */
  payload: unknown;
  /** How long the message may wait for a peer that is offline, in milliseconds; not at all if absent. */
  hold_ms?: number | undefined;
  /** With an id the send ends in an outcome. Without one it is fire and forget. */
  id?: number | undefined;
};

/** `join`: become a member of a room. */
export interface JoinCommand {
  type: 'join';
  /** The room's name, not yet checked. */
  room: RoomId;
  /** Echoed in the answer. */
  id?: number | undefined;
  /** What the client shows of itself: a JSON object of at most 1,024 bytes. */
  info?: object | undefined;
}

/** `leave`: stop being a member of a room. */
export interface LeaveCommand {
  type: 'leave';
  /** The room's name, not yet checked. */
  room: RoomId;
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** `lookup`: request the presence of peers, once. */
export interface LookupCommand {
  type: 'lookup';
  /** At most 100 peer IDs, not yet checked. */
  peers: PeerId[];
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** `watch`: request the presence of peers, now and at each change. */
export interface WatchCommand {
  type: 'watch';
  /** At most 100 peer IDs, not yet checked. */
  peers: PeerId[];
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** `unwatch`: the end of a `watch`. */
export interface UnwatchCommand {
  type: 'unwatch';
  /** At most 100 peer IDs, not yet checked. */
  peers: PeerId[];
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** `ice`: request ICE servers with fresh credentials. */
export interface IceCommand {
  type: 'ice';
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** `renew`: a newer token for this connection. */
export interface RenewCommand {
  type: 'renew';
  /** The JWT; never logged. */
  token: string;
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** `ack`: the client has processed everything up to `seq`. */
export interface AckCommand {
  type: 'ack';
  /** The last event's number. */
  seq: number;
  /** The client refuses `seq` itself, because it has a later message of the same sender. */
  late?: boolean | undefined;
}

/** `ping`: request the node's clock. */
export interface PingCommand {
  type: 'ping';
  /** Echoed in the answer. */
  id?: number | undefined;
}

/** Every command of a client. */
export type Command =
  | SendCommand
  | JoinCommand
  | LeaveCommand
  | LookupCommand
  | WatchCommand
  | UnwatchCommand
  | IceCommand
  | RenewCommand
  | AckCommand
  | PingCommand;

/** The kind of a forwarded message: its `type` on the wire. */
export type MessageKind = 'offer' | 'answer' | 'candidate' | 'bye' | 'message';

/** A peer's name within its tenant: the `sub` of its token. */
export type PeerId = string;

/** A tenant's name. Peers of different tenants cannot see or reach each other. */
export type TenantId = string;

/** A signaling node's name, unique in the cluster. */
export type NodeId = string;

/** The node's bounds for one client. A member that an older node does not send is 0. */
export interface WelcomeLimits {
  /** The largest frame of the client, in bytes. */
  message_bytes: number;
  /** Sends of one connection that may have no outcome yet. Over it the node stops reading until one has its outcome. */
  pending_messages: number;
  /** Payload bytes of those sends. */
  pending_bytes: number;
  /** Commands per second of one connection in the long run, without acknowledgements and pings. */
  messages_per_second: number;
  /** Commands of one connection at once, without acknowledgements and pings. */
  message_burst: number;
  /** How long a send may wait for its outcome, in milliseconds, without the time in an offline queue. */
  send_deadline_ms: number;
  /** The longest `hold_ms` of a send, in milliseconds; a longer one counts as this. 0: the node holds nothing. */
  hold_ms: number;
  /** Rooms that the session may be in at once; 0: no bound. */
  rooms_per_peer: number;
  /** Peers that the peer may watch at once; 0: no bound. */
  watched_per_peer: number;
}

/** One entry of `RTCConfiguration.iceServers` (W3C WebRTC, section 4.2.2). */
export interface IceServer {
  /** `stun:` or `turn:` URLs. */
  urls: string[];
  /** For TURN: base64 of HMAC-SHA1 over the user name. */
  credential?: string;
  /** For TURN: `<unix expiry>:<peer>`. */
  username?: string;
}

/** The status of a send. */
export type ReceiptStatus = 'queued' | 'delivered' | 'published';

/** A room's name within its tenant. */
export type RoomId = string;

/** Why a member is none any more. */
export type LeaveReason = 'left' | 'lost' | 'kicked' | 'expired';

/** One peer's state, in the event `presence`. */
export interface PeerPresence {
  /** The peer. */
  peer: PeerId;
  /** Its state. */
  state: PresenceState;
}

/** Why a node asks its clients to move. */
export type GoawayReason = 'draining' | 'rebalancing';

/** One member of a room. */
export interface Member {
  /** The member's peer ID. */
  peer: PeerId;
  /** Whether the member is connected. */
  state: MemberState;
  /** What the member shows of itself: a JSON object of at most 1,024 bytes. */
  info?: Record<string, unknown>;
}

/** Who gets a message. The name is not yet checked. */
export type SendTarget = { to: PeerId } | { room: RoomId };

/** Whether a peer can be reached. */
export type PresenceState = 'online' | 'detached' | 'offline';

/** The state of a member. One that is offline is no member any more. */
export type MemberState = 'online' | 'detached';
