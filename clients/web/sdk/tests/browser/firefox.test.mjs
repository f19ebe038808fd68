// Calls between Firefox and Chromium, over two nodes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { missingFirefox, openFirefox } from '../support/firefox.mjs';
import { startNodes } from '../support/nodes.mjs';
import { inCall, movingPicture, openPeer, openWindow, startBrowser, withTools } from '../support/pages.mjs';

test('Firefox and Chromium call each other, with pictures on both sides and a data channel', { timeout: 180_000, skip: withTools.skip || missingFirefox() }, async (t) => {
  const nodes = await startNodes(t);
  const alice = await openPeer(await openWindow(await startBrowser(t), nodes), nodes, 'alice');
  const bob = await openFirefox(t, `${nodes.balancer.url}/page?peer=bob`);
  await bob.until(() => window.sdk?.session.state === 'connected');
  // A headless Firefox decodes, and presents nothing.
  const isMoving = async () => [...(await sdk.call.pc.getStats()).values()].some(({ kind, framesDecoded }) => kind === 'video' && framesDecoded > 5);
  const isInCall = () => sdk.call?.state === 'accepted' && sdk.call.pc.connectionState === 'connected';

  await alice.evaluate(() => sdk.dial('bob'));
  await Promise.all([inCall(alice), bob.until(isInCall)]);
  await Promise.all([movingPicture(alice), bob.until(isMoving)]);
  await bob.run(() => {
    const channel = sdk.call.pc.createDataChannel('chat');
    channel.onopen = () => channel.send('hello from Firefox');
  });
  await alice.waitForFunction(() => sdk.log.includes('channel: hello from Firefox'));
  await alice.evaluate(() => sdk.call.pc.restartIce());
  await alice.waitForFunction(() => sdk.call.pc.signalingState === 'stable');
  await bob.run(() => sdk.call.end());
  await alice.waitForFunction(() => sdk.call.reason === 'hung-up');

  await bob.run(async () => void (await sdk.dial('alice')));
  await Promise.all([inCall(alice), bob.until(isInCall)]);
  await Promise.all([movingPicture(alice), bob.until(isMoving)]);
  assert.deepEqual(alice.errors, []);
  assert.deepEqual(await bob.run(() => sdk.log.filter((line) => line.startsWith('error'))), []);
});
