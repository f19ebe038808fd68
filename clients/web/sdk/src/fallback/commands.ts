/** The commands of a connection that brings only events: they go by `POST /v1/messages`, one request after the other. */
import { readJson } from '../json.js';
import type { Request } from '../transport.js';

/** Commands in one request, at most; nodes take no more. */
const MAX_COMMANDS = 64;
/** Their size together, in characters, above which the next request has the rest. */
const MAX_CHARS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
/** How often commands are repeated that a node had no room for. */
const BUSY_TRIES = 5;
const BUSY_AGAIN_MS = 1_000;

/** Only acknowledges; the next one of its kind replaces it. */
const isAck = (text: string | undefined) => text?.startsWith('{"type":"ack"') && !text.includes('late');

export class Commands {
  readonly #base: string;
  readonly #fail: (reason: string) => void;
  #token: string;
  #place: URLSearchParams | undefined;
  #queue: string[] = [];
  #isBusy = false;

  /** `fail` is called when commands may be lost: the connection must end, and the session resumes. */
  constructor({ base, token }: Request, fail: (reason: string) => void) {
    this.#base = base;
    this.#token = token;
    this.#fail = fail;
  }

  /** Where the session is: its resume token, and its node. */
  get place(): URLSearchParams | undefined {
    return this.#place;
  }

  /** The newest token of the session. */
  get token(): string {
    return this.#token;
  }

  /** A `welcome` says where the session is. Returns whether this is one. */
  welcome(frame: { type?: string; resume_token?: string; node?: string } | undefined): boolean {
    if (frame?.type !== 'welcome') return false;
    this.#place = new URLSearchParams({ session: String(frame.resume_token), node: String(frame.node) });
    void this.#pump();
    return true;
  }

  send(text: string): void {
    if (isAck(text) && isAck(this.#queue.at(-1))) this.#queue.pop();
    this.#queue.push(text);
    void this.#pump();
  }

  waiting(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0);
  }

  /** The last command: what the end means for the session. It goes out also while the page is left. */
  async close(code: number): Promise<void> {
    const rest = [...this.#queue.splice(0, MAX_COMMANDS - 1), JSON.stringify({ type: 'close', code })];
    if (this.#place) await this.#post(rest, true).catch(() => {});
  }

  async #pump(): Promise<void> {
    if (this.#isBusy || !this.#place) return;
    this.#isBusy = true;
    try {
      while (this.#queue.length) {
        const batch = this.#take();
        for (let tries = 1; !(await this.#post(batch)); tries++) {
          if (tries === BUSY_TRIES) throw new Error('node has no room for commands');
          await new Promise((resolve) => setTimeout(resolve, BUSY_AGAIN_MS));
        }
        const renewal = batch.map((text) => (text.startsWith('{"type":"renew"') ? readJson(text) : undefined)).find(Boolean);
        this.#token = renewal?.token ?? this.#token;
      }
    } catch (error) {
      this.#fail((error as Error).message);
    }
    this.#isBusy = false;
  }

  #take(): string[] {
    let chars = 0;
    const over = this.#queue.findIndex((text, index) => index === MAX_COMMANDS || ((chars += text.length) > MAX_CHARS && index > 0));
    return this.#queue.splice(0, over < 0 ? this.#queue.length : over);
  }

  /** Returns whether the node took the commands; none of them if not. Throws where that is not known. */
  async #post(batch: string[], keepalive = false): Promise<boolean> {
    const answer = await fetch(`${this.#base}/v1/messages?${this.#place}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: `[${batch.join()}]`,
      keepalive,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.ok) return true;
    const { code } = (await answer.json().catch(() => ({}))) as { code?: string };
    if (code === 'busy') return false;
    throw new Error(code ?? `HTTP ${answer.status}`);
  }
}
