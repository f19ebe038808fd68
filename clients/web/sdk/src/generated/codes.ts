/** The error codes and close codes of the wire protocol, version 1. Generated from `docs/asyncapi.json` by `npm run generate`. */

/**
 * Why a command or a send failed. It is final for its `id`.
 * - `bad-frame`: The frame is not one JSON object of the expected form.
 * - `unknown-type`: This node does not serve a command of that type.
 * - `bad-id`: A peer, tenant or room name is not 1 to 128 characters of the allowed set.
 * - `missing-field`: A field that the command needs is missing.
 * - `payload-too-large`: The message is over the limit in bytes that `welcome` states.
 * - `not-allowed`: The token does not allow this.
 * - `peer-offline`: No such peer is connected or resumable.
 * - `expired`: The receiver did not return within its resume window, or did not connect while the message was held.
 * - `timeout`: Nobody confirmed the message before its deadline; it may or may not have arrived.
 * - `queue-full`: The receiver's queue stayed full until the deadline.
 * - `rate-limited`: Too many commands; wait for `retry_after_ms`.
 * - `bus-unavailable`: The receiver may be on another node, and nodes cannot reach each other now.
 * - `not-in-room`: The peer is not a member of that room.
 * - `room-full`: The room has reached its limit of members.
 * - `token-invalid`: The token was refused.
 * - `internal`: The node failed; the cause is in its log.
 */
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

/**
 * Why a node closed a connection (RFC 6455, section 7.4).
 * - `1000`: closed normally
 * - `1001`: the page was left
 * - `1003`: binary frames are not part of this protocol; send JSON text
 * - `1007`: a text frame was not valid UTF-8
 * - `1009`: a message was far over the limit that welcome states
 * - `1012`: this node restarts; connect again
 * - `1013`: this node cannot serve you now; retry_after_ms=2000
 * - `4400`: ten bad frames in a row
 * - `4401`: the token expired or was revoked; get a new one
 * - `4403`: removed by the backend
 * - `4408`: no sign of life within two heartbeats
 * - `4409`: replaced by a newer connection of the same peer
 * - `4429`: over the rate limit again and again; retry_after_ms=5000
 * - `4508`: too slow: the outgoing queue made no progress
 */
export type CloseCode = 1000 | 1001 | 1003 | 1007 | 1009 | 1012 | 1013 | 4400 | 4401 | 4403 | 4408 | 4409 | 4429 | 4508;

/** Closes after which a session ends. */
export const STOP_CODES = [1000, 1001, 1003, 1007, 1009, 4400, 4403, 4409];

/** Closes after which a client connects at once. After every other close it waits. */
export const AT_ONCE_CODES = [1012, 4401];
