// From the click on a call button to the first decoded frame of the other side, over two nodes and each transport.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startNodes } from '../support/nodes.mjs';
import { openPeer, openWindow, startBrowser, withTools } from '../support/pages.mjs';

const CLICKS = 20;
const TRANSPORTS = [
  ['websocket', []],
  ['events', ['websocket']],
  ['polling', ['websocket', '/v1/events']],
];

const median = (values) => Math.round(values.sort((a, b) => a - b)[values.length >> 1]);

/** One call, in milliseconds: until the frame, for the own camera, and while its first offer and answer are on their way. */
async function click(alice, bob) {
  await bob.evaluate(() => (sdk.times = {}));
  const calling = await alice.evaluate(() => sdk.click('bob'));
  const called = await bob.evaluate(() => sdk.times);
  await alice.evaluate(() => sdk.call.end());
  await Promise.all([alice, bob].map((page) => page.waitForFunction(() => sdk.phone.all.length === 0)));
  return {
    whole: calling.frame - calling.click,
    camera: calling.camera - calling.click,
    signaling: called['offer received'] - calling['offer sent'] + calling['answer received'] - called['answer sent'],
  };
}

test('calls come up over each transport, and are timed from the click to the picture', { ...withTools, timeout: 180_000 }, async (t) => {
  const nodes = await startNodes(t);
  const browser = await startBrowser(t);
  let first;
  for (const [name, blocks] of TRANSPORTS) {
    nodes.balancer.blocked = new Set(blocks);
    const start = performance.now();
    const [alice, bob] = await Promise.all(['alice', 'bob'].map(async (peer) => openPeer(await openWindow(browser, nodes), nodes, peer, '&fallback=1')));
    const connectedMs = Math.round(performance.now() - start);
    assert.deepEqual(await alice.evaluate(() => sdk.used), [name]);
    // The person who is called has the camera on already.
    await bob.evaluate(async () => void (sdk.stream = await sdk.media()));
    const found = [];
    while (found.length < CLICKS) found.push(await click(alice, bob));
    const [whole, camera, signaling] = ['whole', 'camera', 'signaling'].map((part) => median(found.map((call) => call[part])));
    first ??= whole;
    t.diagnostic(
      `${name}: click to picture ${whole} ms (${whole - first} ms later than over a WebSocket), of it camera ${camera} ms and signaling ${signaling} ms; ` +
        `medians of ${CLICKS}; both pages loaded and connected after ${connectedMs} ms`,
    );
    for (const page of [alice, bob]) await page.close();
  }
});
