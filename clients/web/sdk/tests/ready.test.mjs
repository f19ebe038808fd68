// What a session learns from a real node that refuses it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { LONG, mint, next, startNodes, startPeer } from './support/peers.mjs';

test('an expired token is refused by name, and a session without a better one ends', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  const alice = startPeer(t, nodes, 'alice', { getToken: () => mint(nodes.secret, 'alice', { ttl_s: -60 }) });
  const refusals = [];
  alice.on('refused', (refusal) => refusals.push(refusal));
  const closed = await next(alice, 'closed');
  for (const { status, code } of refusals) {
    assert.equal(status, 401);
    assert.match(code, /^token-/);
  }
  assert.equal(closed.code, 401);
  // Each says how long ago the token ended, so they differ.
  assert.equal(closed.reason, refusals.at(-1).message);
});

test('a session whose first token was too old continues with the next one', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  let tokens = 0;
  const alice = startPeer(t, nodes, 'alice', { getToken: () => mint(nodes.secret, 'alice', { ttl_s: tokens++ ? 60 : -60 }) });
  const refusal = next(alice, 'refused');
  assert.equal((await alice.connected()).peer, 'alice');
  assert.equal((await refusal).status, 401);
  // Another attempt may have failed on a busy machine, which needs another token.
  assert.ok(tokens >= 2, `${tokens} tokens`);
});

test('a peer ID that no node accepts ends the session at once', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1']);
  const odd = startPeer(t, nodes, 'no such name');
  const { code, reason } = await next(odd, 'closed');
  assert.equal(code, 403);
  assert.ok(reason.length > 10, reason);
});
