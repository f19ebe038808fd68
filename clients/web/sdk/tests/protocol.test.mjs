// What a session answers to a node, frame by frame.
import assert from 'node:assert/strict';
import test from 'node:test';
import { scripted, settled } from './support/script.mjs';

test('a new message is acknowledged, a repeated one again, and a late one is refused', async (t) => {
  const { attempt, of } = scripted(t);
  const node = await attempt();
  assert.deepEqual(node.query, { acks: 'client' });
  node.welcome();
  await settled();
  node.message(1, 's/1');
  node.message(2, 's/5');
  node.message(3, 's/5');
  node.message(4, 's/3');
  node.message(5, 's/~1');
  node.message(6, 't/1');
  assert.deepEqual(of('message').map(({ mid }) => mid), ['s/1', 's/5', 's/~1', 't/1']);
  assert.deepEqual(node.sent, [1, 2, 3, 4, 5, 6].map((seq) => (seq === 4 ? { type: 'ack', seq, late: true } : { type: 'ack', seq })));
});

test('a resume repeats the sends without an outcome, with the same ids, oldest first', async (t) => {
  const { session, attempt } = scripted(t);
  const sends = ['a', 'b', 'c'].map((payload) => session.send('bob', payload));
  const first = await attempt();
  first.welcome();
  await settled();
  assert.deepEqual(first.sent.map(({ id, payload }) => [id, payload]), [[1, 'a'], [2, 'b'], [3, 'c']]);
  first.message(7, 's/1');
  first.frame({ type: 'receipt', id: 2, status: 'delivered' });
  assert.deepEqual(await sends[1], { type: 'receipt', id: 2, status: 'delivered' });
  first.close(1006);
  const second = await attempt();
  assert.deepEqual(second.query, { acks: 'client', resume: 'token-1', seen: '7' });
  second.welcome();
  await settled();
  assert.deepEqual(second.sent.map(({ id }) => id), [1, 3]);
  second.frame({ type: 'receipt', id: 1, status: 'queued' });
  second.frame({ type: 'error', id: 3, code: 'timeout', message: 'x'.repeat(9_000), retry_after_ms: 5 });
  await assert.rejects(sends[2], ({ code, message, retryAfterMs }) => code === 'timeout' && message.length <= 300 && retryAfterMs === 5);
});

test('a lost session fails what was transmitted and keeps what was not', async (t) => {
  const { session, attempt } = scripted(t);
  const first = await attempt();
  first.welcome();
  await settled();
  const sent = session.send('bob', 1);
  first.close(1006);
  await settled();
  const kept = session.send('bob', 2);
  const second = await attempt();
  second.welcome({ resumed: false });
  await assert.rejects(sent, { code: 'timeout' });
  await settled();
  assert.deepEqual(second.sent.map(({ id }) => id), [2]);
  second.frame({ type: 'receipt', id: 2, status: 'delivered' });
  await kept;
});

test('no more sends are under way than the node allows', async (t) => {
  const { session, attempt } = scripted(t);
  const node = await attempt();
  node.welcome({ limits: { message_bytes: 100, pending_messages: 2, messages_per_second: 1 } });
  const sends = [1, 'x'.repeat(100), 2, 3].map((payload) => session.send('bob', payload));
  await assert.rejects(sends[1], { code: 'payload-too-large' });
  assert.deepEqual(node.sent.map(({ id }) => id), [1, 3]);
  node.frame({ type: 'receipt', id: 1, status: 'delivered' });
  assert.deepEqual(node.sent.map(({ id }) => id), [1, 3, 4]);
});

test('no more bytes are under way than the node reads', async (t) => {
  const { session, attempt } = scripted(t);
  const node = await attempt();
  node.welcome({ limits: { message_bytes: 1_000, pending_messages: 9, pending_bytes: 1_000 } });
  for (const size of [600, 2_000, 200, 600]) session.send('bob', 'x'.repeat(size));
  await settled();
  assert.deepEqual(node.sent.map(({ id }) => id), [1, 3]);
  node.frame({ type: 'receipt', id: 1, status: 'delivered' });
  assert.deepEqual(node.sent.map(({ id }) => id), [1, 3, 4]);
});

test('after goaway the messages of the old connection precede those of the new one', async (t) => {
  const { attempt, of, session } = scripted(t);
  const old = await attempt();
  old.welcome();
  await settled();
  old.message(1, 's/1');
  old.frame({ type: 'goaway', reason: 'draining', reconnect_after_ms: 0 });
  const next = await attempt();
  assert.equal(next.query.seen, '1');
  next.welcome();
  await settled();
  next.message(2, 's/3');
  old.message(2, 's/2');
  old.close(1000);
  await settled();
  await settled();
  assert.deepEqual(of('message').map(({ mid }) => mid), ['s/1', 's/2', 's/3']);
  assert.deepEqual(of('state').map(({ state }) => state), ['connected']);
  next.message(3, 's/2');
  assert.deepEqual(next.sent, [{ type: 'ack', seq: 2 }, { type: 'ack', seq: 3 }]);
  assert.equal(session.welcome.node, 'n2');
});

test('a silent connection is given up, and one that still takes bytes is not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { attempt, of } = scripted(t);
  const node = await attempt();
  node.welcome();
  await settled();
  t.mock.timers.tick(25_000);
  assert.deepEqual(node.sent, [{ type: 'ping' }]);
  node.frame({ type: 'pong', time_ms: 1 });
  node.waiting = 100_000;
  t.mock.timers.tick(25_000);
  node.waiting = 0;
  t.mock.timers.tick(7_000);
  assert.equal(node.closed, undefined, 'bytes go, so the ping may wait behind them');
  t.mock.timers.tick(7_000);
  assert.equal(node.closed, 'detached');
  await settled();
  assert.equal(of('state').at(-1).why, 'no answer to a ping');
});

test('a client that need not move tries once and stays', async (t) => {
  const { attempt, opened, of } = scripted(t);
  const node = await attempt();
  node.welcome();
  await settled();
  node.frame({ type: 'goaway', reason: 'rebalancing', reconnect_after_ms: 0 });
  (await attempt()).close(1006);
  await settled();
  node.message(1, 's/1');
  assert.deepEqual(node.sent, [{ type: 'ack', seq: 1 }]);
  assert.equal(opened.length, 2);
  assert.deepEqual(of('state').map(({ state }) => state), ['connected']);
});

test('a close that an own unanswered attempt caused does not end the session', async (t) => {
  const { attempt, of } = scripted(t);
  (await attempt()).close(1006);
  const second = await attempt();
  second.welcome();
  await settled();
  second.close(4409, 'replaced');
  const third = await attempt();
  third.welcome();
  await settled();
  third.close(4409, 'replaced');
  await settled();
  assert.deepEqual(of('closed'), [{ code: 4409, reason: 'replaced' }]);
});

test('frames that this version does not know harm nothing and are events of their own', async (t) => {
  const { attempt, of } = scripted(t);
  const node = await attempt();
  node.welcome();
  await settled();
  for (const raw of ['', 'null', '[1]', '{"type":7}', '"text"', '{']) node.raw(raw);
  node.frame({ type: 'weather', sun: true });
  node.frame({ type: 'receipt', id: 99, status: 'delivered' });
  node.frame({ type: 'error', code: 'rate-limited', message: 'slower' });
  assert.deepEqual(of('weather'), [{ type: 'weather', sun: true }]);
  assert.deepEqual(of('error').map(({ code }) => code), ['rate-limited']);
});

test('a handler that throws costs no other handler its event, and the message is acknowledged', async (t) => {
  const { session, attempt, of } = scripted(t);
  const uncaught = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  session.on('message', () => {
    throw new Error('of the application');
  });
  const node = await attempt();
  node.welcome();
  await settled();
  node.message(1, 's/1');
  assert.equal((await uncaught).message, 'of the application');
  assert.equal(of('message').length, 1);
  assert.deepEqual(node.sent, [{ type: 'ack', seq: 1 }]);
});
