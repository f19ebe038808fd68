// A refused camera: said clearly, not the end of the call, and mended while the call runs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { newWindow, openPage, pageSays, reachablePeer, screenshot, seesMovingPicture, startBrowser, withTools, wordOf } from './support/browser.mjs';
import { startNode } from './support/servers.mjs';

const CAMERA = ['camera', 'microphone'];

test('a refused camera is explained and the call works without it', withTools, async (t) => {
  const { url } = await startNode(t);
  const browser = await startBrowser(t, { askForCamera: true });
  const withCamera = await newWindow(browser, { permissions: CAMERA });
  const refused = await newWindow(browser);
  await refused.grantPermissions([]); // everything not granted is refused

  const seen = await openPage(withCamera, url);
  const unseen = await openPage(refused, `${url}?call=${await reachablePeer(seen)}`);
  await pageSays(unseen, { media: 'denied', call: 'idle' });
  await unseen.getByRole('heading', { name: 'Camera and microphone are blocked' }).waitFor();
  await screenshot(unseen, 'camera-refused');

  await unseen.getByRole('button', { name: 'Continue without camera' }).click();
  await Promise.all([seen, unseen].map((page) => pageSays(page, { connection: 'connected' })));
  await seesMovingPicture(unseen);
  await screenshot(unseen, 'camera-refused-call');
  assert.equal(await wordOf(unseen, 'media'), 'without');
  assert.deepEqual([...seen.complaints, ...unseen.complaints], []);
});

test('a camera allowed during the call is negotiated in', withTools, async (t) => {
  const { url } = await startNode(t);
  const browser = await startBrowser(t, { askForCamera: true });
  const withCamera = await newWindow(browser, { permissions: CAMERA });
  const refused = await newWindow(browser);
  await refused.grantPermissions([]);

  const late = await openPage(refused, url);
  await pageSays(late, { media: 'denied' });
  const caller = await openPage(withCamera, `${url}?call=${await reachablePeer(late)}`);
  await Promise.all([late, caller].map((page) => pageSays(page, { connection: 'connected' })));
  await seesMovingPicture(late);

  await refused.grantPermissions(CAMERA);
  await late.getByRole('button', { name: 'Try again' }).click();
  await pageSays(late, { media: 'live' });
  await caller.bringToFront();
  await seesMovingPicture(caller);
  assert.deepEqual([...late.complaints, ...caller.complaints], []);
});
