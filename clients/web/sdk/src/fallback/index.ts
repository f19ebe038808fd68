/**
 * Networks that let no WebSocket through: a connection then uses server-sent events, and where these do not arrive either,
 * long polling. What was loaded before stays as small as it was: the fallbacks are loaded when they are needed.
 *
 * @module
 */
import { askReady } from '../refusal.js';
import type { Connection, Listener, Request, Transport } from '../transport.js';
import { webSocket } from '../websocket.js';

/** How long a transport may take to bring its first frame. Together they stay within the session's own patience. */
const FIRST_FRAME_WITHIN_MS = 2_500;
/** How long the transport that worked is tried first. After that time the network may be another one. */
const REMEMBERED_MS = 10 * 60_000;
const ANSWER_WITHIN_MS = 1_000;

/** `events`: server-sent events. `polling`: long polling. */
export type TransportName = 'websocket' | 'events' | 'polling';

type Loader = [TransportName, () => Transport | Promise<Transport>];

/** How the transport is chosen. */
export interface FallbackOptions {
  /** The first transport, by default over the runtime's `WebSocket`. */
  websocket?: Transport;
  /** Called with the transport that brought the first frame of a connection. */
  onUse?: (name: TransportName) => void;
}

/** The newest name that worked, and until when it is tried first. A page that is loaded again begins anew. */
interface Choice {
  index: number;
  until: number;
}

/**
 * A transport that tries WebSocket, then server-sent events, then long polling, and keeps to what works for ten minutes.
 *
 * @example
 * ```ts
 * const session = connect({ url: 'https://signal.example', getToken, transport: withFallbacks({ onUse: console.log }) });
 * ```
 */
export function withFallbacks({ websocket = webSocket(), onUse }: FallbackOptions = {}): Transport {
  const transports: Loader[] = [
    ['websocket', () => websocket],
    ['events', async () => (await import('./events.js')).events],
    ['polling', async () => (await import('./polling.js')).polling],
  ];
  let choice: Choice = { index: 0, until: 0 };
  return (request, listener) => {
    const first = performance.now() < choice.until ? choice.index : 0;
    return new Attempt(request, listener, transports, first, (index) => {
      if (index !== choice.index || !choice.until) choice = { index, until: performance.now() + REMEMBERED_MS };
      onUse?.(transports[index]![0]);
    });
  };
}

/** One connection of the session: the transports in turn, until one brings a frame. */
class Attempt implements Connection {
  readonly #request: Request;
  readonly #listener: Listener;
  readonly #transports: Loader[];
  readonly #used: (index: number) => void;
  #connection: Connection | undefined;
  #isClosed = false;

  constructor(request: Request, listener: Listener, transports: Loader[], first: number, used: (index: number) => void) {
    this.#request = request;
    this.#listener = listener;
    this.#transports = transports;
    this.#used = used;
    void this.#run(first);
  }

  async #run(first: number): Promise<void> {
    const order = new Set([first, ...this.#transports.keys()]);
    let end: [number, string] = [1006, ''];
    for (const index of order) {
      const failed = await this.#open(index);
      if (!failed || this.#isClosed) return;
      end = failed;
      // A node that is away, or refuses, does so on every transport.
      if (!(await askReady(this.#request, ANSWER_WITHIN_MS).then(({ ok }) => ok, () => false))) break;
    }
    if (!this.#isClosed) this.#listener.close(...end);
  }

  /** Resolves with nothing once a frame came, or with the close of a transport that brought none. */
  async #open(index: number): Promise<[number, string] | undefined> {
    const transport = await this.#transports[index]![1]();
    if (this.#isClosed) return undefined;
    return new Promise((resolve) => {
      let isOpen = false;
      let connection: Connection | undefined;
      const giveUp = setTimeout(() => {
        connection?.close();
        resolve([1006, 'no frame in time']);
      }, FIRST_FRAME_WITHIN_MS);
      const opened = () => {
        isOpen = true;
        clearTimeout(giveUp);
        this.#used(index);
        resolve(undefined);
      };
      try {
        this.#connection = connection = transport(this.#request, {
          frame: (text) => {
            if (!isOpen) opened();
            this.#listener.frame(text);
          },
          close: (code, reason) => {
            clearTimeout(giveUp);
            if (isOpen) this.#listener.close(code, reason);
            else resolve([code, reason]);
          },
        });
      } catch (error) {
        clearTimeout(giveUp);
        resolve([1006, (error as Error).message]);
      }
    });
  }

  send(text: string): void {
    this.#connection?.send(text);
  }

  waiting(): number {
    return this.#connection?.waiting() ?? 0;
  }

  close(code?: number): void {
    this.#isClosed = true;
    this.#connection?.close(code);
  }
}
