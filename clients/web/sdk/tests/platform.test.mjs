// What the package needs of its platform: the bundle runs where there is no page, for example in React Native.
import assert from 'node:assert/strict';
import test from 'node:test';
import vm from 'node:vm';
import { build } from 'esbuild';
import { WebSocket } from 'ws';
import { LONG, mint, next, startNodes } from './support/peers.mjs';

/** All that React Native has of a browser. It has no window, document, storage, EventSource, streams, AbortSignal.timeout or AbortSignal.any. */
const GLOBALS = {
  AbortController, clearInterval, clearTimeout, fetch, navigator: { product: 'ReactNative' }, performance, queueMicrotask, setInterval, setTimeout,
  TextEncoder, URL, URLSearchParams, WebSocket,
};

/** The package in a context that has only these globals. */
async function load(globals) {
  const contents = "export * from './dist/index.js'; export * from './dist/rooms.js'; export * from './dist/fallback.js'; export * from './dist/call.js'; export * from './dist/room-call.js';";
  const stdin = { contents, resolveDir: new URL('..', import.meta.url).pathname };
  const { outputFiles: [{ text }], warnings } = await build({ stdin, bundle: true, format: 'iife', globalName: 'sdk', target: 'es2022', write: false });
  assert.deepEqual(warnings, []);
  const context = vm.createContext({ ...globals });
  vm.runInContext(text, context);
  return vm.runInContext('sdk', context);
}

test('sessions and rooms need no page', LONG, async (t) => {
  const sdk = await load(GLOBALS);
  const { secret, balancer, nodes } = await startNodes(t);
  const start = (peer) => {
    const session = sdk.connect({ url: balancer.url, getToken: () => mint(secret, peer) });
    t.after(() => session.close());
    return session;
  };
  const [alice, bob] = [start('alice'), start('bob')];
  const phone = sdk.calls(bob);
  const { node } = await bob.connected();
  const theirs = await sdk.rooms(bob).join('lobby', { name: 'Bob' });
  const ours = await sdk.rooms(alice).join('lobby');
  assert.equal(ours.members.get('bob').info.name, 'Bob');
  const received = next(theirs, 'message');
  assert.equal((await ours.send({ text: 'hello' })).status, 'published');
  assert.equal((await received).payload.text, 'hello');
  const message = next(bob, 'message');
  const resumed = next(bob, 'welcome');
  nodes.get(node).kill();
  assert.equal((await resumed).resumed, true);
  assert.equal((await alice.send('bob', 1)).status, 'delivered');
  assert.equal((await message).payload, 1);
  assert.equal(phone.all.length, 0);
});

test('a platform without the means of a fallback goes on with WebSocket', LONG, async (t) => {
  const sdk = await load(GLOBALS);
  const { secret, balancer } = await startNodes(t, ['n1']);
  let attempts = 0;
  const websocket = (request, listener) => {
    if (attempts++) return sdk.webSocket()(request, listener);
    queueMicrotask(() => listener.close(1006, ''));
    return { send() {}, waiting: () => 0, close() {} };
  };
  const session = sdk.connect({ url: balancer.url, getToken: () => mint(secret, 'alice'), transport: sdk.withFallbacks({ websocket }) });
  t.after(() => session.close());
  assert.equal((await session.connected()).peer, 'alice');
  assert.equal(attempts, 2);
});
