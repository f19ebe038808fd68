// What the page says about the other side: devices that are off, a vanished page, a payload of another format.
import assert from 'node:assert/strict';
import test from 'node:test';
import { accept, newWindow, openPage, waitForState, reachablePeer, screenshot, waitForMovingPicture, startBrowser, withTools } from './support/browser.mjs';
import { startNode } from './support/servers.mjs';

/** Two connected pages. */
async function call(t) {
  const { url } = await startNode(t);
  const [browser, other] = [await startBrowser(t), await startBrowser(t)];
  const first = await openPage(await newWindow(browser), url);
  const peer = await reachablePeer(first);
  const second = await openPage(await newWindow(other), `${url}?call=${peer}`);
  await accept(first);
  for (const page of [first, second]) await waitForState(page, { connection: 'connected' });
  return { url, first, second, other };
}

const TAG = '.tile-person .tile-name';
const NOTE = '.tile-person .tile-note';
const says = (page, selector, text) => page.locator(selector).filter({ hasText: text, visible: true }).waitFor();

test('a muted microphone and a camera that is off are said to the other side', withTools, async (t) => {
  const { first, second } = await call(t);
  await waitForMovingPicture(first);
  await second.getByRole('button', { name: 'Mute microphone' }).click();
  await says(first, TAG, 'microphone off');
  await screenshot(first, 'other-side-muted');
  await second.getByRole('button', { name: 'Turn camera off' }).click();
  await says(first, TAG, 'microphone off · camera off');
  await says(first, NOTE, 'Their microphone is off too.');
  await first.waitForFunction(() => getComputedStyle(document.querySelector('.tile-person video')).opacity === '0');
  await screenshot(first, 'other-side-camera-off');
  await second.getByRole('button', { name: 'Turn camera off' }).click();
  await says(first, TAG, /microphone off$/);
  await first.locator(NOTE).waitFor({ state: 'hidden' });
  assert.deepEqual([...first.errors, ...second.errors], []);
});

test('a page that vanishes without a hang-up is said to be gone', withTools, async (t) => {
  const { first, second, other } = await call(t);
  await waitForMovingPicture(first);
  // The whole process dies: no bye, no close of the connection.
  await second.goto('chrome://crash').catch(() => {});
  await says(first, NOTE, 'does not respond');
  await says(first, NOTE, 'Their page may be closed');
  await screenshot(first, 'other-side-silent');
  await other.close();
  await first.setDefaultTimeout(90_000);
  await waitForState(first, { connection: 'ended', ended: 'vanished' });
  await says(first, '#curtain', 'has vanished');
  await screenshot(first, 'other-side-vanished');
});

/** Sends payloads of other programs to a peer, from a connection of its own. */
function sendPayloads([peer, frames]) {
  return fetch('/dev/session').then((answer) => answer.json()).then(({ token, ws_url }) => {
    const url = new URL(ws_url, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, ['switchboard.v1', `bearer.${token}`]);
    return new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.type === 'welcome') for (const [id, frame] of frames.entries()) socket.send(JSON.stringify({ id: id + 1, to: peer, ...frame }));
        if (event.type === 'bye') resolve(event.payload.reason);
      };
    });
  });
}

test('a payload of another format is said, and the page and its call go on', withTools, async (t) => {
  const { first, second, url } = await call(t);
  const stranger = await openPage(await newWindow(first.context().browser()), url);
  const peer = await reachablePeer(first);
  const odd = [42, null, 'text', { call: 7 }, {}].map((payload) => ({ type: 'message', payload }));
  const busy = { type: 'offer', payload: { call: 'x', leg: 'y', n: 1, description: { type: 'offer', sdp: 'v=0 not SDP' } } };
  assert.equal(await stranger.evaluate(sendPayloads, [peer, [...odd, busy]]), 'busy');
  await says(first, '#banner', 'A message was not understood');
  await screenshot(first, 'other-side-strange');
  await waitForState(first, { connection: 'connected' });

  await second.getByRole('button', { name: 'Hang up' }).click();
  await waitForState(first, { connection: 'ended' });
  const refusal = stranger.evaluate(sendPayloads, [peer, [busy]]);
  await accept(first);
  assert.equal(await refusal, 'not-understood');
  await says(first, '#curtain', 'This page does not understand');
  await screenshot(first, 'other-side-strange-call');
  assert.deepEqual([...first.errors, ...second.errors], []);
});
