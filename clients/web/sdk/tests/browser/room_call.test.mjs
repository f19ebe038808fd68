// The call of a room: real pages on three nodes, each with a picture of every other one.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startNodes } from '../support/nodes.mjs';
import { movingPicture, openPeer, openWindow, startBrowser, STUN, withTools } from '../support/pages.mjs';

const PEOPLE = ['alice', 'bob', 'carol'];

/** A page that joins the room `standup` and its call. */
const join = async (browser, nodes, peer) => openPeer(await openWindow(browser, nodes), nodes, peer, '&room=standup');

async function threePeople(t) {
  const nodes = await startNodes(t, ['n1', 'n2', 'n3'], STUN);
  const browser = await startBrowser(t);
  const pages = {};
  for (const peer of PEOPLE) pages[peer] = await join(browser, nodes, peer);
  await complete(pages);
  return { nodes, browser, pages };
}

/** Waits until each person sees every other one, and no more people. */
async function complete(pages) {
  const people = Object.keys(pages).sort();
  await Promise.all(
    people.flatMap((peer) => {
      const others = people.filter((its) => its !== peer);
      const isComplete = pages[peer].waitForFunction((wanted) => window.sdk?.people() === wanted, others.join());
      return isComplete.then(() => Promise.all(others.map((other) => movingPicture(pages[peer], 3, other))));
    }),
  );
}

const all = (pages, evaluated, argument) => Promise.all(Object.values(pages).map((page) => page.evaluate(evaluated, argument)));

test('three people on three nodes see each other, one leaves, and one that comes later sees everybody', withTools, async (t) => {
  const { nodes, browser, pages } = await threePeople(t);
  const used = await all(pages, () => sdk.session.welcome.node);
  assert.deepEqual(used.sort(), ['n1', 'n2', 'n3']);
  assert.deepEqual(await all(pages, () => sdk.log.filter((line) => line.includes('left') || line.includes('failed'))), [[], [], []]);

  const { bob, ...others } = pages;
  await bob.evaluate(() => sdk.group.leave());
  await complete(others);
  assert.equal(await bob.evaluate(() => sdk.people()), '');
  assert.equal(await others.alice.evaluate(() => sdk.log.at(-1)), 'bob left: hung-up');
  // He is still in the room, and comes back into its call.
  await bob.evaluate(() => sdk.meet('standup'));
  await complete(pages);

  await complete({ ...pages, dave: await join(browser, nodes, 'dave') });
  for (const page of Object.values(pages)) assert.deepEqual(page.errors, []);
});

test('a member that is not in the call is not called again, and joins it when it likes', withTools, async (t) => {
  const nodes = await startNodes(t, ['n1', 'n2'], STUN);
  const browser = await startBrowser(t);
  const pages = { bob: await openPeer(await openWindow(browser, nodes), nodes, 'bob') };
  await pages.bob.evaluate(() => sdk.members.join('standup'));
  pages.alice = await join(browser, nodes, 'alice');
  await pages.alice.waitForFunction(() => sdk.refused === 1);
  assert.equal(await pages.alice.evaluate(() => sdk.group.participants.size), 0);
  await pages.bob.evaluate(() => sdk.meet('standup'));
  await complete(pages);
  assert.deepEqual(await pages.alice.evaluate(() => [sdk.refused, sdk.log]), [1, ['bob joined']]);
});

test('a peer gets into the call of a room as a member only', withTools, async (t) => {
  const { nodes, browser, pages } = await threePeople(t);
  const dave = await openPeer(await openWindow(browser, nodes), nodes, 'dave');
  const isIn = () => Promise.all(Object.values(pages).map((page) => page.evaluate(() => sdk.group.participants.has('dave'))));
  // Each is delivered when the page of the other side has processed it.
  const offer = { room: 'standup', leg: 'x', n: 1, description: { type: 'offer', sdp: 'v=0' } };
  await dave.evaluate((payload) => Promise.all(['alice', 'bob', 'carol'].map((to) => sdk.session.send(to, payload, { kind: 'offer' }))), offer);
  assert.deepEqual(await isIn(), [false, false, false]);
  await dave.evaluate(() => sdk.meet('standup'));
  await complete({ ...pages, dave });
});

test('people that come at the same moment see each other', withTools, async (t) => {
  const nodes = await startNodes(t, ['n1', 'n2'], STUN);
  const browser = await startBrowser(t);
  const opened = await Promise.all(PEOPLE.map(async (peer) => [peer, await openPeer(await openWindow(browser, nodes), nodes, peer)]));
  const pages = Object.fromEntries(opened);
  for (let round = 0; round < 5; round++) {
    await all(pages, (name) => void sdk.meet(name), `room-${round}`);
    await complete(pages);
    await all(pages, () => sdk.group.leave());
  }
});

test('a page that is reloaded comes back into the call of its room', withTools, async (t) => {
  const { pages } = await threePeople(t);
  await pages.bob.reload();
  await complete(pages);
  assert.equal(await pages.bob.evaluate(() => sdk.session.welcome.resumed), true);
});

test('a page that vanishes leaves the call of its room', withTools, async (t) => {
  const { pages } = await threePeople(t);
  const { bob, ...others } = pages;
  await bob.close();
  await Promise.all(Object.values(others).map((page) => page.waitForFunction(() => sdk.group.participants.size === 1, undefined, { timeout: 30_000 })));
  await complete(others);
});

test('the call of a room goes on while a node is killed, and takes in who comes afterwards', withTools, async (t) => {
  const { nodes, browser, pages } = await threePeople(t);
  const victim = await pages.carol.evaluate(() => sdk.session.welcome.node);
  nodes.balancer.targets.delete(victim);
  await nodes.nodes.get(victim).kill();
  await complete(pages);
  await pages.carol.waitForFunction((node) => sdk.session.state === 'connected' && sdk.session.welcome.node !== node, victim);
  await complete({ ...pages, dave: await join(browser, nodes, 'dave') });
  const lost = await all(pages, () => sdk.log.filter((line) => line.includes('left') || line.includes('failed')));
  assert.deepEqual(lost, [[], [], []]);
});

test('everybody gets a screen, another camera and the news of who is muted, also those that come later', withTools, async (t) => {
  const { nodes, browser, pages } = await threePeople(t);
  const { alice } = pages;
  await alice.evaluate(async () => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d');
    setInterval(() => context.fillRect(Math.random() * 100, 0, 9, 9), 50);
    navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(10);
    sdk.screen = await sdk.shareScreen(sdk.group);
    sdk.group.setMedia({ audio: false, video: true, screen: sdk.screen.stream.id });
  });
  const screen = await alice.evaluate(() => sdk.screen.stream.id);
  pages.dave = await join(browser, nodes, 'dave');
  const { alice: _, ...others } = pages;
  const seesScreen = (page) =>
    page.waitForFunction((id) => {
      const alice = sdk.group?.participants.get('alice');
      const videos = alice?.pc.getReceivers().filter(({ track }) => track.kind === 'video' && !track.muted);
      return alice?.theirMedia?.screen === id && alice.theirMedia.audio === false && videos.length === 2;
    }, screen);
  await Promise.all(Object.values(others).map(seesScreen));
  await alice.evaluate(async () => {
    sdk.screen.stop();
    sdk.group.setMedia({ audio: true, video: true });
    const [device] = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
    await sdk.switchDevice(sdk.group, sdk.stream, 'video', device.deviceId);
  });
  await Promise.all(Object.values(others).map((page) => page.waitForFunction(() => sdk.group.participants.get('alice').theirMedia.audio)));
  await complete(pages);
});
