// Calls between real pages over two real nodes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callState, inCall, movingPicture, openPeer, openWindow, twoPages, withTools } from '../support/pages.mjs';

test('a call across two nodes rings, is accepted, shows moving pictures and ends', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  const [first, second] = await Promise.all([alice, bob].map((page) => page.evaluate(() => sdk.session.welcome.node)));
  assert.notEqual(first, second);
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([alice, bob].map(inCall));
  await Promise.all([alice, bob].map((page) => movingPicture(page)));
  // The answer may come before the receipt that says that it rings.
  assert.deepEqual(await alice.evaluate(() => sdk.log.filter((state) => state !== 'ringing')), ['accepted']);
  const figures = await alice.evaluate(async () => {
    for await (const figures of sdk.stats(sdk.call, 100)) {
      const flow = figures.flows.find(({ direction, kind, bits_per_second }) => direction === 'in' && kind === 'video' && bits_per_second > 0);
      if (flow && figures.path.local) return { ...figures, flow };
    }
  });
  assert.match(figures.path.local, /host|srflx|prflx/);
  assert.equal(figures.path.protocol, 'udp');
  await bob.evaluate(() => sdk.call.end());
  await callState(alice, 'ended');
  assert.equal(await alice.evaluate(() => sdk.call.reason), 'hung-up');
  assert.deepEqual([...alice.errors, ...bob.errors], []);
});

test('a call is declined, cancelled, busy, or meets nobody', withTools, async (t) => {
  const { alice, bob, browser, nodes } = await twoPages(t, ['', '&answer=decline']);
  await alice.evaluate(() => sdk.dial('bob'));
  await callState(alice, 'declined');

  await bob.evaluate(() => (sdk.answer = 'ring'));
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([callState(alice, 'ringing'), callState(bob, 'ringing')]);

  const carol = await openPeer(await openWindow(browser, nodes), nodes, 'carol');
  await carol.evaluate(() => sdk.dial('bob'));
  await callState(carol, 'busy');

  await alice.evaluate(() => sdk.call.end());
  await Promise.all([callState(alice, 'cancelled'), callState(bob, 'cancelled')]);

  await alice.evaluate(() => sdk.dial('nobody'));
  await callState(alice, 'ended');
  assert.equal(await alice.evaluate(() => sdk.call.reason), 'peer-offline');
});

test('a payload of another form is an event, and harms no call', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  await alice.evaluate(() => sdk.dial('bob'));
  await inCall(bob);
  const bad = [null, 7, 'text', [], {}, { call: 'x' }, { call: 'x', room: 'y', leg: 'z', reason: 'hung-up', candidate: null }, { room: '/', leg: 'z', reason: 'hung-up', candidate: null }, { call: '', leg: '' }, { call: 'x', leg: 'y', description: { type: 'answer', sdp: '' }, n: 1 }];
  await alice.evaluate((payloads) => Promise.all(payloads.flatMap((payload) => ['offer', 'candidate', 'bye'].map((kind) => sdk.session.send('bob', payload, { kind })))), bad);
  assert.deepEqual(await bob.evaluate(() => sdk.others.map(([why]) => why)), Array(bad.length * 3).fill('form'));
  await alice.evaluate(() => sdk.session.send('bob', { call: 'over', leg: 'y', reason: 'hung-up' }, { kind: 'bye' }));
  assert.equal((await bob.evaluate(() => sdk.others)).at(-1)[0], 'no-call');
  await alice.evaluate(() => sdk.session.send('bob', { call: sdk.call.id, leg: 'z', n: 9, description: { type: 'offer', sdp: 'nonsense' } }, { kind: 'message' }));
  await movingPicture(bob);
  assert.equal(await bob.evaluate(() => sdk.call.state), 'accepted');
});

test('each side knows what the other one mutes, also after a reload of its page', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  await alice.evaluate(async () => (await sdk.dial('bob')).setMedia({ audio: false, video: true }));
  const knows = (page, wanted) => page.waitForFunction((wanted) => JSON.stringify(sdk.call?.theirMedia) === wanted, JSON.stringify(wanted));
  await knows(bob, { audio: false, video: true });
  await alice.evaluate(() => sdk.call.setMedia({ audio: true, video: false, screen: 'x' }));
  await knows(bob, { audio: true, video: false, screen: 'x' });
  await bob.reload();
  await knows(bob, { audio: true, video: false, screen: 'x' });
  const bad = [{ audio: 1, video: true }, { audio: true }, { audio: true, video: true, screen: 'x'.repeat(65) }, null];
  await bob.evaluate((states) => Promise.all(states.map((media) => sdk.session.send('alice', { call: sdk.call.id, leg: 'x', media }))), bad);
  assert.equal(await alice.evaluate(() => sdk.call.theirMedia), undefined);
  assert.equal(await alice.evaluate(() => sdk.messages.length), 4);
});

test('the screen, another track and a data channel join a running call', withTools, async (t) => {
  const { alice, bob } = await twoPages(t);
  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([alice, bob].map(inCall));
  await alice.evaluate(() => {
    const channel = sdk.call.pc.createDataChannel('chat');
    channel.onopen = () => channel.send('hello');
  });
  await bob.waitForFunction(() => sdk.log.includes('channel: hello'));
  const tracks = () => sdk.call.pc.getReceivers().filter(({ track }) => track.kind === 'video' && !track.muted).length;
  const before = await bob.evaluate(tracks);
  await alice.evaluate(async () => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d');
    setInterval(() => context.fillRect(Math.random() * 100, 0, 9, 9), 50);
    navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(10);
    sdk.screen = await sdk.shareScreen(sdk.call);
  });
  await bob.waitForFunction(([script, wanted]) => eval(script)() > wanted, [`(${tracks})`, before]);
  await alice.evaluate(() => sdk.screen.stop());
  await alice.evaluate(async () => {
    const stream = await sdk.media();
    const [device] = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
    const mine = new MediaStream(sdk.call.pc.getSenders().map(({ track }) => track).filter(Boolean));
    const track = await sdk.switchDevice(sdk.call, mine, 'video', device.deviceId);
    if (!sdk.call.pc.getSenders().some((sender) => sender.track === track)) throw new Error('not replaced');
    stream.getTracks().forEach((its) => its.stop());
  });
  await movingPicture(bob);
  assert.deepEqual([...alice.errors, ...bob.errors, ...(await bob.evaluate(() => sdk.log.filter((line) => line.startsWith('error'))))], []);
});
