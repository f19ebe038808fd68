/**
 * One connection of a session: its welcome, its frames in order, and whether the other end still answers. Not here: what
 * frames mean, and when to connect.
 */
import type { Command, Frame, Welcome } from './generated/frames.js';
import type { Connection, Request, Transport } from './transport.js';
import { readJson } from './json.js';
import { now, within } from './wait.js';

const WELCOME_WITHIN_MS = 10_000;
/** How long the answer to a ping may take. */
const PONG_WITHIN_MS = 7_000;
/** Fewer bytes that go in that time are no sign of life: a ping alone also goes into a dead network. */
const PROGRESS_BYTES = 1_000;
/** The shortest time between two pings, whatever the node's own heartbeat is. */
const MIN_HEARTBEAT_MS = 5_000;
/** After this time a connection is stable: the next backoff starts from the shortest wait. */
const STABLE_AFTER_MS = 1_000;

/** How a connection ended; 1006 without a close frame. */
export interface Close {
  /** A close code of the protocol or of RFC 6455, section 7.4, or the HTTP status of a refusal. */
  code: number;
  /** For people. */
  reason: string;
}

export class Link {
  /** The first frame, or an error without one in time. */
  readonly welcomed: Promise<Welcome>;
  /** When the other end closed or fell silent. Not after our own close. */
  readonly ended: Promise<Close>;
  readonly #openedAt = now();
  /** Frames after the welcome, until `start`. The node bounds them: it waits for acknowledgements. */
  readonly #held: Frame[] = [];
  #onFrame: ((frame: Frame) => void) | undefined;
  #connection: Connection | undefined;
  #end!: (close: Close) => void;
  #reject!: (error: Error) => void;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #probe: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: Transport, request: Request) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    const welcome = new Promise<Welcome>((resolve, reject) => {
      this.#reject = reject;
      this.#connection = transport(request, {
        frame: (text) => {
          clearTimeout(this.#probe);
          this.#probe = undefined;
          // An unreadable frame belongs to a newer protocol. It is ignored, like an unknown field.
          const frame = readJson(text);
          if (!frame?.type) return;
          if (this.#onFrame) this.#onFrame(frame);
          else if (frame.type === 'welcome') resolve(frame);
          else this.#held.push(frame);
        },
        close: (code, reason) => {
          this.#stop();
          reason ||= 'connection lost';
          this.#end({ code, reason });
          reject(new Error(reason));
        },
      });
    });
    this.welcomed = within(WELCOME_WITHIN_MS, welcome, 'welcome').catch((error) => {
      this.close();
      throw error;
    });
  }

  get isStable(): boolean {
    return now() - this.#openedAt > STABLE_AFTER_MS;
  }

  /** Passes the held frames on, then each as it comes. Scripts cannot see the node's pings, so it also starts its own. */
  start(heartbeatMs: number, onFrame: (frame: Frame) => void): void {
    this.#onFrame = onFrame;
    for (const frame of this.#held.splice(0)) onFrame(frame);
    this.#heartbeat = setInterval(() => this.probe(), Math.max(heartbeatMs, MIN_HEARTBEAT_MS));
  }

  send(frame: Command | string): void {
    this.#connection?.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends a ping. The connection is lost if no frame comes in time, and no bytes go either: the ping may wait behind them. */
  probe(): void {
    if (this.#probe || !this.#connection) return;
    this.send({ type: 'ping' });
    this.#expectFrame();
  }

  #expectFrame(): void {
    const connection = this.#connection as Connection;
    const before = connection.waiting();
    this.#probe = setTimeout(() => {
      if (connection.waiting() < before - PROGRESS_BYTES) return this.#expectFrame();
      this.close();
      this.#end({ code: 1006, reason: 'no answer to a ping' });
    }, PONG_WITHIN_MS);
  }

  /** Without a code the session can be resumed. */
  close(code?: number): void {
    this.#stop();
    this.#reject(new Error('closed'));
    this.#connection?.close(code);
    this.#connection = undefined;
  }

  #stop(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#probe);
  }
}
