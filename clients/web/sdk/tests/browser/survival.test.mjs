// Calls and sessions of real pages through killed nodes, cut networks, reloads, glares and ending tokens.
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { callState, inCall, inCallWithin, movingPicture, twoPages, withTools } from '../support/pages.mjs';

/** A few in the gate. `SET_UPS_WITH_A_KILL=20 GLARES=1000` has more. */
const SET_UPS_WITH_A_KILL = Number(process.env.SET_UPS_WITH_A_KILL ?? 5);
const GLARES = Number(process.env.GLARES ?? 100);

/** The call itself gives up after 45 s. A message that the killed node had is sent again after its outcome, some seconds later. */
const SET_UP_WITHIN_MS = 45_000;
const longer = (ms) => ({ ...withTools, timeout: withTools.timeout + ms });

/** Ends the call on both pages. */
async function hangUp(alice, bob) {
  await alice.evaluate(() => sdk.call.end());
  await Promise.all([alice, bob].map((page) => page.waitForFunction(() => sdk.phone.all.length === 0)));
}

test('a node that is killed at a random moment of the set-up of a call does not stop the call', longer(SET_UPS_WITH_A_KILL * 30_000), async (t) => {
  const { nodes, alice, bob } = await twoPages(t, ['', '&answer=data']);
  const setUp = async () => {
    const start = performance.now();
    await alice.evaluate(() => void sdk.dialData('bob'));
    await Promise.all([alice, bob].map(inCallWithin(SET_UP_WITHIN_MS)));
    return performance.now() - start;
  };
  // The first one warms the browser up.
  let wholeMs;
  for (let round = 0; round < 3; round++) {
    wholeMs = await setUp();
    await hangUp(alice, bob);
  }
  const moments = [];
  for (let round = 0; round < SET_UPS_WITH_A_KILL; round++) {
    const page = round % 2 ? bob : alice;
    const victim = await page.evaluate(() => sdk.session.welcome.node);
    const momentMs = Math.random() * wholeMs;
    const killed = after(momentMs).then(() => {
      nodes.balancer.targets.delete(victim);
      return nodes.nodes.get(victim).kill();
    });
    const ms = await setUp();
    await killed;
    moments.push(`${Math.round(momentMs)} → ${Math.round(ms)}`);
    await nodes.start(victim);
    await Promise.all([alice, bob].map((its) => its.waitForFunction(() => sdk.session.state === 'connected')));
    await hangUp(alice, bob);
  }
  t.diagnostic(`${moments.length} of ${moments.length} calls established; set-up without a kill ${Math.round(wholeMs)} ms; moment of the kill → set-up in ms: ${moments.join(', ')}`);
});

test('a call goes on while Redis is restarted without its data, and still takes changes', withTools, async (t) => {
  const { nodes, alice, bob } = await twoPages(t);
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([alice, bob].map(inCall));
  await nodes.redis.restart();
  await movingPicture(bob, 10);
  // A change is an offer and an answer over the new Redis.
  await bob.evaluate(() => {
    const channel = sdk.call.pc.createDataChannel('after');
    channel.onopen = () => channel.send('not stuck');
  });
  await alice.waitForFunction(() => sdk.log.includes('channel: not stuck'), undefined, { timeout: 40_000 });
  await Promise.all([alice, bob].map((page) => movingPicture(page)));
  await hangUp(alice, bob);
});

test('media goes on while a node is killed', withTools, async (t) => {
  const { nodes, alice, bob } = await twoPages(t);
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([alice, bob].map(inCall));
  const victim = await alice.evaluate(() => sdk.session.welcome.node);
  nodes.balancer.targets.delete(victim);
  await nodes.nodes.get(victim).kill();
  await movingPicture(bob, 10);
  await alice.waitForFunction((node) => sdk.session.state === 'connected' && sdk.session.welcome.node !== node, victim);
  assert.deepEqual(await bob.evaluate(() => sdk.log), ['accepted']);
});

test('a call goes on while tokens end, and is on a session with a new one', withTools, async (t) => {
  const { alice, bob } = await twoPages(t, ['&ttl_s=2', '&answer=data']);
  const ends = await alice.evaluate(() => sdk.session.welcome.token_expires_at);
  await alice.evaluate(() => void sdk.dialData('bob'));
  await Promise.all([alice, bob].map(inCall));
  await alice.waitForFunction((end) => Date.now() / 1000 > end + 1 && sdk.session.state === 'connected', ends);
  await alice.evaluate(() => sdk.session.send('bob', 'after the end of the first token'));
  assert.equal(await alice.evaluate(() => sdk.call.pc.connectionState), 'connected');
  assert.deepEqual(await bob.evaluate(() => sdk.log), ['accepted']);
});

test('no call is stuck when both sides change it at the same time, again and again', longer(GLARES * 300), async (t) => {
  const { alice, bob } = await twoPages(t, ['', '&answer=data']);
  await alice.evaluate(() => void sdk.dialData('bob'));
  await Promise.all([alice, bob].map(inCall));
  // Each page changes the call whenever it likes, so their offers cross.
  const changes = async (glares) => {
    while (sdk.collisions < glares) {
      sdk.call.pc.restartIce();
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    }
    return true;
  };
  await Promise.race([alice, bob].map((page) => page.evaluate(changes, GLARES)));
  t.diagnostic(`${GLARES} crossing offers, no call is stuck`);
  await Promise.all([alice, bob].map((page) => page.evaluate(() => (sdk.collisions = Infinity))));
  await Promise.all([alice, bob].map((page) => page.waitForFunction(() => sdk.call.pc.signalingState === 'stable' && sdk.call.pc.iceGatheringState === 'complete')));
  // It still takes changes, from both sides.
  for (const [from, to] of [[alice, bob], [bob, alice]]) {
    await from.evaluate(() => {
      const channel = sdk.call.pc.createDataChannel('after');
      channel.onopen = () => channel.send('not stuck');
    });
    await to.waitForFunction(() => sdk.log.includes('channel: not stuck'));
  }
  await Promise.all([alice, bob].map(inCall));
  const ends = await Promise.all([alice, bob].map((page) => page.evaluate(() => sdk.log.filter((line) => line.startsWith('error')))));
  assert.deepEqual(ends, [[], []]);
});

test('two peers that call each other at the same time are in one call', withTools, async (t) => {
  const { alice, bob } = await twoPages(t, ['&answer=data', '&answer=data']);
  for (let crossing = 0; crossing < 10; crossing++) {
    await Promise.all([alice.evaluate(() => void sdk.dialData('bob')), bob.evaluate(() => void sdk.dialData('alice'))]);
    await Promise.all([alice, bob].map(inCall));
    const [first, second] = await Promise.all([alice, bob].map((page) => page.evaluate(() => [sdk.call.id, sdk.phone.all.length])));
    assert.deepEqual(first, second);
    await hangUp(alice, bob);
  }
});

test('a person who calls back while the other one rings accepts that call, and a second call replaces the first', withTools, async (t) => {
  const { alice, bob } = await twoPages(t, ['', '&answer=ring']);
  await alice.evaluate(() => void sdk.dialData('bob'));
  await callState(bob, 'ringing');
  await bob.evaluate(() => void sdk.dialData('alice'));
  await Promise.all([alice, bob].map(inCall));
  const ids = () => Promise.all([alice, bob].map((page) => page.evaluate(() => sdk.phone.all.map(({ id }) => id).join())));
  const [first, same] = await ids();
  assert.equal(first, same);
  await bob.evaluate(() => (sdk.answer = 'data'));
  await alice.evaluate(() => void sdk.dialData('bob'));
  await bob.waitForFunction((id) => sdk.phone.all.length === 1 && sdk.call.id !== id, first);
  await Promise.all([alice, bob].map(inCall));
  const [second, alike] = await ids();
  assert.equal(second, alike);
});

test('a page that is reloaded in a call continues its session and the call', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([alice, bob].map(inCall));
  const before = await alice.evaluate(() => [sdk.session.welcome.session, sdk.call.id]);
  await alice.reload();
  await alice.waitForFunction(() => window.sdk?.session.state === 'connected');
  await Promise.all([alice, bob].map(inCall));
  await Promise.all([alice, bob].map((page) => movingPicture(page)));
  assert.deepEqual(await alice.evaluate(() => [sdk.session.welcome.session, sdk.call.id]), before);
  assert.equal(await alice.evaluate(() => sdk.session.welcome.resumed), true);
  assert.deepEqual(await bob.evaluate(() => sdk.log.filter((line) => line !== 'accepted')), []);
});

test('both pages are reloaded in a call at once, and the call continues', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([alice, bob].map(inCall));
  await Promise.all([alice, bob].map((page) => page.reload()));
  await Promise.all([alice, bob].map(inCall));
  await Promise.all([alice, bob].map((page) => movingPicture(page)));
});

test('a page that is reloaded while it rings rings again, and a caller that is reloaded cancels', withTools, async (t) => {
  const { alice, bob } = await twoPages(t, ['', '&answer=ring']);
  await alice.evaluate(() => void sdk.dialData('bob'));
  await callState(bob, 'ringing');
  await bob.reload();
  await callState(bob, 'ringing');
  await bob.evaluate(() => sdk.call.accept({ receive: [] }));
  await Promise.all([alice, bob].map(inCall));
  await hangUp(alice, bob);
  await alice.evaluate(() => void sdk.dialData('bob'));
  await callState(bob, 'ringing');
  await alice.reload();
  await callState(bob, 'cancelled');
});

test('a send that a reload interrupts is repeated, and a duplicated tab resumes nothing', withTools, async (t) => {
  const { nodes, alice, bob } = await twoPages(t);
  nodes.balancer.freeze(1);
  await alice.evaluate(() => void sdk.session.send('bob', 'before the reload'));
  await alice.reload();
  await alice.waitForFunction(() => window.sdk?.session.state === 'connected');
  await bob.waitForFunction(() => sdk.messages.length === 1);
  await alice.waitForFunction(() => String(sdk.outcomes) === 'delivered');
  const [copy] = await Promise.all([alice.context().waitForEvent('page'), alice.evaluate(() => void window.open(location.href))]);
  await copy.waitForFunction(() => window.sdk?.session.state === 'connected');
  assert.equal(await copy.evaluate(() => sdk.session.welcome.resumed), false);
  await alice.waitForFunction(() => sdk.session.state === 'closed');
});

test('a dead connection is found when the page becomes active, and replaced', withTools, async (t) => {
  const { nodes, alice, bob } = await twoPages(t);
  nodes.balancer.freeze();
  for (const page of [alice, bob]) await page.evaluate(() => dispatchEvent(new Event('online')));
  await alice.evaluate(() => sdk.session.send('bob', 'over the new connection'));
  assert.deepEqual(await bob.evaluate(() => sdk.messages), ['over the new connection']);
  assert.equal(await alice.evaluate(() => sdk.session.welcome.resumed), true);
});

test('a page that comes back from the back/forward cache continues', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  const { session } = await alice.evaluate(() => sdk.session.welcome);
  // A headless browser has no such cache, so the events come from the test.
  await alice.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await bob.evaluate(() => new Promise((onQueued) => sdk.session.send('alice', 'while away', { onQueued })));
  await alice.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await alice.waitForFunction(() => sdk.messages.length === 1);
  assert.equal(await alice.evaluate(() => sdk.session.welcome.session), session);
});
