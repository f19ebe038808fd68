// Networks that stop WebSockets, and those that hold event streams back: the same sessions, on every node.
import assert from 'node:assert/strict';
import test from 'node:test';
import { WebSocket } from 'ws';
import { webSocket } from '../dist/index.js';
import { withFallbacks } from '../dist/fallback.js';
import { arrived, LONG, next, startNodes, startPeer } from './support/peers.mjs';
import { settled } from './support/script.mjs';

const SENDS = 60;
const NETWORKS = [
  ['websocket', []],
  ['events', ['websocket']],
  ['polling', ['websocket', '/v1/events']],
];

function startFallbackPeer(t, nodes, peer, options = {}) {
  const used = [];
  const transport = withFallbacks({ websocket: webSocket(WebSocket), onUse: (name) => used.push(name) });
  return Object.assign(startPeer(t, nodes, peer, { transport, ...options }), { used });
}

async function blocked(t, blocks) {
  const nodes = await startNodes(t);
  for (const what of blocks) nodes.balancer.blocked.add(what);
  const [alice, bob] = [startFallbackPeer(t, nodes, 'alice'), startFallbackPeer(t, nodes, 'bob')];
  await Promise.all([alice.connected(), bob.connected()]);
  return { nodes, alice, bob };
}

for (const [name, blocks] of NETWORKS) {
  test(`where ${blocks.join(' and ') || 'nothing'} is stopped, ${name} carries a session over any node`, LONG, async (t) => {
    const { nodes, alice, bob } = await blocked(t, blocks);
    assert.deepEqual([alice.used, bob.used], [[name], [name]]);
    const sends = [...Array(SENDS).keys()];
    const outcomes = sends.map((n) => alice.send('bob', n));
    assert.deepEqual((await Promise.all(outcomes)).map(({ status }) => status), sends.map(() => 'delivered'));
    // The node that has both sessions, or one of them, dies with sends under way.
    const victim = bob.welcome.node;
    const more = sends.map((n) => alice.send('bob', SENDS + n));
    nodes.balancer.targets.delete(victim);
    await nodes.nodes.get(victim).kill();
    await Promise.all(more);
    await arrived(bob, 2 * SENDS);
    assert.deepEqual(bob.messages.map(({ payload }) => payload), [...Array(2 * SENDS).keys()]);
  });
}

test('a transport that worked is tried first, and the others when it stops working', LONG, async (t) => {
  const { nodes, alice } = await blocked(t, ['websocket']);
  nodes.balancer.blocked.clear();
  nodes.balancer.blocked.add('/v1/events');
  const welcome = next(alice, 'welcome');
  const victim = alice.welcome.node;
  nodes.balancer.targets.delete(victim);
  await nodes.nodes.get(victim).kill();
  await welcome;
  assert.deepEqual(alice.used, ['events', 'websocket']);
});

test('a session that is closed ends on the node over each transport', LONG, async (t) => {
  for (const [name, blocks] of NETWORKS) {
    const { alice, bob } = await blocked(t, blocks);
    await bob.close();
    const error = await alice.send('bob', 1).catch((error) => error);
    assert.equal(error.code, 'peer-offline', name);
  }
});

test('a node that refuses is not asked over every transport', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  const alice = startFallbackPeer(t, nodes, 'alice', { getToken: () => 'no token' });
  const refused = await next(alice, 'refused');
  assert.equal(refused.status, 401);
  await settled();
  assert.deepEqual(alice.used, []);
});

test('a token is renewed over each transport, and commands go on with the new one', LONG, async (t) => {
  for (const blocks of [['websocket'], ['websocket', '/v1/events']]) {
    const nodes = await startNodes(t, ['n1']);
    for (const what of blocks) nodes.balancer.blocked.add(what);
    const alice = startFallbackPeer(t, nodes, 'alice', { claims: { ttl_s: 4 } });
    await alice.connected();
    // The token ends within 60 s, so the node asks for a new one at once.
    const { token_expires_at: first } = alice.welcome;
    await next(alice, 'renewed', ({ token_expires_at }) => token_expires_at >= first);
    assert.equal((await alice.send('alice', 1)).status, 'delivered');
  }
});
