/**
 * The payloads of a call's messages, and the check of what arrives. The form is described for other clients in
 * `docs/call-payload.md`. Not here: what a call does with them.
 */
import type { Kind } from '../frames.js';

const ID = /^[\w-]{1,64}$/;
const REASON = /^[a-z-]{1,40}$/;
const CANDIDATE = /^.{0,2048}$/;
const SDP = /^v=0/;

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

const isText = (value: unknown, form: RegExp): boolean => typeof value === 'string' && form.test(value);

/** Returns nothing for a payload of another form. */
export function readPayload(type: Kind, value: unknown): Payload | undefined {
  const { call, leg, to_leg, n, description, candidate, reason } = (value ?? {}) as Payload;
  const isWellFormed =
    isText(call, ID) &&
    isText(leg, ID) &&
    (to_leg === undefined || isText(to_leg, ID)) &&
    (type === 'candidate'
      ? candidate === null || isText(candidate?.candidate, CANDIDATE)
      : type === 'bye'
        ? isText(reason, REASON)
        : Number.isInteger(n) && description?.type === type && isText(description.sdp, SDP));
  return isWellFormed ? (value as Payload) : undefined;
}

/** A new id, unguessable. `randomUUID` is missing in pages without TLS. */
export const newId = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-');
