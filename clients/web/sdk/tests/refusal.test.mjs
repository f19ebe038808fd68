// Why a node refused a connection, which a page cannot see in the handshake.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import { next } from './support/peers.mjs';
import { scripted } from './support/script.mjs';

/** A node that answers `GET /v1/ready` with these in turn. */
async function refusing(t, answers, otherNodes = []) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request);
    const { status, headers = {}, problem = {} } = answers[Math.min(asked.length, answers.length) - 1];
    response.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify(problem));
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return { asked, ...scripted(t, { url: [`ws://127.0.0.1:${server.address().port}/v1/ws`, ...otherNodes] }) };
}

test('a refused origin ends the session with the words of the node', async (t) => {
  const { session, attempt, of, asked } = await refusing(t, [{ status: 403, problem: { code: 'origin-not-allowed', detail: 'add it to allowed_origins' } }]);
  const closed = next(session, 'closed');
  (await attempt()).close(1006);
  assert.deepEqual(await closed, { code: 403, reason: 'add it to allowed_origins' });
  assert.deepEqual(of('refused').map(({ status, code }) => [status, code]), [[403, 'origin-not-allowed']]);
  assert.equal(asked[0].url, '/v1/ready?acks=client');
  assert.equal(asked[0].headers.authorization, 'Bearer token');
});

test('a refused token is replaced once, and a second one ends the session', async (t) => {
  const { session, attempt, opened } = await refusing(t, [{ status: 401, problem: { code: 'token-expired', detail: 'it ended' } }]);
  const closed = next(session, 'closed');
  (await attempt()).close(1006);
  (await attempt()).close(1006);
  assert.equal((await closed).code, 401);
  assert.equal(opened.length, 2);
});

test('a full node is asked again, not before the time that it names', async (t) => {
  const { session, attempt, of } = await refusing(t, [{ status: 503, headers: { 'retry-after': '1' }, problem: { code: 'full', detail: 'full' } }]);
  (await attempt()).close(1006);
  const { retryAfterMs } = await next(session, 'refused');
  const before = performance.now();
  (await attempt()).welcome({ resumed: false });
  assert.ok(performance.now() - before > 950);
  assert.equal(retryAfterMs, 1_000);
  await session.connected();
  assert.equal(of('closed').length, 0);
});

test('a client that knows another node asks that one without the wait', async (t) => {
  const { attempt, session } = await refusing(t, [{ status: 503, headers: { 'retry-after': '50' }, problem: { code: 'draining', detail: 'draining' } }], ['https://other.example']);
  (await attempt()).close(1006);
  const other = await attempt();
  assert.equal(other.request.base, 'https://other.example');
  other.welcome({ resumed: false });
  await session.connected();
});

test('a node that does not know the question costs nothing but a wait', async (t) => {
  const { session, attempt, of } = await refusing(t, [{ status: 404 }]);
  (await attempt()).close(1006);
  (await attempt()).welcome();
  await session.connected();
  assert.deepEqual(of('refused'), []);
});

test('a resume that the node does not understand is given up, not repeated for ever', async (t) => {
  const { session, attempt } = await refusing(t, [{ status: 400, problem: { code: 'seen-invalid', detail: 'no' } }]);
  const first = await attempt();
  first.welcome();
  await session.connected();
  first.close(1006);
  const second = await attempt();
  assert.equal(second.query.resume, 'token-1');
  second.close(1006);
  assert.deepEqual((await attempt()).query, { acks: 'client' });
});
