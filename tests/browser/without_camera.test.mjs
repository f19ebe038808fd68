// A refused camera: the page explains it, the call works without it, and the camera can be added later.
import assert from 'node:assert/strict';
import test from 'node:test';
import { accept, newWindow, openPage, waitForState, reachablePeer, screenshot, waitForMovingPicture, startBrowser, withTools, stateOf } from './support/browser.mjs';
import { startNode } from './support/servers.mjs';

const CAMERA = ['camera', 'microphone'];

test('a refused camera is explained and the call works without it', withTools, async (t) => {
  const { url } = await startNode(t);
  const browser = await startBrowser(t, { askForCamera: true });
  const withCamera = await newWindow(browser, { permissions: CAMERA });
  const refused = await newWindow(browser);
  await refused.grantPermissions([]); // all permissions are refused

  const seen = await openPage(withCamera, url);
  const unseen = await openPage(refused, `${url}?call=${await reachablePeer(seen)}`);
  await waitForState(unseen, { media: 'denied', call: 'idle' });
  await unseen.getByRole('heading', { name: 'Camera and microphone are blocked' }).waitFor();
  await screenshot(unseen, 'camera-refused');

  await unseen.getByRole('button', { name: 'Continue without camera' }).click();
  await accept(seen);
  await Promise.all([seen, unseen].map((page) => waitForState(page, { connection: 'connected' })));
  await waitForMovingPicture(unseen);
  await screenshot(unseen, 'camera-refused-call');
  assert.equal(await stateOf(unseen, 'media'), 'without');
  assert.deepEqual([...seen.errors, ...unseen.errors], []);
});

test('a camera that is allowed during the call is added', withTools, async (t) => {
  const { url } = await startNode(t);
  const browser = await startBrowser(t, { askForCamera: true });
  const withCamera = await newWindow(browser, { permissions: CAMERA });
  const refused = await newWindow(browser);
  await refused.grantPermissions([]);

  const late = await openPage(refused, url);
  await waitForState(late, { media: 'denied' });
  const caller = await openPage(withCamera, `${url}?call=${await reachablePeer(late)}`);
  await accept(late);
  await Promise.all([late, caller].map((page) => waitForState(page, { connection: 'connected' })));
  await waitForMovingPicture(late);

  await refused.grantPermissions(CAMERA);
  await late.getByRole('button', { name: 'Try again' }).click();
  await waitForState(late, { media: 'live' });
  await caller.bringToFront();
  await waitForMovingPicture(caller);
  assert.deepEqual([...late.errors, ...caller.errors], []);
});
