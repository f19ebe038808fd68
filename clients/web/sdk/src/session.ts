/**
 * A peer whose session outlives its connections: the client's side of the delivery contract. Each send ends in exactly one
 * outcome, and each message of another peer comes once and in order. Lost connections and failed nodes change neither.
 */
import { DuplicateFilter } from './duplicates.js';
import { Emitter } from './emitter.js';
import { SwitchboardError } from './error.js';
import type {
  Command, Frame, Ice, Joined, Left, Message, MessageKind, PeerJoined, PeerLeft, Pong, Presence, Renewed, RoomCount, Welcome,
} from './generated/frames.js';
import { readJson } from './json.js';
import { type Close, Link } from './link.js';
import { type Answer, type Delivered, Outbox } from './outbox.js';
import { watchPage } from './page.js';
import { whyRefused } from './refusal.js';
import { save, type SnapshotStorage, storageOf, take } from './snapshot.js';
import { baseOf, type Request, type Transport } from './transport.js';
import { backoffMs, now, within } from './wait.js';
import { AT_ONCE_CODES, STOP_CODES } from './generated/codes.js';
import { webSocket } from './websocket.js';

const TOKEN_WITHIN_MS = 30_000;
/** How long the old connection is read after the new one has its welcome. A healthy node closes it earlier. */
const OLD_CONNECTION_WITHIN_MS = 1_000;
/** How long a node may still act on an attempt that got no answer. */
const UNANSWERED_WINDOW_MS = 60_000;
/** How long `close` waits for outcomes. */
const CLOSE_WITHIN_MS = 2_000;
const RENEW_TRIES = 4;
const RENEW_AGAIN_MS = 5_000;

/** `reconnecting`: there is no connection, and the session tries to resume. `closed` is final. */
export type State = 'connecting' | 'connected' | 'reconnecting' | 'closed';

/** How a session connects. */
export interface ConnectOptions {
  /** `https://host` or `wss://host/v1/ws`. Several are tried in turn. */
  url: string | URL | (string | URL)[];
  /** What the session tells of itself at each connection. `region`: where it is, for TURN servers that are near (docs/ice.md). */
  query?: { region?: string };
  /** Returns a token of your backend. Called before each attempt, and when the token of a connection ends soon. */
  getToken: () => string | Promise<string>;
  /** WebSocket by default. */
  transport?: Transport;
  /** Where a session waits during a reload: the tab's `sessionStorage` by default, `null` for nowhere. */
  storage?: SnapshotStorage | null;
  /** The snapshot's name, for a page with several sessions. */
  storageKey?: string;
}

/** How a message is sent. */
export interface SendOptions {
  /** `message` by default. */
  kind?: MessageKind;
  /** The receiver is away and the message waits for it. The outcome follows. */
  onQueued?: () => void;
  /** How long the message may wait for a receiver that is offline, in milliseconds; at most `welcome.limits.hold_ms`. */
  holdMs?: number;
}

/** The events of a session, each with what its handlers get. */
export interface SessionEvents {
  /** The state changed; `why` is for people. */
  state: { state: State; why: string };
  /** A new connection. With `gap`, messages may be missing. */
  welcome: Welcome;
  /** Each message once. It counts as processed when the handlers return. */
  message: Message;
  /** The outcome of a send of the page before a reload. */
  outcome: { id: number; outcome: Answer };
  /** The roster of a room; the entry `./rooms` keeps it. */
  joined: Joined;
  /** This peer is no member of a room any more. */
  left: Left;
  /** Another peer became a member of a room, or shows another `info`. */
  'peer-joined': PeerJoined;
  /** Another peer left a room. */
  'peer-left': PeerLeft;
  /** How many members a large room has. */
  'room-count': RoomCount;
  /** The states of peers. */
  presence: Presence;
  /** New ICE servers: the answer to `refreshIce`, and before the credentials end. `welcome` has them too. */
  ice: Ice;
  /** The node took a new token. */
  renewed: Renewed;
  /** The answer of the node to a ping of the application. */
  pong: Pong;
  /** Why a node refused an attempt. */
  refused: SwitchboardError;
  /** An error that belongs to no send. */
  error: SwitchboardError;
  /** The session ended: a close code, or the status of a refusal. Nothing follows. */
  closed: Close;
}

/** A peer's session. It connects by itself, and outlives its connections. Made by `connect`. */
export class Session extends Emitter<SessionEvents> {
  readonly #options: ConnectOptions;
  readonly #bases: string[];
  readonly #transport: Transport;
  readonly #storage: SnapshotStorage | undefined;
  readonly #key: string;
  readonly #outbox = new Outbox();
  readonly #filter = new DuplicateFilter();
  readonly #unwatch = watchPage({
    wake: () => {
      if (this.#link) this.#link.probe();
      else if (navigator.onLine !== false) void this.#attempt();
    },
    hide: (mayReturn) => {
      this.#saved = save(this.#storage, this.#key, [this.#resume, this.#seen, this.#filter.snapshot(), ...this.#outbox.snapshot()]);
      if (!mayReturn) return; // the browser closes with 1001, and the node keeps the session a while
      // A page with an open connection does not get into the cache.
      this.#isHidden = true;
      this.#disconnect();
    },
    show: () => {
      this.#isHidden = false;
      const text = take(this.#storage, this.#key);
      if (text !== this.#saved) {
        // Another page of this tab continued the session and left it. What that page left continues here.
        this.#outbox.fail(sessionLost(), true);
        this.#restore(text);
      }
      this.#setState('reconnecting', 'page is back');
      void this.#attempt();
    },
  });
  #state: State = 'connecting';
  #welcome: Welcome | undefined;
  #link: Link | undefined;
  /** The next connection, without a welcome. */
  #opening: Link | undefined;
  #attempting = false;
  /** Whether the node that asked for a move would keep this client. */
  #mayStay = false;
  #isClosing = false;
  #isHidden = false;
  #saved: string | undefined;
  #resume = '';
  #seen = 0;
  #tries = 0;
  #failures = 0;
  #tokensRefused = 0;
  /** Until then a node may replace this session's connection because of an attempt without an answer. */
  #doubtUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectOptions) {
    super();
    this.#options = options;
    this.#bases = [options.url].flat().map(baseOf);
    this.#transport = options.transport ?? webSocket();
    this.#storage = storageOf(options.storage);
    this.#key = `switchboard1:${options.storageKey ?? this.#bases[0]}`;
    this.#restore(take(this.#storage, this.#key));
    void this.#attempt();
  }

  /** What the session does now. */
  get state(): State {
    return this.#state;
  }

  /** The newest welcome: this peer's ID, its node, its limits, and the newest ICE servers. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /** Resolves with the newest welcome when there is a connection. Rejects with `closed` when the session ends. */
  async connected(): Promise<Welcome> {
    while (!this.#link) {
      if (this.#isOver) throw new SwitchboardError('closed', 'session is closed');
      await this.once('state');
    }
    return this.#welcome as Welcome;
  }

  /**
   * Sends a payload to a peer, or to a room of which this peer is a member. The promise settles with the outcome: delivered,
   * published, or a `SwitchboardError`. An outcome that nobody waits for is no unhandled rejection.
   *
   * @param payload Any JSON value. The frame has at most `welcome.limits.message_bytes`, else `payload-too-large`.
   * @throws {@link SwitchboardError} with an {@link ErrorCode}, or `closed`. After `timeout` the message may have arrived.
   *
   * @example
   * ```ts
   * try {
   *   await session.send('bob', { text: 'hello' }, { holdMs: 30_000 });
   * } catch (error) {
   *   if (error instanceof SwitchboardError && error.code === 'expired') console.log('bob did not come');
   * }
   * ```
   */
  send(to: string | { room: string }, payload: unknown, { kind = 'message', onQueued, holdMs }: SendOptions = {}): Promise<Delivered> {
    return this.request({ type: kind, ...(typeof to === 'string' ? { to } : to), hold_ms: holdMs, payload: payload ?? null }, onQueued);
  }

  /**
   * Sends any command of the protocol, and repeats it after a lost connection. Resolves with its answer, or rejects as `send`
   * does. `Frame` is the type of the answer: `Joined` for `join`.
   */
  request<Frame>(command: Command, onQueued?: () => void): Promise<Frame> {
    const outcome = this.#isClosing
      ? Promise.reject(new SwitchboardError('closed', 'session is closed'))
      : this.#outbox.add<Frame>(command, onQueued);
    outcome.catch(() => {});
    this.#flush();
    return outcome;
  }

  /** Asks the node for new ICE servers; an `ice` event follows. */
  refreshIce(): void {
    this.#link?.send({ type: 'ice' });
  }

  /** Waits up to 2 s for the outcomes of the sends, then ends the session. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await within(CLOSE_WITHIN_MS, this.#outbox.drained(), 'outcome').catch(() => {});
    this.#end({ code: 1000, reason: 'closed' });
  }

  // Connecting.

  async #attempt(): Promise<void> {
    if (this.#attempting || this.#isHidden || this.#isOver) return;
    this.#attempting = true;
    clearTimeout(this.#timer);
    const base = this.#bases[this.#tries++ % this.#bases.length] as string;
    let request: Request | undefined;
    try {
      const token = await this.#token();
      if (this.#isOver) return;
      const seen = this.#seen;
      // `seen` is a number, which becomes text here.
      const query = new URLSearchParams({ acks: 'client', ...this.#options.query, ...(this.#resume && { resume: this.#resume, seen: seen as never }) });
      request = { base, token, query };
      const link = (this.#opening = new Link(this.#transport, request));
      const welcome = await link.welcomed;
      // The old connection's messages precede those of the new one.
      if (this.#link) await within(OLD_CONNECTION_WITHIN_MS, this.#link.ended, 'close').catch(() => {});
      if (this.#opening !== link) throw new Error('closed');
      this.#adopt(link, welcome, seen);
    } catch (error) {
      const waitMs = await this.#failed(error as Error, request);
      this.#attempting = false;
      if (waitMs !== undefined) this.#retry(waitMs);
    }
  }

  get #isOver(): boolean {
    return this.#state === 'closed';
  }

  #token(): Promise<string> {
    return within(TOKEN_WITHIN_MS, (async () => this.#options.getToken())(), 'token');
  }

  #adopt(link: Link, welcome: Welcome, seen: number): void {
    this.#link?.close(1000);
    this.#opening = undefined;
    this.#attempting = false;
    this.#link = link;
    this.#tokensRefused = 0;
    this.#welcome = welcome;
    this.#resume = welcome.resume_token;
    this.#seen = welcome.resumed ? seen : 0;
    if (!welcome.resumed) this.#outbox.fail(sessionLost());
    this.#setState('connected', welcome.node);
    this.emit('welcome', welcome);
    this.#flush();
    link.start(welcome.heartbeat_ms, (frame) => this.#onFrame(link, frame));
    void link.ended.then((close) => {
      if (link === this.#link) this.#lost(close);
    });
  }

  #lost(close: Close): void {
    if (this.#link?.isStable) this.#failures = 0;
    this.#link = undefined;
    const { code, reason } = close;
    // This session itself may have caused 1000 and 4409, by an attempt to move or by one that was never answered.
    const isOwn = code === 1000 || code === 4409;
    // The next connection is already being opened. The loss shows only if that fails.
    if (this.#attempting && (isOwn || !STOP_CODES.includes(code))) return;
    if (STOP_CODES.includes(code) && !(isOwn && now() < this.#doubtUntil)) this.#end(close);
    else {
      this.#doubtUntil = 0;
      this.#setState('reconnecting', reason);
      if (AT_ONCE_CODES.includes(code) && !this.#failures++) void this.#attempt();
      else this.#retry(Number(/ms=(\d+)/.exec(reason)?.[1]));
    }
  }

  /** Returns how long to wait at least before another attempt, if there is one. */
  async #failed({ message }: Error, request?: Request): Promise<number | undefined> {
    if (request) this.#doubtUntil = now() + UNANSWERED_WINDOW_MS;
    this.#opening = undefined;
    if (this.#isOver || this.#isHidden) return undefined;
    // A client that is asked to rebalance tries once: its node would keep it, and asks again.
    if (this.#link) return this.#mayStay ? undefined : 0;
    this.#setState('reconnecting', message);
    // Not after each failure: many clients may be coming back.
    const hasQuestion = request && !(this.#failures & (this.#failures - 1));
    const refusal = hasQuestion && (await whyRefused(request));
    if (refusal) {
      this.emit('refused', refusal);
      const { status, message } = refusal;
      if (status === 400) this.#resume = ''; // it may be what the node does not understand
      // A token may have ended on its way, so a second one is tried.
      if (status === 403 || (status === 401 && this.#tokensRefused++)) this.#end({ code: status, reason: message });
    }
    // A client that knows another node asks that one.
    return refusal && !this.#bases[1] ? refusal.retryAfterMs : 0;
  }

  #retry(atLeastMs?: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#attempt(), backoffMs(this.#failures++, atLeastMs));
  }

  // Frames.

  #onFrame(link: Link, frame: Frame): void {
    if ('mid' in frame) return this.#onMessage(link, frame);
    switch (frame.type) {
      case 'receipt':
        if (frame.status === 'queued') this.#outbox.queued(frame.id);
        else this.#settle(frame.id, frame);
        break;
      case 'error': {
        const error = new SwitchboardError(frame.code, frame.message, frame.retry_after_ms);
        if (!this.#settle(frame.id, error)) this.emit('error', error);
        break;
      }
      case 'goaway':
        this.#mayStay = frame.reason === 'rebalancing';
        // Nodes that send their clients to each other must not cause a loop of connects, so the waits grow.
        if (link.isStable) this.#failures = 0;
        this.#retry(frame.reconnect_after_ms);
        break;
      case 'expiring':
        void this.#renew(link);
        break;
      case 'ice':
        this.#welcome = { ...(this.#welcome as Welcome), ice_servers: frame.ice_servers, expires_at: frame.expires_at };
      // The application may wait for it.
      default:
        this.#settle((frame as { id?: number }).id, frame as Answer);
        this.emit(frame.type, frame as never);
    }
  }

  #onMessage(link: Link, message: Message): void {
    const { mid, seq, room } = message;
    const verdict = this.#filter.classify(String(mid), room);
    if (verdict === 'new') this.emit('message', message);
    if (link !== this.#link) return;
    this.#seen = seq;
    link.send(verdict === 'late' ? { type: 'ack', seq, late: true } : { type: 'ack', seq });
  }

  #settle(id: number | undefined, outcome: Answer): boolean {
    const isPending = this.#outbox.settle(id, outcome);
    this.#flush();
    return isPending;
  }

  #flush(): void {
    if (this.#link) this.#outbox.flush(this.#link, (this.#welcome as Welcome).limits);
  }

  async #renew(link: Link): Promise<void> {
    for (let tries = RENEW_TRIES; tries && link === this.#link; tries--) {
      try {
        return link.send({ type: 'renew', token: await this.#token() });
      } catch {
        // After the last one the node closes with 4401, and the next attempt asks for a token.
        await new Promise((resolve) => setTimeout(resolve, RENEW_AGAIN_MS));
      }
    }
  }

  #restore(text: string | undefined): void {
    const [resume = '', seen = 0, mids = [], lastId = 0, sends = []] = readJson(text) ?? [];
    this.#resume = resume;
    this.#seen = seen;
    for (const mid of mids) this.#filter.classify(mid);
    this.#outbox.restore(lastId, sends, (id, outcome) => void this.emit('outcome', { id, outcome }));
  }

  // The end.

  #disconnect(code?: number): void {
    clearTimeout(this.#timer);
    this.#link?.close(code);
    this.#opening?.close();
    this.#link = this.#opening = undefined;
  }

  #end(close: Close): void {
    if (this.#isOver) return;
    this.#isClosing = true;
    this.#disconnect(1000);
    this.#unwatch();
    this.#setState('closed', close.reason);
    this.#outbox.fail(new SwitchboardError('closed', close.reason), true);
    this.emit('closed', close);
  }

  #setState(state: State, why: string): void {
    if (state === this.#state && state !== 'reconnecting') return;
    this.#state = state;
    this.emit('state', { state, why });
  }
}

const sessionLost = () => new SwitchboardError('timeout', 'session was lost; it may have arrived');

/**
 * Starts a session. A frame of a type that this version does not know is an event of that name. Add handlers in the same
 * turn: then they miss nothing.
 *
 * @throws TypeError for a URL that cannot be read. Everything else is an event.
 *
 * @example
 * ```ts
 * const session = connect({ url: 'https://signal.example', getToken: async () => (await fetch('/token')).text() });
 * session.on('message', ({ from, payload }) => console.log(from, payload));
 * session.on('closed', ({ code, reason }) => console.log(code, reason));
 * const { status } = await session.send('bob', { text: 'hello' });
 * ```
 */
export const connect = (options: ConnectOptions): Session => new Session(options);
