// Sessions of the built package in Node, on real nodes, and waits for their events.
import { WebSocket } from 'ws';
import { connect, webSocket } from '../../dist/index.js';
import { mint } from './tokens.mjs';

export { startNodes } from './nodes.mjs';
export { mint };
export const LONG = { timeout: 60_000 };

/** A session of `peer`. `messages` has what arrived. */
export function startPeer(t, { secret, balancer }, peer, options = {}) {
  const session = connect({
    url: balancer.url,
    getToken: () => mint(secret, peer, options.claims),
    transport: webSocket(WebSocket),
    ...options,
  });
  session.messages = [];
  session.states = [];
  session.on('message', (message) => session.messages.push(message));
  session.on('state', ({ state }) => session.states.push(state));
  t.after(() => session.close());
  return session;
}

/** The next event of this type. */
export const next = (emitter, type, isWanted = () => true) =>
  new Promise((resolve) => {
    const off = emitter.on(type, (event) => {
      if (!isWanted(event)) return;
      off();
      resolve(event);
    });
  });

/** Waits until `count` messages arrived. */
export const arrived = async (session, count) => {
  while (session.messages.length < count) await next(session, 'message');
};
