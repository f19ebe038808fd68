// Lost connections, killed and draining nodes, ending tokens: sends keep their outcomes, messages come once and in order.
import assert from 'node:assert/strict';
import test from 'node:test';
import { arrived, LONG, mint, next, startNodes, startPeer } from './support/peers.mjs';

const SENDS_UNDER_WAY = 5;
const MIN_SENDS = 50;
/** Below the burst that a node allows. */
const MAX_SENDS = 1500;

/** Sends from one peer to the other until `during` is over. Returns what must have arrived. */
async function sendDuring(from, to, during) {
  let isOver = false;
  const outcomes = [];
  const sending = (async () => {
    for (let n = 0; (!isOver || n < MIN_SENDS) && n < MAX_SENDS; n++) {
      outcomes.push(from.send(to, n).then(() => n, (error) => error));
      await outcomes[n - SENDS_UNDER_WAY];
    }
  })();
  await during();
  isOver = true;
  await sending;
  return Promise.all(outcomes);
}

/** Every send was delivered, once and in order. */
function assertComplete(outcomes, messages) {
  assert.deepEqual(outcomes.filter((outcome) => outcome instanceof Error), []);
  assert.deepEqual(messages.map(({ payload }) => payload), outcomes);
}

test('cut connections lose, double and reorder nothing', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [startPeer(t, nodes, 'alice'), startPeer(t, nodes, 'bob')];
  await Promise.all([alice.connected(), bob.connected()]);
  const outcomes = await sendDuring(alice, 'bob', async () => {
    for (let cut = 0; cut < 5; cut++) {
      const back = [alice, bob].map((session) => next(session, 'welcome'));
      nodes.balancer.cut();
      assert.ok((await Promise.all(back)).every(({ resumed }) => resumed));
      await alice.send('bob', -1).then(() => bob.messages.splice(bob.messages.findIndex(({ payload }) => payload === -1), 1));
    }
  });
  assertComplete(outcomes, bob.messages);
});

test('peers of a killed node continue on the other one', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [startPeer(t, nodes, 'alice'), startPeer(t, nodes, 'bob')];
  const [{ node }] = await Promise.all([alice.connected(), bob.connected()]);
  const outcomes = await sendDuring(alice, 'bob', async () => {
    await arrived(bob, 20);
    nodes.balancer.targets.delete(node);
    const back = next(alice, 'welcome');
    await nodes.nodes.get(node).kill();
    const welcome = await back;
    assert.notEqual(welcome.node, node);
    assert.equal(welcome.resumed, true);
  });
  assertComplete(outcomes, bob.messages);
});

test('a draining node is left without an interruption', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [startPeer(t, nodes, 'alice'), startPeer(t, nodes, 'bob')];
  const [{ node }] = await Promise.all([alice.connected(), bob.connected()]);
  const outcomes = await sendDuring(alice, 'bob', async () => {
    nodes.balancer.targets.delete(node);
    const moved = next(alice, 'welcome');
    await Promise.all([nodes.nodes.get(node).stop(), moved]);
  });
  assertComplete(outcomes, bob.messages);
  assert.deepEqual(alice.states, ['connected'], 'the new connection came first');
});

test('a token that ends is renewed, and the session stays', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  let tokens = 0;
  const getToken = () => mint(nodes.secret, 'alice', { ttl_s: tokens++ ? 3600 : 3 });
  const alice = startPeer(t, nodes, 'alice', { getToken });
  const renewed = next(alice, 'renewed');
  const { token_expires_at } = await alice.connected();
  assert.ok((await renewed).token_expires_at > token_expires_at);
  while (Date.now() / 1000 < token_expires_at + 1) await assert.rejects(alice.send('nobody', 1), { code: 'peer-offline' });
  assert.deepEqual(alice.states, ['connected']);
});

test('a session without new tokens ends its connection and continues with the next token', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  let tokens = 0;
  const getToken = () => {
    tokens++;
    if (tokens === 2) throw new Error('the backend is away');
    return mint(nodes.secret, 'alice', { ttl_s: tokens > 2 ? 3600 : 2 });
  };
  const alice = startPeer(t, nodes, 'alice', { getToken });
  await alice.connected();
  const welcome = await next(alice, 'welcome');
  assert.equal(welcome.resumed, true);
  assert.deepEqual(alice.states, ['connected', 'reconnecting', 'connected']);
});

test('a second session of the same peer ends the first one, which stays away', LONG, async (t) => {
  const nodes = await startNodes(t);
  const first = startPeer(t, nodes, 'alice');
  await first.connected();
  const closed = next(first, 'closed');
  const second = startPeer(t, nodes, 'alice');
  assert.equal((await closed).code, 4409);
  await second.connected();
  assert.deepEqual(second.states, ['connected']);
});
