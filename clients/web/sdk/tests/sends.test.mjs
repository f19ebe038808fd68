// Sends and their outcomes, on two real nodes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { arrived, LONG, mint, next, startNodes, startPeer } from './support/peers.mjs';

test('sends between two nodes are delivered once and in order', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [startPeer(t, nodes, 'alice'), startPeer(t, nodes, 'bob')];
  const [first, second] = await Promise.all([alice.connected(), bob.connected()]);
  assert.notEqual(first.node, second.node);
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, n) => alice.send('bob', { n })));
  assert.ok(outcomes.every(({ status }) => status === 'delivered'));
  assert.deepEqual(bob.messages.map(({ payload }) => payload.n), Array.from({ length: 100 }, (_, n) => n));
  assert.equal(bob.messages[0].from, 'alice');
});

test('a send that cannot arrive fails with the reason of the node', LONG, async (t) => {
  const alice = startPeer(t, await startNodes(t, ['n1']), 'alice');
  await assert.rejects(alice.send('nobody', 1), { code: 'peer-offline' });
});

test('a send over a bound fails at once and costs the other sends nothing', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  const [alice, bob] = [startPeer(t, nodes, 'alice'), startPeer(t, nodes, 'bob')];
  await assert.rejects(alice.send('no such name', 1), { code: 'bad-id' });
  await assert.rejects(alice.send('b'.repeat(129), 1), { code: 'bad-id' });
  const circle = {};
  circle.circle = circle;
  await assert.rejects(alice.send('bob', circle), TypeError);
  await bob.connected();
  const [large, small] = await Promise.allSettled([alice.send('bob', 'ü'.repeat(40_000)), alice.send('bob', 'small')]);
  assert.equal(large.reason.code, 'payload-too-large');
  assert.equal(small.value?.status, 'delivered');
  assert.deepEqual(alice.states, ['connected']);
});

test('an outbox without a connection is bounded in messages and in bytes', LONG, async (t) => {
  const unreachable = { balancer: { url: 'http://127.0.0.1:1' }, secret: 'none' };
  const fill = async ([payload, bound]) => {
    const alice = startPeer(t, unreachable, 'alice');
    const sends = Array.from({ length: bound + 5 }, () => alice.send('bob', payload).catch((error) => error.code));
    assert.equal(await sends.at(-1), 'queue-full');
    await alice.close();
    const codes = await Promise.all(sends);
    assert.equal(codes.filter((code) => code === 'closed').length, bound);
  };
  await Promise.all([[1, 512], ['x'.repeat(100_000), 10]].map(fill));
});

test('a send to a detached peer is reported as queued, and then delivered', LONG, async (t) => {
  const nodes = await startNodes(t);
  const alice = startPeer(t, nodes, 'alice');
  // An attempt before may also need a second token: the machine may be slow.
  let isAway = false;
  let comesBack;
  const isBack = new Promise((resolve) => (comesBack = resolve));
  const getToken = async () => {
    if (isAway) await isBack;
    return mint(nodes.secret, 'bob');
  };
  const bob = startPeer(t, nodes, 'bob', { getToken });
  await Promise.all([alice.connected(), bob.connected()]);
  isAway = true;
  const lost = next(bob, 'state', ({ state }) => state === 'reconnecting');
  nodes.balancer.cut();
  await lost;
  const waits = new Promise((onQueued) => {
    alice.send('bob', 'hello', { onQueued }).then(() => alice.delivered());
  });
  const delivered = new Promise((resolve) => (alice.delivered = resolve));
  await waits;
  comesBack();
  await Promise.all([delivered, arrived(bob, 1)]);
  assert.equal(bob.messages.length, 1);
});

test('closing waits for the outcomes of the last sends', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [startPeer(t, nodes, 'alice'), startPeer(t, nodes, 'bob')];
  await Promise.all([alice.connected(), bob.connected()]);
  const last = alice.send('bob', 'bye', { kind: 'bye' });
  await alice.close();
  assert.equal((await last).status, 'delivered');
  await assert.rejects(alice.send('bob', 'late'), { code: 'closed' });
  assert.equal(alice.state, 'closed');
});
