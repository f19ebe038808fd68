/**
 * The sends without an outcome, and which of them the current connection was given. Each ends in exactly one outcome. Not
 * here: the connection.
 */
import { SwitchboardError } from './error.js';
import type { Command, Receipt, ReceiptStatus, WelcomeLimits } from './generated/frames.js';

/** The most sends without an outcome. */
const MAX_MESSAGES = 512;
/** Their size together, in bytes. */
const MAX_BYTES = 1 << 20;

/** The outcome of a send that arrived, or that went to a room. */
export type Delivered = Receipt & { status: Exclude<ReceiptStatus, 'queued'> };

/** The answer to a request: a receipt, the frame that carries its `id`, or why there is none. */
export type Answer = { id?: number } | SwitchboardError;

interface Pending {
  text: string;
  bytes: number;
  /** The newest connection that was given it. With one, it may have arrived. */
  link?: object;
  settle(outcome: Answer): void;
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

  /** Adds a frame, which gets an `id`. */
  add<Frame>(frame: Command, onQueued?: () => void): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const id = this.#lastId + 1;
      const text = JSON.stringify({ ...frame, id });
      const bytes = new TextEncoder().encode(text).length;
      if (this.#pending.size >= MAX_MESSAGES || this.#bytes + bytes > MAX_BYTES) {
        throw new SwitchboardError('queue-full', `${this.#pending.size} sends have no outcome yet`);
      }
      const settle = (outcome: Answer) => (outcome instanceof Error ? reject(outcome) : resolve(outcome as Frame));
      this.#insert(id, { text, bytes, settle, onQueued });
    });
  }

  #insert(id: number, send: Pending): void {
    this.#lastId = id;
    this.#bytes += send.bytes;
    this.#pending.set(id, send);
  }

  /** Transmits what the connection was not given, as far as the node reads it. */
  flush(link: { send(text: string): void }, { message_bytes, pending_messages, pending_bytes }: WelcomeLimits): void {
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

  /** Returns false for a frame without an `id`, and if the send has its outcome already. */
  settle(id: number | undefined, outcome: Answer): boolean {
    const send = this.#pending.get(id as number);
    if (!send) return false;
    this.#pending.delete(id as number);
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
  restore(lastId: number, sends: [number, string][], settled: (id: number, outcome: Answer) => void): void {
    for (const [id, text] of sends) this.#insert(id, { text, bytes: text.length, link: this, settle: (outcome) => settled(id, outcome) });
    this.#lastId = Math.max(this.#lastId, lastId);
  }
}
