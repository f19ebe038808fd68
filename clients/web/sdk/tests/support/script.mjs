// A transport that the test plays by hand: what a node does at a chosen moment, without a node.
import { connect } from '../../dist/index.js';

/** `opened` has the attempts; each has `sent` frames, and the functions of a node. */
export function scripted(t, options = {}) {
  const opened = [];
  const waiting = [];
  const transport = (request, listener) => {
    const attempt = {
      request,
      query: Object.fromEntries(request.query),
      sent: [],
      closed: undefined,
      waiting: 0,
      frame: (frame) => listener.frame(JSON.stringify(frame)),
      raw: listener.frame,
      close: (code, reason = '') => listener.close(code, reason),
      message: (seq, mid, payload = seq) => attempt.frame({ type: 'message', from: 'bob', mid, seq, payload }),
      welcome: (more = {}) =>
        attempt.frame({
          type: 'welcome', peer: 'alice', tenant: 'default', session: 's', node: `n${opened.length}`, resumed: opened.length > 1, gap: false,
          resume_token: `token-${opened.length}`, resume_window_ms: 60_000, heartbeat_ms: 25_000, token_expires_at: 0, ice_servers: [],
          limits: { message_bytes: 65_536, pending_messages: 64, messages_per_second: 1_000 }, ...more,
        }),
    };
    opened.push(attempt);
    waiting.shift()?.(attempt);
    return {
      waiting: () => attempt.waiting,
      send: (text) => attempt.sent.push(JSON.parse(text)),
      close: (code) => (attempt.closed = code ?? 'detached'),
    };
  };
  const session = connect({ url: 'http://node.example', getToken: () => 'token', transport, storage: null, ...options });
  t.after(() => void session.close());
  const events = [];
  for (const type of ['state', 'welcome', 'message', 'error', 'closed', 'weather', 'outcome', 'refused']) session.on(type, (event) => events.push([type, event]));
  /** The next attempt that nobody has asked for yet. */
  let taken = 0;
  const attempt = async () => {
    const index = taken++;
    return opened[index] ?? new Promise((resolve) => waiting.push(resolve));
  };
  return { session, attempt, opened, of: (type) => events.filter(([its]) => its === type).map(([, event]) => event) };
}

/** Lets everything that is ready happen. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
