/**
 * The sends without an outcome, and which of them the current connection was given. Each ends in exactly one outcome. Not
 * here: the connection.
 */
import { SwitchboardError } from './error.js';
import type { Kind, Limits } from './frames.js';

/** The most sends without an outcome. */
const MAX_MESSAGES = 512;
/** Their size together, in bytes. */
const MAX_BYTES = 1 << 20;
const NAME = /^[\w.~:@+=-]{1,128}$/;

/** The outcome of a send that arrived. */
export interface Delivered {
  id: number;
  status: 'delivered';
}

interface Pending {
  text: string;
  bytes: number;
  /** The newest connection that was given it. With one, it may have arrived. */
  link?: object;
  settle(outcome: Delivered | SwitchboardError): void;
  onQueued?: (() => void) | undefined;
}

export class Outbox {
  /** In the order of their ids. */
  readonly #pending = new Map<number, Pending>();
  #bytes = 0;
  #lastId = 0;
  #onDrained: (() => void) | undefined;

  /** Resolves when every send has its outcome. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#pending.size) this.#onDrained = resolve;
      else resolve();
    });
  }

  add(type: Kind, to: string, payload: unknown, onQueued?: () => void): Promise<Delivered> {
    return new Promise((resolve, reject) => {
      if (!NAME.test(to)) throw new SwitchboardError('bad-id', `not a peer ID: ${to}`);
      const id = this.#lastId + 1;
      const text = JSON.stringify({ type, to, id, payload: payload ?? null });
      const bytes = new TextEncoder().encode(text).length;
      if (this.#pending.size >= MAX_MESSAGES || this.#bytes + bytes > MAX_BYTES) {
        throw new SwitchboardError('queue-full', `${this.#pending.size} sends have no outcome yet`);
      }
      const settle = (outcome: Delivered | SwitchboardError) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
      this.#insert(id, { text, bytes, settle, onQueued });
    });
  }

  #insert(id: number, send: Pending): void {
    this.#lastId = id;
    this.#bytes += send.bytes;
    this.#pending.set(id, send);
  }

  /** Transmits what the connection was not given, as far as the node reads it. */
  flush(link: { send(text: string): void }, { message_bytes, pending_messages, pending_bytes }: Limits): void {
    let open = 0;
    let openBytes = 0;
    for (const [id, send] of this.#pending) {
      if (send.bytes > message_bytes) {
        this.settle(id, new SwitchboardError('payload-too-large', `${send.bytes} bytes, ${message_bytes} allowed`));
        continue;
      }
      if (open && (open === pending_messages || openBytes + send.bytes > pending_bytes)) return;
      open++;
      openBytes += send.bytes;
      if (send.link === link) continue;
      send.link = link;
      link.send(send.text);
    }
  }

  queued(id: number): void {
    const send = this.#pending.get(id);
    send?.onQueued?.();
    if (send) send.onQueued = undefined;
  }

  /** Returns false if the send has its outcome already. */
  settle(id: number, outcome: Delivered | SwitchboardError): boolean {
    const send = this.#pending.get(id);
    if (!send) return false;
    this.#pending.delete(id);
    this.#bytes -= send.bytes;
    send.settle(outcome);
    if (!this.#pending.size) this.#onDrained?.();
    return true;
  }

  /** Fails the sends that a connection was given; with `unsent` all of them. */
  fail(error: SwitchboardError, unsent = false): void {
    for (const [id, { link }] of this.#pending) if (link || unsent) this.settle(id, error);
  }

  /** The highest id, and the frames of the sends as they are repeated. */
  snapshot(): [number, [number, string][]] {
    return [this.#lastId, [...this.#pending].map(([id, { text }]) => [id, text])];
  }

  /** Takes over the sends of a page that was left. Nobody waits for their promises, so `settled` gets the outcomes. */
  restore(lastId: number, sends: [number, string][], settled: (id: number, outcome: Delivered | SwitchboardError) => void): void {
    for (const [id, text] of sends) this.#insert(id, { text, bytes: text.length, link: this, settle: (outcome) => settled(id, outcome) });
    this.#lastId = Math.max(this.#lastId, lastId);
  }
}
