/**
 * The payloads of a call's messages, and the check of what arrives. The form is described for other clients in
 * `docs/call-payload.md`. Not here: what a call does with them.
 */
import type { Kind } from '../frames.js';

const ID = /^[\w-]{1,64}$/;
const REASON = /^[a-z-]{1,40}$/;
/** The longest candidate, in characters. */
const MAX_CANDIDATE_CHARS = 2048;

/** What only one kind of message has. */
export interface Body {
  /** Of an offer: its number, from 1. Of an answer: the number of the offer that it answers. */
  n?: number;
  description?: { type: RTCSdpType; sdp: string };
  /** `null`: no more candidates follow. */
  candidate?: RTCIceCandidateInit | null;
  reason?: string;
}

export interface Payload extends Body {
  /** The call, the same on both sides. */
  call: string;
  /** The sender's page: after a reload it is another one. */
  leg: string;
  /** The receiver's page, once the sender knows it. */
  to_leg?: string;
}

/** Returns nothing for a payload of another form. */
export function readPayload(type: Kind, value: unknown): Payload | undefined {
  const payload = value as Payload | null;
  if (!ID.test(String(payload?.call)) || !ID.test(String(payload?.leg))) return undefined;
  const { n, description, candidate, reason } = payload as Payload;
  const isWellFormed =
    type === 'candidate'
      ? candidate === null || String(candidate?.candidate ?? '-'.repeat(MAX_CANDIDATE_CHARS + 1)).length <= MAX_CANDIDATE_CHARS
      : type === 'bye'
        ? REASON.test(String(reason))
        : Number.isInteger(n) && description?.type === type && typeof description.sdp === 'string';
  return isWellFormed ? (payload as Payload) : undefined;
}

/** A new id, unguessable. `randomUUID` is missing in pages without TLS. */
export const newId = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-');
