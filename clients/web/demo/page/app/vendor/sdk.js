/* Made by `npm run build` in clients/web/demo. Change the sources, not this file. */
var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __esm = (fn, res, err) => function() {
  if (err) throw err[0];
  try {
    return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
  } catch (e) {
    throw err = [e], e;
  }
};
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: !0 });
};

// ../sdk/src/json.ts
function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return;
  }
}
var init_json = __esm({
  "../sdk/src/json.ts"() {
    "use strict";
  }
});

// ../sdk/src/fallback/commands.ts
var MAX_COMMANDS, MAX_CHARS, ANSWER_WITHIN_MS2, BUSY_TRIES, BUSY_AGAIN_MS, isAck, Commands, init_commands = __esm({
  "../sdk/src/fallback/commands.ts"() {
    "use strict";
    init_json();
    MAX_COMMANDS = 64, MAX_CHARS = 6e4, ANSWER_WITHIN_MS2 = 1e4, BUSY_TRIES = 5, BUSY_AGAIN_MS = 1e3, isAck = (text) => text?.startsWith('{"type":"ack"') && !text.includes("late"), Commands = class {
      #base;
      #fail;
      #token;
      #place;
      #queue = [];
      #isBusy = !1;
      /** `fail` is called when commands may be lost: the connection must end, and the session resumes. */
      constructor({ base, token }, fail) {
        this.#base = base, this.#token = token, this.#fail = fail;
      }
      /** Where the session is: its resume token, and its node. */
      get place() {
        return this.#place;
      }
      /** The newest token of the session. */
      get token() {
        return this.#token;
      }
      /** A `welcome` says where the session is. Returns whether this is one. */
      welcome(frame) {
        return frame?.type !== "welcome" ? !1 : (this.#place = new URLSearchParams({ session: String(frame.resume_token), node: String(frame.node) }), this.#pump(), !0);
      }
      send(text) {
        isAck(text) && isAck(this.#queue.at(-1)) && this.#queue.pop(), this.#queue.push(text), this.#pump();
      }
      waiting() {
        return this.#queue.reduce((sum, { length }) => sum + length, 0);
      }
      /** The last command: what the end means for the session. It goes out also while the page is left. */
      async close(code) {
        let rest = [...this.#queue.splice(0, MAX_COMMANDS - 1), JSON.stringify({ type: "close", code })];
        this.#place && await this.#post(rest, !0).catch(() => {
        });
      }
      async #pump() {
        if (!(this.#isBusy || !this.#place)) {
          this.#isBusy = !0;
          try {
            for (; this.#queue.length; ) {
              let batch = this.#take();
              for (let tries = 1; !await this.#post(batch); tries++) {
                if (tries === BUSY_TRIES) throw new Error("node has no room for commands");
                await new Promise((resolve) => setTimeout(resolve, BUSY_AGAIN_MS));
              }
              let renewal = batch.map((text) => text.startsWith('{"type":"renew"') ? readJson(text) : void 0).find(Boolean);
              this.#token = renewal?.token ?? this.#token;
            }
          } catch (error) {
            this.#fail(error.message);
          }
          this.#isBusy = !1;
        }
      }
      #take() {
        let chars = 0, over = this.#queue.findIndex((text, index) => index === MAX_COMMANDS || (chars += text.length) > MAX_CHARS && index > 0);
        return this.#queue.splice(0, over < 0 ? this.#queue.length : over);
      }
      /** Returns whether the node took the commands; none of them if not. Throws where that is not known. */
      async #post(batch, keepalive = !1) {
        let answer = await fetch(`${this.#base}/v1/messages?${this.#place}`, {
          method: "POST",
          headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
          body: `[${batch.join()}]`,
          keepalive,
          signal: AbortSignal.timeout(ANSWER_WITHIN_MS2)
        });
        if (answer.ok) return !0;
        let { code } = await answer.json().catch(() => ({}));
        if (code === "busy") return !1;
        throw new Error(code ?? `HTTP ${answer.status}`);
      }
    };
  }
});

// ../sdk/src/fallback/connection.ts
var overHttp, init_connection = __esm({
  "../sdk/src/fallback/connection.ts"() {
    "use strict";
    init_commands();
    overHttp = (read) => (request, listener) => {
      let abort = new AbortController(), isOver = !1, end = (code, reason) => {
        isOver || (isOver = !0, abort.abort(), listener.close(code, reason));
      }, commands = new Commands(request, (reason) => end(1006, reason)), events2 = { request, commands, signal: abort.signal, isOver: () => isOver, frame: listener.frame, end };
      return read(events2).catch((error) => end(1006, error.message)), {
        send: (text) => commands.send(text),
        waiting: () => commands.waiting(),
        close: (code) => {
          isOver = !0;
          let sent = code ? commands.close(code) : void 0;
          Promise.resolve(sent).then(() => abort.abort());
        }
      };
    };
  }
});

// ../sdk/src/fallback/events.ts
var events_exports = {};
__export(events_exports, {
  events: () => events
});
function onEvent(block, { commands, isOver, frame, end }) {
  let data = block.split(`
`).flatMap((line) => line.startsWith("data: ") ? [line.slice(6)] : []).join(`
`);
  if (!(!data || isOver())) {
    if (/^event: close$/m.test(block)) {
      let { code = 1006, reason = "" } = readJson(data) ?? {};
      return end(code, reason);
    }
    commands.place || commands.welcome(readJson(data)), frame(data);
  }
}
var events, init_events = __esm({
  "../sdk/src/fallback/events.ts"() {
    "use strict";
    init_json();
    init_connection();
    events = overHttp(async (connection) => {
      let { base, token, query } = connection.request, answer = await fetch(`${base}/v1/events?${query}`, {
        headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
        cache: "no-store",
        signal: connection.signal
      });
      if (!answer.ok || !answer.body) return connection.end(1006, `HTTP ${answer.status}`);
      let reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        let { value, done } = await reader.read();
        if (done) return connection.end(1006, "");
        let blocks = (text + value).split(`

`);
        text = blocks.pop();
        for (let block of blocks) onEvent(block, connection);
      }
    });
  }
});

// ../sdk/src/fallback/polling.ts
var polling_exports = {};
__export(polling_exports, {
  polling: () => polling
});
async function poll(search, { request, commands, signal }) {
  let answer = await fetch(`${request.base}/v1/poll?${search}`, {
    headers: { authorization: `Bearer ${commands.token}` },
    cache: "no-store",
    signal: AbortSignal.any([signal, AbortSignal.timeout(POLL_WITHIN_MS)])
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return { frames: await answer.json(), batch: answer.headers.get("switchboard-batch") ?? "" };
}
var POLL_WITHIN_MS, polling, init_polling = __esm({
  "../sdk/src/fallback/polling.ts"() {
    "use strict";
    init_connection();
    POLL_WITHIN_MS = 4e4, polling = overHttp(async (connection) => {
      let { request, commands, isOver, frame, end } = connection, search = request.query, seen = search.get("seen") ?? "0";
      for (; !isOver(); ) {
        let { frames, batch } = await poll(search, connection);
        for (let one of frames) {
          if (isOver()) return;
          if (one.type === "close") return end(one.code ?? 1006, one.reason ?? "");
          if (commands.place && one.type === "welcome") return end(1006, "session is on another node");
          commands.welcome(one), one.seq && (seen = String(one.seq)), frame(JSON.stringify(one));
        }
        let place = commands.place;
        if (!place) throw new Error("no welcome");
        search = new URLSearchParams({ ...Object.fromEntries(request.query), resume: place.get("session") ?? "", node: place.get("node") ?? "", batch, seen });
      }
    });
  }
});

// ../sdk/src/error.ts
var SwitchboardError = class extends Error {
  /** For the package itself. */
  constructor(code, message, retryAfterMs, status = 0) {
    super(String(message ?? "").slice(0, 300));
    this.status = status;
    this.code = String(code ?? "internal").slice(0, 40), this.retryAfterMs = Number(retryAfterMs) || 0;
  }
  status;
  /** Always `SwitchboardError`. */
  name = "SwitchboardError";
  /** For programs: a code of the protocol, of a refused handshake (`token-…`), or `closed`. */
  code;
  /** When a retry makes sense, in milliseconds; 0 if the node did not say. */
  retryAfterMs;
};

// ../sdk/src/duplicates.ts
var DuplicateFilter = class {
  /** Oldest first. */
  #mids = /* @__PURE__ */ new Set();
  /** The highest id of each sender's session, while its `mid` is remembered. */
  #newest = /* @__PURE__ */ new Map();
  /** Classifies `mid`, and remembers it if it is new. Messages to a `room` have no order with those to the peer. */
  classify(mid, room) {
    if (this.#mids.has(mid)) return "duplicate";
    let [session, id] = room ? [mid, NaN] : parts(mid);
    if (id < (this.#newest.get(session) ?? 0)) return "late";
    for (let oldest of this.#mids) {
      if (this.#mids.size < 4096) break;
      this.#mids.delete(oldest);
      let [itsSession, itsId] = parts(oldest);
      this.#newest.get(itsSession) === itsId && this.#newest.delete(itsSession);
    }
    return id && this.#newest.set(session, id), this.#mids.add(mid), "new";
  }
  /** The newest `mid`s, oldest first. */
  snapshot() {
    return [...this.#mids].slice(-512);
  }
};
function parts(mid) {
  let [session, id] = mid.split("/");
  return [session, Number(id)];
}

// ../sdk/src/emitter.ts
var Emitter = class {
  #handlers = /* @__PURE__ */ Object.create(null);
  /** Adds a handler. Returns a function that removes it. */
  on(type, handler) {
    let handlers = this.#handlers[type] ??= /* @__PURE__ */ new Set();
    return handlers.add(handler), () => {
      handlers.delete(handler);
    };
  }
  /** The next event of this type. */
  once(type) {
    return new Promise((resolve) => {
      let off = this.on(type, (event) => {
        off(), resolve(event);
      });
    });
  }
  /** Calls the handlers. Returns whether there was one. */
  emit(type, event) {
    let handlers = [...this.#handlers[type] ?? []];
    for (let handler of handlers)
      try {
        handler(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    return handlers.length > 0;
  }
};

// ../sdk/src/session.ts
init_json();

// ../sdk/src/link.ts
init_json();

// ../sdk/src/wait.ts
var backoffMs = (failures, atLeastMs) => Math.min(atLeastMs || 0, 6e4) + Math.random() * Math.min(1e4, 100 * 2 ** failures), now = () => performance.now(), within = (ms, promise, what) => {
  let timer, deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} in time`)), ms);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
};

// ../sdk/src/link.ts
var WELCOME_WITHIN_MS = 1e4, PONG_WITHIN_MS = 7e3, PROGRESS_BYTES = 1e3, MIN_HEARTBEAT_MS = 5e3, STABLE_AFTER_MS = 1e3, Link = class {
  /** The first frame, or an error without one in time. */
  welcomed;
  /** When the other end closed or fell silent. Not after our own close. */
  ended;
  #openedAt = now();
  /** Frames after the welcome, until `start`. The node bounds them: it waits for acknowledgements. */
  #held = [];
  #onFrame;
  #connection;
  #end;
  #reject;
  #heartbeat;
  #probe;
  constructor(transport, request) {
    this.ended = new Promise((resolve) => this.#end = resolve);
    let welcome = new Promise((resolve, reject) => {
      this.#reject = reject, this.#connection = transport(request, {
        frame: (text) => {
          clearTimeout(this.#probe), this.#probe = void 0;
          let frame = readJson(text);
          frame?.type && (this.#onFrame ? this.#onFrame(frame) : frame.type === "welcome" ? resolve(frame) : this.#held.push(frame));
        },
        close: (code, reason) => {
          this.#stop(), reason ||= "connection lost", this.#end({ code, reason }), reject(new Error(reason));
        }
      });
    });
    this.welcomed = within(WELCOME_WITHIN_MS, welcome, "welcome").catch((error) => {
      throw this.close(), error;
    });
  }
  get isStable() {
    return now() - this.#openedAt > STABLE_AFTER_MS;
  }
  /** Passes the held frames on, then each as it comes. Scripts cannot see the node's pings, so it also starts its own. */
  start(heartbeatMs, onFrame) {
    this.#onFrame = onFrame;
    for (let frame of this.#held.splice(0)) onFrame(frame);
    this.#heartbeat = setInterval(() => this.probe(), Math.max(heartbeatMs, MIN_HEARTBEAT_MS));
  }
  send(frame) {
    this.#connection?.send(typeof frame == "string" ? frame : JSON.stringify(frame));
  }
  /** Sends a ping. The connection is lost if no frame comes in time, and no bytes go either: the ping may wait behind them. */
  probe() {
    this.#probe || !this.#connection || (this.send({ type: "ping" }), this.#expectFrame());
  }
  #expectFrame() {
    let connection = this.#connection, before = connection.waiting();
    this.#probe = setTimeout(() => {
      if (connection.waiting() < before - PROGRESS_BYTES) return this.#expectFrame();
      this.close(), this.#end({ code: 1006, reason: "no answer to a ping" });
    }, PONG_WITHIN_MS);
  }
  /** Without a code the session can be resumed. */
  close(code) {
    this.#stop(), this.#reject(new Error("closed")), this.#connection?.close(code), this.#connection = void 0;
  }
  #stop() {
    clearInterval(this.#heartbeat), clearTimeout(this.#probe);
  }
};

// ../sdk/src/outbox.ts
var MAX_MESSAGES = 512, MAX_BYTES = 1 << 20, Outbox = class {
  /** In the order of their ids. */
  #pending = /* @__PURE__ */ new Map();
  #bytes = 0;
  #lastId = 0;
  #onDrained;
  /** Resolves when every send has its outcome. */
  drained() {
    return new Promise((resolve) => {
      this.#pending.size ? this.#onDrained = resolve : resolve();
    });
  }
  /** Adds a frame, which gets an `id`. */
  add(frame, onQueued) {
    return new Promise((resolve, reject) => {
      let id = this.#lastId + 1, text = JSON.stringify({ ...frame, id }), bytes = new TextEncoder().encode(text).length;
      if (this.#pending.size >= MAX_MESSAGES || this.#bytes + bytes > MAX_BYTES)
        throw new SwitchboardError("queue-full", `${this.#pending.size} sends have no outcome yet`);
      let settle = (outcome) => outcome instanceof Error ? reject(outcome) : resolve(outcome);
      this.#insert(id, { text, bytes, settle, onQueued });
    });
  }
  #insert(id, send) {
    this.#lastId = id, this.#bytes += send.bytes, this.#pending.set(id, send);
  }
  /** Transmits what the connection was not given, as far as the node reads it. */
  flush(link, { message_bytes, pending_messages, pending_bytes }) {
    let open = 0, openBytes = 0;
    for (let [id, send] of this.#pending) {
      if (send.bytes > message_bytes) {
        this.settle(id, new SwitchboardError("payload-too-large", `${send.bytes} bytes, ${message_bytes} allowed`));
        continue;
      }
      if (open && (open === pending_messages || openBytes + send.bytes > pending_bytes)) return;
      open++, openBytes += send.bytes, send.link !== link && (send.link = link, link.send(send.text));
    }
  }
  queued(id) {
    let send = this.#pending.get(id);
    send?.onQueued?.(), send && (send.onQueued = void 0);
  }
  /** Returns false for a frame without an `id`, and if the send has its outcome already. */
  settle(id, outcome) {
    let send = this.#pending.get(id);
    return send ? (this.#pending.delete(id), this.#bytes -= send.bytes, send.settle(outcome), this.#pending.size || this.#onDrained?.(), !0) : !1;
  }
  /** Fails the sends that a connection was given; with `unsent` all of them. */
  fail(error, unsent = !1) {
    for (let [id, { link }] of this.#pending) (link || unsent) && this.settle(id, error);
  }
  /** The highest id, and the frames of the sends as they are repeated. */
  snapshot() {
    return [this.#lastId, [...this.#pending].map(([id, { text }]) => [id, text])];
  }
  /** Takes over the sends of a page that was left. Nobody waits for their promises, so `settled` gets the outcomes. */
  restore(lastId, sends, settled) {
    for (let [id, text] of sends) this.#insert(id, { text, bytes: text.length, link: this, settle: (outcome) => settled(id, outcome) });
    this.#lastId = Math.max(this.#lastId, lastId);
  }
};

// ../sdk/src/page.ts
function watchPage({ wake, hide, show }) {
  let watch = new AbortController(), listen = (target, type, handler) => target?.addEventListener?.(type, handler, { signal: watch.signal });
  return listen(globalThis, "online", wake), listen(globalThis.navigator?.connection, "change", wake), listen(globalThis.document, "visibilitychange", () => {
    document.visibilityState === "visible" && wake();
  }), listen(globalThis, "pagehide", ({ persisted }) => hide(persisted)), listen(globalThis, "pageshow", ({ persisted }) => {
    persisted && show();
  }), () => watch.abort();
}

// ../sdk/src/refusal.ts
var ANSWER_WITHIN_MS = 5e3, askReady = async ({ base, token, query }, withinMs) => fetch(`${base}/v1/ready?${query}`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(withinMs) });
async function whyRefused(request) {
  try {
    let answer = await askReady(request, ANSWER_WITHIN_MS);
    if (answer.ok || answer.status === 404) return;
    let { code, detail } = await answer.json();
    return new SwitchboardError(code, detail, Number(answer.headers.get("retry-after")) * 1e3, answer.status);
  } catch {
    return;
  }
}

// ../sdk/src/snapshot.ts
function save(storage, key, snapshot) {
  let text = JSON.stringify(snapshot);
  try {
    return storage?.setItem(key, text), text;
  } catch {
    return;
  }
}
function take(storage, key) {
  try {
    let text = storage?.getItem(key) ?? void 0;
    return storage?.removeItem(key), text;
  } catch {
    return;
  }
}
function storageOf(option) {
  try {
    return option === void 0 ? globalThis.sessionStorage : option ?? void 0;
  } catch {
    return;
  }
}

// ../sdk/src/transport.ts
var baseOf = (url) => new URL(url, globalThis.location?.href).href.replace(/^ws/, "http").replace(/(\/v1\/ws)?\/*([?#].*)?$/, "");

// ../sdk/src/generated/codes.ts
var STOP_CODES = [1e3, 1001, 1003, 1007, 1009, 4400, 4403, 4409], AT_ONCE_CODES = [1012, 4401];

// ../sdk/src/websocket.ts
var webSocket = (Socket = globalThis.WebSocket) => ({ base, token, query }, { frame, close }) => {
  let socket = new Socket(`${base.replace("http", "ws")}/v1/ws?${query}`, ["switchboard.v1", `bearer.${token}`]);
  return socket.onmessage = ({ data }) => frame(data), socket.onclose = ({ code, reason }) => close(code, reason), socket.onerror = () => {
  }, {
    send: (text) => {
      socket.readyState === 1 && socket.send(text);
    },
    waiting: () => socket.bufferedAmount,
    close: (code = 3001) => {
      socket.onmessage = socket.onclose = null, socket.close(code);
    }
  };
};

// ../sdk/src/session.ts
var TOKEN_WITHIN_MS = 3e4, OLD_CONNECTION_WITHIN_MS = 1e3, UNANSWERED_WINDOW_MS = 6e4, CLOSE_WITHIN_MS = 2e3, RENEW_TRIES = 4, RENEW_AGAIN_MS = 5e3, Session = class extends Emitter {
  #options;
  #bases;
  #transport;
  #storage;
  #key;
  #outbox = new Outbox();
  #filter = new DuplicateFilter();
  #unwatch = watchPage({
    wake: () => {
      this.#link ? this.#link.probe() : navigator.onLine !== !1 && this.#attempt();
    },
    hide: (mayReturn) => {
      this.#saved = save(this.#storage, this.#key, [this.#resume, this.#seen, this.#filter.snapshot(), ...this.#outbox.snapshot()]), mayReturn && (this.#isHidden = !0, this.#disconnect());
    },
    show: () => {
      this.#isHidden = !1;
      let text = take(this.#storage, this.#key);
      text !== this.#saved && (this.#outbox.fail(sessionLost(), !0), this.#restore(text)), this.#setState("reconnecting", "page is back"), this.#attempt();
    }
  });
  #state = "connecting";
  #welcome;
  #link;
  /** The next connection, without a welcome. */
  #opening;
  #attempting = !1;
  /** Whether the node that asked for a move would keep this client. */
  #mayStay = !1;
  #isClosing = !1;
  #isHidden = !1;
  #saved;
  #resume = "";
  #seen = 0;
  #tries = 0;
  #failures = 0;
  #tokensRefused = 0;
  /** Until then a node may replace this session's connection because of an attempt without an answer. */
  #doubtUntil = 0;
  #timer;
  constructor(options) {
    super(), this.#options = options, this.#bases = [options.url].flat().map(baseOf), this.#transport = options.transport ?? webSocket(), this.#storage = storageOf(options.storage), this.#key = `switchboard1:${options.storageKey ?? this.#bases[0]}`, this.#restore(take(this.#storage, this.#key)), this.#attempt();
  }
  /** What the session does now. */
  get state() {
    return this.#state;
  }
  /** The newest welcome: this peer's ID, its node, its limits, and the newest ICE servers. */
  get welcome() {
    return this.#welcome;
  }
  /** Resolves with the newest welcome when there is a connection. Rejects with `closed` when the session ends. */
  async connected() {
    for (; !this.#link; ) {
      if (this.#isOver) throw new SwitchboardError("closed", "session is closed");
      await this.once("state");
    }
    return this.#welcome;
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
  send(to, payload, { kind = "message", onQueued, holdMs } = {}) {
    return this.request({ type: kind, ...typeof to == "string" ? { to } : to, hold_ms: holdMs, payload: payload ?? null }, onQueued);
  }
  /**
   * Sends any command of the protocol, and repeats it after a lost connection. Resolves with its answer, or rejects as `send`
   * does. `Frame` is the type of the answer: `Joined` for `join`.
   */
  request(command, onQueued) {
    let outcome = this.#isClosing ? Promise.reject(new SwitchboardError("closed", "session is closed")) : this.#outbox.add(command, onQueued);
    return outcome.catch(() => {
    }), this.#flush(), outcome;
  }
  /** Asks the node for new ICE servers; an `ice` event follows. */
  refreshIce() {
    this.#link?.send({ type: "ice" });
  }
  /** Waits up to 2 s for the outcomes of the sends, then ends the session. Never rejects. */
  async close() {
    this.#isClosing = !0, await within(CLOSE_WITHIN_MS, this.#outbox.drained(), "outcome").catch(() => {
    }), this.#end({ code: 1e3, reason: "closed" });
  }
  // Connecting.
  async #attempt() {
    if (this.#attempting || this.#isHidden || this.#isOver) return;
    this.#attempting = !0, clearTimeout(this.#timer);
    let base = this.#bases[this.#tries++ % this.#bases.length], request;
    try {
      let token = await this.#token();
      if (this.#isOver) return;
      let seen = this.#seen, query = new URLSearchParams({ acks: "client", ...this.#options.query, ...this.#resume && { resume: this.#resume, seen } });
      request = { base, token, query };
      let link = this.#opening = new Link(this.#transport, request), welcome = await link.welcomed;
      if (this.#link && await within(OLD_CONNECTION_WITHIN_MS, this.#link.ended, "close").catch(() => {
      }), this.#opening !== link) throw new Error("closed");
      this.#adopt(link, welcome, seen);
    } catch (error) {
      let waitMs = await this.#failed(error, request);
      this.#attempting = !1, waitMs !== void 0 && this.#retry(waitMs);
    }
  }
  get #isOver() {
    return this.#state === "closed";
  }
  #token() {
    return within(TOKEN_WITHIN_MS, (async () => this.#options.getToken())(), "token");
  }
  #adopt(link, welcome, seen) {
    this.#link?.close(1e3), this.#opening = void 0, this.#attempting = !1, this.#link = link, this.#tokensRefused = 0, this.#welcome = welcome, this.#resume = welcome.resume_token, this.#seen = welcome.resumed ? seen : 0, welcome.resumed || this.#outbox.fail(sessionLost()), this.#setState("connected", welcome.node), this.emit("welcome", welcome), this.#flush(), link.start(welcome.heartbeat_ms, (frame) => this.#onFrame(link, frame)), link.ended.then((close) => {
      link === this.#link && this.#lost(close);
    });
  }
  #lost(close) {
    this.#link?.isStable && (this.#failures = 0), this.#link = void 0;
    let { code, reason } = close, isOwn = code === 1e3 || code === 4409;
    this.#attempting && (isOwn || !STOP_CODES.includes(code)) || (STOP_CODES.includes(code) && !(isOwn && now() < this.#doubtUntil) ? this.#end(close) : (this.#doubtUntil = 0, this.#setState("reconnecting", reason), AT_ONCE_CODES.includes(code) && !this.#failures++ ? this.#attempt() : this.#retry(Number(/ms=(\d+)/.exec(reason)?.[1]))));
  }
  /** Returns how long to wait at least before another attempt, if there is one. */
  async #failed({ message }, request) {
    if (request && (this.#doubtUntil = now() + UNANSWERED_WINDOW_MS), this.#opening = void 0, this.#isOver || this.#isHidden) return;
    if (this.#link) return this.#mayStay ? void 0 : 0;
    this.#setState("reconnecting", message);
    let refusal = request && !(this.#failures & this.#failures - 1) && await whyRefused(request);
    if (refusal) {
      this.emit("refused", refusal);
      let { status, message: message2 } = refusal;
      status === 400 && (this.#resume = ""), (status === 403 || status === 401 && this.#tokensRefused++) && this.#end({ code: status, reason: message2 });
    }
    return refusal && !this.#bases[1] ? refusal.retryAfterMs : 0;
  }
  #retry(atLeastMs) {
    clearTimeout(this.#timer), this.#timer = setTimeout(() => {
      this.#attempt();
    }, backoffMs(this.#failures++, atLeastMs));
  }
  // Frames.
  #onFrame(link, frame) {
    if ("mid" in frame) return this.#onMessage(link, frame);
    switch (frame.type) {
      case "receipt":
        frame.status === "queued" ? this.#outbox.queued(frame.id) : this.#settle(frame.id, frame);
        break;
      case "error": {
        let error = new SwitchboardError(frame.code, frame.message, frame.retry_after_ms);
        this.#settle(frame.id, error) || this.emit("error", error);
        break;
      }
      case "goaway":
        this.#mayStay = frame.reason === "rebalancing", link.isStable && (this.#failures = 0), this.#retry(frame.reconnect_after_ms);
        break;
      case "expiring":
        this.#renew(link);
        break;
      case "ice":
        this.#welcome = { ...this.#welcome, ice_servers: frame.ice_servers, expires_at: frame.expires_at };
      // The application may wait for it.
      default:
        this.#settle(frame.id, frame), this.emit(frame.type, frame);
    }
  }
  #onMessage(link, message) {
    let { mid, seq, room } = message, verdict = this.#filter.classify(String(mid), room);
    verdict === "new" && this.emit("message", message), link === this.#link && (this.#seen = seq, link.send(verdict === "late" ? { type: "ack", seq, late: !0 } : { type: "ack", seq }));
  }
  #settle(id, outcome) {
    let isPending = this.#outbox.settle(id, outcome);
    return this.#flush(), isPending;
  }
  #flush() {
    this.#link && this.#outbox.flush(this.#link, this.#welcome.limits);
  }
  async #renew(link) {
    for (let tries = RENEW_TRIES; tries && link === this.#link; tries--)
      try {
        return link.send({ type: "renew", token: await this.#token() });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RENEW_AGAIN_MS));
      }
  }
  #restore(text) {
    let [resume = "", seen = 0, mids = [], lastId = 0, sends = []] = readJson(text) ?? [];
    this.#resume = resume, this.#seen = seen;
    for (let mid of mids) this.#filter.classify(mid);
    this.#outbox.restore(lastId, sends, (id, outcome) => {
      this.emit("outcome", { id, outcome });
    });
  }
  // The end.
  #disconnect(code) {
    clearTimeout(this.#timer), this.#link?.close(code), this.#opening?.close(), this.#link = this.#opening = void 0;
  }
  #end(close) {
    this.#isOver || (this.#isClosing = !0, this.#disconnect(1e3), this.#unwatch(), this.#setState("closed", close.reason), this.#outbox.fail(new SwitchboardError("closed", close.reason), !0), this.emit("closed", close));
  }
  #setState(state, why) {
    state === this.#state && state !== "reconnecting" || (this.#state = state, this.emit("state", { state, why }));
  }
}, sessionLost = () => new SwitchboardError("timeout", "session was lost; it may have arrived"), connect = (options) => new Session(options);

// ../sdk/src/rooms/presence.ts
var MAX_PEERS = 100, Presence = class extends Emitter {
  #session;
  #watched = /* @__PURE__ */ new Map();
  constructor(session) {
    super(), this.#session = session, session.on("presence", ({ peers }) => {
      for (let { peer, state } of peers)
        !this.#watched.has(peer) || this.#watched.get(peer) === state || (this.#watched.set(peer, state), this.emit("change", { peer, state }));
    }), session.on("welcome", () => {
      this.#send("watch", [...this.#watched.keys()]).catch(() => {
      });
    });
  }
  /** The watched peers, each with its last known state. */
  get states() {
    return this.#watched;
  }
  /**
   * The states of peers now.
   *
   * @throws SwitchboardError `not-allowed` if the token allows no message to one of the peers, `bus-unavailable`, `rate-limited`.
   */
  async lookup(...peers) {
    return new Map((await this.#send("lookup", peers)).map(({ peer, state }) => [peer, state]));
  }
  /**
   * From now on each change of these peers is a `change`; the first one is the state now. A watch outlives connections.
   *
   * @throws SwitchboardError as `lookup`; `rate-limited` also over `welcome.limits.watched_per_peer`.
   */
  async watch(...peers) {
    for (let peer of peers) this.#watched.has(peer) || this.#watched.set(peer, void 0);
    await this.#send("watch", peers);
  }
  /** Ends the watch of these peers. */
  async unwatch(...peers) {
    for (let peer of peers) this.#watched.delete(peer);
    await this.#send("unwatch", peers);
  }
  async #send(type, peers) {
    let answers = [];
    for (let at = 0; at < peers.length; at += MAX_PEERS)
      answers.push(await this.#session.request({ type, peers: peers.slice(at, at + MAX_PEERS) }));
    return answers.flatMap((answer) => answer.peers ?? []);
  }
};

// ../sdk/src/rooms/room.ts
var Room = class extends Emitter {
  /** The room's name within the tenant. */
  name;
  #session;
  #members = /* @__PURE__ */ new Map();
  #count = 0;
  #version = 0;
  constructor(session, name) {
    super(), this.#session = session, this.name = name;
  }
  /** The members by their peer IDs, this one included. Empty in a large room, which has only a count. */
  get members() {
    return this.#members;
  }
  /** How many members there are, this one included. */
  get count() {
    return this.#count;
  }
  /**
   * Sends to all other members. Resolves when the cluster has published it: at most once for each member, in order.
   *
   * @throws SwitchboardError `not-in-room`, `not-allowed`, `bus-unavailable`, `rate-limited` and others.
   */
  send(payload, kind = "message") {
    return this.#session.send({ room: this.name }, payload, { kind });
  }
  /** @internal */
  onRoster({ members, count, version, gap = !1 }) {
    this.#members.clear();
    for (let { peer, info } of members ?? []) this.#members.set(peer, { peer, info });
    this.#version = version, this.emit("roster", { gap }), this.#setCount(count);
  }
  /** @internal A change that the list has already makes no event. */
  onChange(version, peer, change) {
    if (!(version <= this.#version)) {
      if (this.#version = version, "reason" in change)
        this.#members.delete(peer) && this.emit("peer-left", { peer, reason: change.reason });
      else {
        let isNew = !this.#members.has(peer);
        this.#members.set(peer, { peer, info: change.info }), isNew && this.emit("peer-joined", { peer, info: change.info });
      }
      this.#setCount(this.#members.size);
    }
  }
  /** @internal The room is large: from now on it has no list. */
  onCount(count) {
    this.#members.clear(), this.#setCount(count);
  }
  /** @internal */
  onMessage(message) {
    this.emit("message", message);
  }
  /** @internal */
  onLeft(reason) {
    this.emit("left", { reason });
  }
  #setCount(count) {
    count !== this.#count && (this.#count = count, this.emit("count", count));
  }
};

// ../sdk/src/rooms/rooms.ts
var Rooms = class {
  #session;
  #joined = /* @__PURE__ */ new Map();
  constructor(session) {
    this.#session = session;
    let of = (name) => this.#joined.get(name)?.room;
    session.on("joined", (frame) => {
      let entry = this.#joined.get(frame.room);
      entry && (entry.isMember = !0, entry.room.onRoster(frame));
    }), session.on("peer-joined", ({ room, version, peer, info }) => of(room)?.onChange(version, peer, { info })), session.on("peer-left", ({ room, version, peer, reason }) => of(room)?.onChange(version, peer, { reason })), session.on("room-count", ({ room, count }) => of(room)?.onCount(count)), session.on("message", (message) => {
      message.room && of(message.room)?.onMessage(message);
    }), session.on("left", ({ room, reason = "left" }) => this.#forget(room, reason)), session.on("welcome", ({ resumed }) => {
      if (!resumed)
        for (let { room, info, isMember } of this.#joined.values())
          isMember && this.#enter(room, info).catch(() => this.#forget(room.name, "lost"));
    });
  }
  /** The rooms of which this peer is a member. */
  get all() {
    return [...this.#joined.values()].map(({ room }) => room);
  }
  /**
   * Enters a room; the first member creates it.
   *
   * @param info Shown to the other members: an object of at most 1 KiB of JSON.
   * @throws SwitchboardError `room-full`, `not-allowed` (also over `welcome.limits.rooms_per_peer`), `bus-unavailable`, `timeout`.
   */
  async join(name, info) {
    let entry = this.#joined.get(name) ?? { room: new Room(this.#session, name), info };
    entry.info = info, this.#joined.set(name, entry);
    try {
      await this.#enter(entry.room, info);
    } catch (error) {
      throw entry.isMember || this.#joined.delete(name), error;
    }
    return entry.room;
  }
  /** Leaves a room. Its event `left` follows. */
  async leave(name) {
    await this.#session.request({ type: "leave", room: name });
  }
  #enter(room, info) {
    return this.#session.request({ type: "join", room: room.name, info });
  }
  #forget(name, reason) {
    let entry = this.#joined.get(name);
    this.#joined.delete(name), entry?.room.onLeft(reason);
  }
};

// ../sdk/src/rooms/index.ts
var rooms = (session) => new Rooms(session), presence = (session) => new Presence(session);

// ../sdk/src/fallback/index.ts
var FIRST_FRAME_WITHIN_MS = 2500, REMEMBERED_MS = 10 * 6e4, ANSWER_WITHIN_MS3 = 1e3;
function withFallbacks({ websocket = webSocket(), onUse } = {}) {
  let transports = [
    ["websocket", () => websocket],
    ["events", async () => (await Promise.resolve().then(() => (init_events(), events_exports))).events],
    ["polling", async () => (await Promise.resolve().then(() => (init_polling(), polling_exports))).polling]
  ], choice = { index: 0, until: 0 };
  return (request, listener) => {
    let first = performance.now() < choice.until ? choice.index : 0;
    return new Attempt(request, listener, transports, first, (index) => {
      (index !== choice.index || !choice.until) && (choice = { index, until: performance.now() + REMEMBERED_MS }), onUse?.(transports[index][0]);
    });
  };
}
var Attempt = class {
  #request;
  #listener;
  #transports;
  #used;
  #connection;
  #isClosed = !1;
  constructor(request, listener, transports, first, used) {
    this.#request = request, this.#listener = listener, this.#transports = transports, this.#used = used, this.#run(first);
  }
  async #run(first) {
    let order = /* @__PURE__ */ new Set([first, ...this.#transports.keys()]), end = [1006, ""];
    for (let index of order) {
      let failed = await this.#open(index);
      if (!failed || this.#isClosed) return;
      if (end = failed, !await askReady(this.#request, ANSWER_WITHIN_MS3).then(({ ok }) => ok, () => !1)) break;
    }
    this.#isClosed || this.#listener.close(...end);
  }
  /** Resolves with nothing once a frame came, or with the close of a transport that brought none. */
  async #open(index) {
    let transport = await this.#transports[index][1]();
    if (!this.#isClosed)
      return new Promise((resolve) => {
        let isOpen = !1, connection, giveUp = setTimeout(() => {
          connection?.close(), resolve([1006, "no frame in time"]);
        }, FIRST_FRAME_WITHIN_MS), opened = () => {
          isOpen = !0, clearTimeout(giveUp), this.#used(index), resolve(void 0);
        };
        try {
          this.#connection = connection = transport(this.#request, {
            frame: (text) => {
              isOpen || opened(), this.#listener.frame(text);
            },
            close: (code, reason) => {
              clearTimeout(giveUp), isOpen ? this.#listener.close(code, reason) : resolve([code, reason]);
            }
          });
        } catch (error) {
          clearTimeout(giveUp), resolve([1006, error.message]);
        }
      });
  }
  send(text) {
    this.#connection?.send(text);
  }
  waiting() {
    return this.#connection?.waiting() ?? 0;
  }
  close(code) {
    this.#isClosed = !0, this.#connection?.close(code);
  }
};

// ../sdk/src/call/calls.ts
init_json();

// ../sdk/src/call/ice.ts
var ANSWER_WITHIN_MS4 = 5e3, MARGIN_MS = 6e4;
async function freshIceServers(session) {
  let welcome = await session.connected();
  if ((welcome.expires_at || 1 / 0) * 1e3 < Date.now() + MARGIN_MS) {
    let answer = session.once("ice");
    session.refreshIce(), await within(ANSWER_WITHIN_MS4, answer, "ice").catch(() => {
    });
  }
  return (session.welcome ?? welcome).ice_servers;
}

// ../sdk/src/call/negotiation.ts
var GATHERS_WITHIN_MS = 1e3, Negotiation = class {
  pc;
  #options;
  #hasServers;
  /** When there is a first candidate, or none. */
  #gathers;
  /** One after the other. */
  #steps = Promise.resolve();
  #isIgnoring = !1;
  #offers = 0;
  #theirOffer = 0;
  constructor(options) {
    this.#options = options;
    let pc = this.pc = new RTCPeerConnection(options.rtc);
    this.#hasServers = this.#refreshServers(), pc.onnegotiationneeded = () => {
      this.#hasServers.then(() => this.#next(() => this.#offer()));
    }, this.#gathers = new Promise((resolve) => {
      pc.onicecandidate = ({ candidate }) => {
        resolve(), options.send("candidate", { candidate: candidate?.toJSON() ?? null }).catch(() => {
        });
      };
    });
  }
  async #refreshServers() {
    this.useServers(await this.#options.iceServers().catch(() => []));
  }
  /** Takes servers for every path that is looked for from now on, also when the other side asks for one. */
  useServers(iceServers) {
    let { rtc } = this.#options;
    this.#isClosed || this.pc.setConfiguration({ ...rtc, iceServers: [...rtc?.iceServers ?? [], ...iceServers] });
  }
  get #isClosed() {
    return this.pc.signalingState === "closed";
  }
  #next(step) {
    this.#steps = this.#steps.then(step).catch(this.#options.onError);
  }
  async #offer() {
    this.#options.mayOffer() && this.pc.signalingState === "stable" && await this.#describe();
  }
  /** Sends an offer, or the answer if there is an offer to answer. */
  async #describe() {
    let { pc } = this;
    await pc.setLocalDescription();
    let { type, sdp } = pc.localDescription, isOffer = type === "offer", n = isOffer ? ++this.#offers : this.#theirOffer, isCurrent = () => isOffer ? n === this.#offers && pc.signalingState === "have-local-offer" : n === this.#theirOffer && pc.signalingState === "stable";
    this.#options.send(isOffer ? "offer" : "answer", { n, description: { type, sdp } }, isCurrent).catch(() => {
      this.#next(async () => {
        isOffer && isCurrent() && await pc.setLocalDescription({ type: "rollback" });
      });
    });
  }
  receive(payload) {
    this.#next(() => this.#handle(payload));
  }
  async #handle({ n, description, candidate }) {
    let { pc } = this;
    if (this.#isClosed) return;
    if (!description) {
      pc.remoteDescription && await pc.addIceCandidate(candidate).catch((error) => {
        if (!this.#isIgnoring) throw error;
      });
      return;
    }
    let isOffer = description.type === "offer";
    this.#isIgnoring = isOffer && pc.signalingState !== "stable" && !this.#options.isPolite();
    let isStale = !isOffer && (n !== this.#offers || pc.signalingState !== "have-local-offer");
    this.#isIgnoring || isStale || (isOffer && pc.signalingState !== "stable" && await within(GATHERS_WITHIN_MS, this.#gathers, "candidate").catch(() => {
    }), await pc.setRemoteDescription(description), isOffer && (this.#theirOffer = n, await this.#hasServers, await this.#describe()));
  }
  /** Finds another path, with fresh credentials. */
  async restart() {
    await this.#refreshServers(), this.#isClosed || this.pc.restartIce();
  }
  close() {
    let { pc } = this;
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.ondatachannel = pc.onconnectionstatechange = pc.onicecandidateerror = null, pc.close();
  }
};

// ../sdk/src/call/payload.ts
var ID = /^[\w-]{1,64}$/, ROOM = /^[\w.~:@+=-]{1,128}$/, SCREEN = /^.{0,64}$/, REASON = /^[a-z-]{1,40}$/, CANDIDATE = /^.{0,2048}$/, SDP = /^v=0/, isText = (value, form) => typeof value == "string" && form.test(value);
function readPayload(type, value) {
  let { call, room, leg, to_leg, n, description, candidate, reason, media } = value ?? {};
  return (room === void 0 ? isText(call, ID) : call === void 0 && isText(room, ROOM)) && isText(leg, ID) && (to_leg === void 0 || isText(to_leg, ID)) && (type === "candidate" ? candidate === null || isText(candidate?.candidate, CANDIDATE) : type === "bye" ? isText(reason, REASON) : type === "message" ? isText(media?.screen ?? "", SCREEN) && [media?.audio, media?.video].every((value2) => typeof value2 == "boolean") : Number.isInteger(n) && description?.type === type && isText(description.sdp, SDP)) ? value : void 0;
}
var newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// ../sdk/src/call/relay.ts
var BROWSER_CODES = 700, UNAUTHORIZED = 401, RELAY_REFUSED = "relay-refused";
function relayError({ errorCode, errorText, url }) {
  if (errorCode >= BROWSER_CODES || !url.startsWith("turn")) return;
  let why = errorCode === UNAUTHORIZED ? "the credentials are wrong or have expired" : errorText;
  return new SwitchboardError(RELAY_REFUSED, `the TURN server ${url} refused: ${why} (${errorCode})`);
}

// ../sdk/src/call/call.ts
var RING_MS = 45e3, CONNECT_WITHIN_MS = 3e4, RECONNECT_WITHIN_MS = 3e4, RESTART_AFTER_MS = 2e3, MAX_TRIES = 6, MAX_EARLY = 64, TRANSIENT = ["timeout", "bus-unavailable", "queue-full", "rate-limited"], AWAY = ["peer-offline", "expired"], OWN_STATES = ["declined", "busy", "cancelled", "no-answer"], Call = class extends Emitter {
  /** The other side's peer ID. */
  peer;
  /** Whether this side called. */
  isCaller;
  #setup;
  #leg = newId();
  #id;
  #theirLeg;
  /** The id of their call, which crossed this one and lost. */
  #crossed;
  #state;
  #reason = "";
  #hasMedia = !1;
  #negotiation;
  #early = [];
  #media;
  #theirMedia;
  #noPath = "no-path";
  #tracks = /* @__PURE__ */ new Map();
  #deadline;
  #restart;
  #offIce;
  /** @internal */
  constructor(setup) {
    super(), this.#setup = setup, { peer: this.peer, id: this.#id, isCaller: this.isCaller, state: this.#state } = setup, this.#negotiation = this.#negotiate(), this.#offIce = setup.session.on("ice", ({ ice_servers }) => this.#negotiation.useServers(ice_servers)), this.#state === "accepted" ? this.#expect("connection-lost", RECONNECT_WITHIN_MS) : this.#expect("no-answer", RING_MS);
  }
  /** The call's ID, the same on both sides. */
  get id() {
    return this.#id;
  }
  /** What the call does now. */
  get state() {
    return this.#state;
  }
  /** Why the call ended, as in the event `state`; empty before. */
  get reason() {
    return this.#reason;
  }
  /** Whether the call has ended, in any way. */
  get isOver() {
    return this.#state === "ended" || OWN_STATES.includes(this.#state);
  }
  /** The connection, for data channels and all else that it offers. */
  get pc() {
    return this.#negotiation.pc;
  }
  /** What the other side said of its media last. */
  get theirMedia() {
    return this.#theirMedia;
  }
  /** @internal What the next page of this tab needs to continue the call. */
  get left() {
    return [this.peer, this.#id, this.#state, this.isCaller, this.#early];
  }
  /** Accepts an incoming call, or continues a restored one. Only the first time does anything. */
  accept({ stream, receive = ["audio", "video"] } = {}) {
    if (this.#hasMedia || this.isOver) return this;
    this.#hasMedia = !0;
    let isIncoming = this.#state === "ringing" && !this.isCaller;
    for (let track of stream?.getTracks() ?? []) this.addTrack(track, stream);
    if (!isIncoming) {
      let isSent = (kind) => [...this.#tracks.keys()].some((track) => track.kind === kind);
      for (let kind of receive) isSent(kind) || this.pc.addTransceiver(kind, { direction: "recvonly" });
      return this;
    }
    this.#accepted();
    for (let payload of this.#early.splice(0)) this.#negotiation.receive(payload);
    return this;
  }
  /** Ends an incoming call with `declined`. */
  decline() {
    this.end("declined");
  }
  /** Ends the call on both sides. `reason`: at most 40 characters of `a-z` and `-`. */
  end(reason = this.#state === "accepted" ? "hung-up" : this.isCaller ? "cancelled" : "declined") {
    this.isOver || (this.#send("bye", { reason }).catch(() => {
    }), this.#crossed && this.#setup.session.send(this.peer, { call: this.#crossed, leg: this.#leg, reason }, { kind: "bye" }), this.#finish(reason));
  }
  /** Sends another track. The other side hears `track`. */
  addTrack(track, ...streams) {
    return this.#tracks.set(track, streams), this.pc.addTrack(track, ...streams);
  }
  /** Stops to send a track. */
  removeTrack(track) {
    this.#tracks.delete(track);
    let sender = this.#senderOf(track);
    sender && this.pc.removeTrack(sender);
  }
  /** Sends another track of the same kind instead. The other side notices nothing. */
  async replaceTrack(old, track) {
    await this.#senderOf(old)?.replaceTrack(track), this.#tracks.set(track, this.#tracks.get(old) ?? []), this.#tracks.delete(old);
  }
  /** Tells the other side what it mutes, once the call is accepted, and again after its page was reloaded. */
  setMedia(media) {
    this.#media = media, this.#tellMedia();
  }
  #tellMedia() {
    let media = this.#media;
    media && this.#state === "accepted" && this.#send("message", { media }, () => media === this.#media).catch(() => {
    });
  }
  #senderOf(track) {
    return this.pc.getSenders().find((sender) => sender.track === track);
  }
  // Messages.
  /** @internal Of two calls that cross, the polite side gives its own up and continues as a part of the other. */
  cross(payload) {
    return !this.isCaller || this.isOver || this.#state === "accepted" ? !1 : (this.#isPolite() ? (this.#id = payload.call, this.receive("offer", payload)) : this.#crossed = payload.call, !0);
  }
  #isPolite() {
    return (this.#setup.session.welcome?.peer ?? "") < this.peer;
  }
  /** @internal */
  receive(type, payload) {
    let { leg, to_leg } = payload;
    if (to_leg && to_leg !== this.#leg) return;
    if (type === "bye") return this.#finish(payload.reason);
    let isOther = this.#theirLeg !== void 0 && leg !== this.#theirLeg;
    if (isOther && type === "candidate") return;
    if (type === "message") {
      this.#theirMedia = payload.media, this.emit("media", payload.media);
      return;
    }
    if (this.#theirLeg = leg, !this.isCaller && this.#state === "ringing") {
      isOther && (this.#early = []), this.#early.length < MAX_EARLY ? this.#early.push(payload) : this.emit("error", new Error(`more than ${MAX_EARLY} messages before it is accepted`));
      return;
    }
    this.#state !== "accepted" && type !== "candidate" && this.#accepted();
    let isUsed = this.pc.remoteDescription || this.pc.signalingState !== "stable";
    if (isOther && type === "offer" && isUsed) {
      this.#negotiation.close(), this.#negotiation = this.#negotiate();
      for (let [track, streams] of this.#tracks) this.pc.addTrack(track, ...streams);
      this.emit("pc", this.pc), this.#tellMedia();
    }
    this.#negotiation.receive(payload);
  }
  async #send(kind, body, isCurrent = () => !0) {
    let { room } = this.#setup, payload = { ...room ? { room } : { call: this.#id }, leg: this.#leg, ...body };
    this.#theirLeg && (payload.to_leg = this.#theirLeg);
    for (let tries = 1; ; tries++)
      try {
        await this.#setup.session.send(this.peer, payload, { kind, onQueued: () => {
          this.emit("queued", this);
        } }), kind === "offer" && this.#state === "calling" && this.#setState("ringing");
        return;
      } catch (error) {
        let { code } = error, mayPass = TRANSIENT.includes(code) || AWAY.includes(code) && this.#state === "accepted";
        if (this.isOver || !mayPass || tries === MAX_TRIES || !isCurrent())
          throw kind === "offer" && this.#state !== "accepted" && this.end(code), error;
        await new Promise((resolve) => setTimeout(resolve, backoffMs(tries + 2)));
      }
  }
  // States.
  #negotiate() {
    let { session, rtc } = this.#setup, negotiation = new Negotiation({
      rtc,
      iceServers: () => freshIceServers(session),
      isPolite: () => this.#isPolite(),
      mayOffer: () => this.isCaller || this.#state === "accepted",
      send: (kind, body, isCurrent) => this.#send(kind, body, isCurrent),
      onError: (error) => {
        this.emit("error", error);
      }
    }), { pc } = negotiation;
    return pc.ontrack = (event) => {
      this.emit("track", event);
    }, pc.ondatachannel = ({ channel }) => {
      this.emit("channel", channel);
    }, pc.onicecandidateerror = (event) => {
      let error = relayError(event);
      error && (this.#noPath = RELAY_REFUSED, this.emit("error", error));
    }, pc.onconnectionstatechange = () => this.#onConnection(pc.connectionState), negotiation;
  }
  #onConnection(state) {
    clearTimeout(this.#restart), state === "connected" && this.#expect(), (state === "disconnected" || state === "failed") && (this.#deadline || this.#expect("connection-lost", RECONNECT_WITHIN_MS), this.#restart = setTimeout(() => {
      this.#negotiation.restart();
    }, state === "failed" ? 0 : RESTART_AFTER_MS)), this.emit("connection", state);
  }
  /** Ends the call unless its next step happens in time. */
  #expect(reason, ms) {
    clearTimeout(this.#deadline), this.#deadline = reason ? setTimeout(() => this.end(reason === "no-path" ? this.#noPath : reason), ms) : void 0;
  }
  #accepted() {
    this.#expect("no-path", CONNECT_WITHIN_MS), this.#setState("accepted"), this.#tellMedia();
  }
  #setState(state) {
    this.#state = state, this.emit("state", { state, reason: this.#reason });
  }
  #finish(reason) {
    this.#reason = reason, this.#expect(), clearTimeout(this.#restart), this.#early = [], this.#offIce(), this.#negotiation.close(), this.#setup.onEnd(this), this.#setState(OWN_STATES.includes(reason) ? reason : "ended");
  }
};

// ../sdk/src/call/calls.ts
var STORAGE_KEY = "switchboard1-calls:", Calls = class extends Emitter {
  /** @internal */
  session;
  /** @internal */
  options;
  /** @internal The calls of rooms, by the rooms' names. */
  inRooms = /* @__PURE__ */ new Map();
  #calls = /* @__PURE__ */ new Set();
  constructor(session, options = {}) {
    super(), this.session = session, this.options = options;
    let off = session.on("message", (message) => this.#onMessage(message)), storage = storageOf(options.storage), key = STORAGE_KEY + globalThis.location?.pathname, left = take(storage, key), unwatch = watchPage({
      wake() {
      },
      hide: () => {
        this.#calls.size && save(storage, key, this.all.map(({ left: left2 }) => left2));
      },
      show: () => {
        take(storage, key);
      }
    });
    session.on("closed", () => {
      off(), unwatch();
    }), queueMicrotask(() => this.#restore(left));
  }
  /** The calls that are not over. */
  get all() {
    return [...this.#calls];
  }
  /**
   * Calls a peer, or accepts its call that rings here. Another call with this peer ends. It rings there for at most 45 s. Its
   * states and its end are events of the call.
   */
  call(peer, media) {
    for (let call of this.all.filter((its) => its.peer === peer)) {
      if (call.state === "ringing" && !call.isCaller) return call.accept(media);
      call.end("replaced");
    }
    return this.#add(peer, newId(), "calling", !0).accept(media);
  }
  #add(peer, id, state, isCaller) {
    let { rtc } = this.options, call = new Call({ session: this.session, rtc, peer, id, state, isCaller, onEnd: (ended) => {
      this.#calls.delete(ended);
    } });
    return this.#calls.add(call), call;
  }
  #onMessage(message) {
    let { type, from } = message, payload = readPayload(type, message.payload);
    if (!payload) {
      type !== "message" && this.emit("other", { message, why: "form" });
      return;
    }
    let { call, room, to_leg } = payload, inRoom = room && this.inRooms.get(room), refused = inRoom ? inRoom(message, payload) : "gone";
    if (!refused) return;
    let theirs = this.all.filter(({ peer }) => peer === from), mine = theirs.find(({ id }) => id === call);
    mine ? mine.receive(type, payload) : type !== "offer" ? this.emit("other", { message, why: "no-call" }) : room || to_leg ? this.#refuse(from, payload, refused) : theirs.some((mine2) => mine2.cross(payload)) || this.#ring(from, payload, theirs);
  }
  #ring(from, payload, theirs) {
    for (let old of theirs) old.end("replaced");
    if (this.#calls.size >= (this.options.limit ?? 1)) return this.#refuse(from, payload, "busy");
    let call = this.#add(from, payload.call, "ringing", !1);
    call.receive("offer", payload), this.emit("incoming", call) || call.end("declined");
  }
  #refuse(peer, { call, room, leg }, reason) {
    this.session.send(peer, { call, room, leg: newId(), to_leg: leg, reason }, { kind: "bye" });
  }
  #restore(left) {
    for (let [peer, id, state, isCaller, early] of readJson(left) ?? []) {
      let call = this.#add(peer, id, state, isCaller);
      for (let payload of early) call.receive(payload.description ? "offer" : "candidate", payload);
      isCaller && state !== "accepted" ? call.end() : this.emit(state === "accepted" ? "restored" : "incoming", call) || call.end("gone");
    }
  }
}, calls = (session, options) => new Calls(session, options);

// ../sdk/src/call/media.ts
async function shareScreen(call, options = { video: !0 }) {
  let stream = await navigator.mediaDevices.getDisplayMedia(options), stop = () => {
    for (let track of stream.getTracks())
      track.stop(), call.isOver || call.removeTrack(track);
  };
  for (let track of stream.getTracks())
    call.addTrack(track, stream), track.onended = stop;
  return { stream, stop };
}
async function switchDevice(call, stream, kind, deviceId) {
  let fresh = await navigator.mediaDevices.getUserMedia({ [kind]: { deviceId: { exact: deviceId } } }), [track] = fresh.getTracks();
  for (let old of stream.getTracks().filter((its) => its.kind === kind))
    track.enabled = old.enabled, await call.replaceTrack(old, track), stream.removeTrack(old), old.stop();
  return stream.addTrack(track), track;
}
function watchDevices(handler) {
  let { mediaDevices } = navigator, report = async () => handler(await mediaDevices.enumerateDevices());
  return mediaDevices.addEventListener("devicechange", report), report(), () => mediaDevices.removeEventListener("devicechange", report);
}

// ../sdk/src/call/stats.ts
async function* stats(call, everyMs = 1e3) {
  let bytes = /* @__PURE__ */ new Map();
  for (; !call.isOver; ) {
    let reports = new Map(await call.pc.getStats()), next = /* @__PURE__ */ new Map(), flows = [], pair;
    for (let [id, report] of reports) {
      report.type === "transport" && (pair = reports.get(report.selectedCandidatePairId));
      let direction = { "inbound-rtp": "in", "outbound-rtp": "out" }[report.type];
      if (!direction) continue;
      let now2 = [report.timestamp, report.bytesReceived ?? report.bytesSent], [at, had] = bytes.get(id) ?? now2;
      next.set(id, now2);
      let theirs = reports.get(report.remoteId) ?? {}, seen = direction === "in" ? report : theirs;
      flows.push({
        direction,
        kind: report.kind,
        bits_per_second: (now2[1] - had) * 8e3 / (now2[0] - at || 1),
        lost: seen.packetsLost ?? 0,
        jitter_ms: (seen.jitter ?? 0) * 1e3,
        frames_per_second: report.framesPerSecond ?? 0
      });
    }
    bytes = next;
    let [local, remote] = [reports.get(pair?.localCandidateId), reports.get(pair?.remoteCandidateId)];
    yield {
      path: { local: local?.candidateType ?? "", remote: remote?.candidateType ?? "", protocol: local?.protocol ?? "" },
      rtt_ms: (pair?.currentRoundTripTime ?? 0) * 1e3,
      flows
    }, await new Promise((resolve) => setTimeout(resolve, Math.max(everyMs, 100)));
  }
}

// ../sdk/src/room-call/room_call.ts
var MAX_PEOPLE = 8, MAX_LEGS = 2 * MAX_PEOPLE, MAX_TRIES2 = 5, MEANT = ["hung-up", "gone", "busy", "left", "lost", "kicked", "expired"], RoomCall = class extends Emitter {
  /** The room whose members are in the call. */
  room;
  #calls;
  #receive;
  /** With each other person, also before they accept. */
  #legs = /* @__PURE__ */ new Map();
  #participants = /* @__PURE__ */ new Map();
  #tracks = /* @__PURE__ */ new Map();
  /** Calls without a connection, by peer. */
  #tries = /* @__PURE__ */ new Map();
  #offs;
  #media;
  #isOver = !1;
  /** @internal */
  constructor(calls2, room, { stream, receive }) {
    super(), this.room = room, this.#calls = calls2, this.#receive = receive;
    let { size } = room.members;
    if (!size || size > MAX_PEOPLE) throw new SwitchboardError("room-full", `${room.count} members, at most ${MAX_PEOPLE} can call each other`);
    if (calls2.inRooms.has(room.name)) throw new SwitchboardError("not-allowed", "this page is in the call of this room");
    for (let track of stream?.getTracks() ?? []) this.#tracks.set(track, [stream]);
    calls2.inRooms.set(room.name, (message, payload) => this.#onMessage(message, payload)), this.#offs = [
      room.on("roster", () => this.#onRoster()),
      room.on("peer-joined", ({ peer }) => this.#admit(peer)),
      room.on("peer-left", ({ peer, reason }) => this.#onPeerLeft(peer, reason)),
      room.on("left", ({ reason }) => this.#end(reason))
    ], queueMicrotask(() => this.#onRoster());
  }
  /** The others in the call, by their peer IDs. A member of the room that is not here is not in the call. */
  get participants() {
    return this.#participants;
  }
  /** Whether this side is not in the call any more. */
  get isOver() {
    return this.#isOver;
  }
  /** Leaves the call, and stays in the room. */
  leave() {
    this.#end("hung-up");
  }
  // Local media.
  /** Sends another track to everybody. */
  addTrack(track, ...streams) {
    this.#tracks.set(track, streams);
    for (let leg of this.#started()) leg.addTrack(track, ...streams);
  }
  /** Stops to send a track. */
  removeTrack(track) {
    this.#tracks.delete(track);
    for (let leg of this.#started()) leg.removeTrack(track);
  }
  /** Sends another track of the same kind instead. The others notice nothing. */
  async replaceTrack(old, track) {
    this.#tracks.set(track, this.#tracks.get(old) ?? []), this.#tracks.delete(old), await Promise.all(this.#started().map((leg) => leg.replaceTrack(old, track)));
  }
  /** Tells everybody what this side mutes, also those that come later. */
  setMedia(media) {
    this.#media = media;
    for (let leg of this.#legs.values()) leg.setMedia(media);
  }
  // Members.
  #onRoster() {
    let { members } = this.room;
    for (let peer of this.#legs.keys()) members.has(peer) || this.#onPeerLeft(peer, "lost");
    for (let peer of members.keys())
      this.#legs.has(peer) ? this.#admit(peer) : this.#dial(peer);
  }
  /** Accepts the call of a member. */
  #admit(peer) {
    let leg = this.#legs.get(peer);
    leg && isWaiting(leg) && this.room.members.has(peer) && this.#start(leg);
  }
  #dial(peer) {
    !this.#isOver && peer !== this.#calls.session.welcome?.peer && this.#start(this.#leg(peer, !0));
  }
  /** The session of a lost member ended. A path that still works does not need it. */
  #onPeerLeft(peer, reason) {
    let leg = this.#legs.get(peer);
    leg && (reason !== "lost" || leg.pc.connectionState !== "connected") && leg.end(reason);
  }
  // Calls with each of them.
  #onMessage({ type, from }, payload) {
    let leg = this.#legs.get(from);
    if (!leg) {
      if (type !== "offer" || payload.to_leg) return "gone";
      if (this.#legs.size >= MAX_LEGS) return "busy";
      leg = this.#leg(from, !1);
    }
    leg.receive(type, payload), this.#admit(from);
  }
  #leg(peer, isCaller) {
    let { session, options } = this.#calls, state = isCaller ? "calling" : "ringing", leg = new Call({ session, rtc: options.rtc, peer, id: "", room: this.room.name, state, isCaller, onEnd() {
    } });
    return this.#legs.set(peer, leg), leg.on("state", ({ state: state2 }) => this.#onState(leg, state2)), leg.on("connection", (state2) => {
      state2 === "connected" ? this.#tries.delete(peer) : this.room.members.has(peer) || leg.end("lost");
    }), this.#media && leg.setMedia(this.#media), leg;
  }
  #start(leg) {
    for (let [track, streams] of this.#tracks) leg.addTrack(track, ...streams);
    leg.accept(this.#receive && { receive: this.#receive });
  }
  #started() {
    return [...this.#legs.values()].filter((leg) => !isWaiting(leg));
  }
  #onState(leg, state) {
    let { peer, reason } = leg;
    if (state === "accepted" && (this.#participants.set(peer, leg), this.emit("joined", leg)), !leg.isOver || (this.#legs.delete(peer), this.#participants.delete(peer) && this.emit("left", leg), MEANT.includes(reason) || this.#isOver || !this.room.members.has(peer))) return;
    this.emit("failed", leg);
    let tries = (this.#tries.get(peer) ?? 0) + 1;
    this.#tries.set(peer, tries), !(tries > MAX_TRIES2) && setTimeout(() => {
      this.room.members.has(peer) && !this.#legs.has(peer) && this.#dial(peer);
    }, backoffMs(tries));
  }
  #end(reason) {
    if (!this.#isOver) {
      this.#isOver = !0;
      for (let off of this.#offs) off();
      for (let leg of this.#legs.values()) leg.end(reason);
      this.#calls.inRooms.delete(this.room.name), this.emit("ended", { reason });
    }
  }
}, isWaiting = (leg) => leg.state === "ringing" && !leg.isCaller, roomCall = (calls2, room, options = {}) => new RoomCall(calls2, room, options);
export {
  RoomCall,
  SwitchboardError,
  calls,
  connect,
  presence,
  roomCall,
  rooms,
  shareScreen,
  stats,
  switchDevice,
  watchDevices,
  webSocket,
  withFallbacks
};
