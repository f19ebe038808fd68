/**
 * The payloads of a call's messages, and the check of what arrives. The form is described for other clients in
 * `docs/call-payload.md`. Not here: what a call does with them.
 */
import type { MessageKind } from '../generated/frames.js';

const ID = /^[\w-]{1,64}$/;
const ROOM = /^[\w.~:@+=-]{1,128}$/;
const SCREEN = /^.{0,64}$/;
const REASON = /^[a-z-]{1,40}$/;
const CANDIDATE = /^.{0,2048}$/;
const SDP = /^v=0/;

/** What only one kind of message has. */
export interface Body {
  /** Of an offer: its number, from 1. Of an answer: the number of the offer that it answers. */
  n?: number;
  /** Of an offer or answer: the SDP (RFC 9429). */
  description?: { type: RTCSdpType; sdp: string };
  /** `null`: no more candidates follow. */
  candidate?: RTCIceCandidateInit | null;
  /** Of a `bye`: why the call ends. */
  reason?: string;
  media?: MediaState;
}

/** What a side says of its media. It changes no track: the application sets `track.enabled` itself. */
export interface MediaState {
  /** Whether the microphone is on. */
  audio: boolean;
  /** Whether the camera is on. */
  video: boolean;
  /** The id of the stream that shows a screen. The receiver's stream has the same id. */
  screen?: string;
}

/** The payload of one message of a call. */
export interface Payload extends Body {
  /** The call, the same on both sides. */
  call?: string;
  /** Instead of `call`: the room whose members are in a call. */
  room?: string;
  /** The sender's page: after a reload it is another one. */
  leg: string;
  /** The receiver's page, once the sender knows it. */
  to_leg?: string;
}

const isText = (value: unknown, form: RegExp): boolean => typeof value === 'string' && form.test(value);

/** Returns nothing for a payload of another form. */
export function readPayload(type: MessageKind, value: unknown): Payload | undefined {
  const { call, room, leg, to_leg, n, description, candidate, reason, media } = (value ?? {}) as Payload;
  const isWellFormed =
    (room === undefined ? isText(call, ID) : call === undefined && isText(room, ROOM)) &&
    isText(leg, ID) &&
    (to_leg === undefined || isText(to_leg, ID)) &&
    (type === 'candidate'
      ? candidate === null || isText(candidate?.candidate, CANDIDATE)
      : type === 'bye'
        ? isText(reason, REASON)
        : type === 'message'
          ? isText(media?.screen ?? '', SCREEN) && [media?.audio, media?.video].every((value) => typeof value === 'boolean')
          : Number.isInteger(n) && description?.type === type && isText(description.sdp, SDP));
  return isWellFormed ? (value as Payload) : undefined;
}

/** A new id, unguessable. `randomUUID` is missing in pages without TLS. */
export const newId = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-');
