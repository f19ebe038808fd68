// Tabs of one browser on one node without Redis: the list of people, busy, absent peer, reload, duplicated tab.
import assert from 'node:assert/strict';
import test from 'node:test';
import { accept, newWindow, openPage, ring, waitForState, reachablePeer, screenshot, startBrowser, withTools, stateOf } from './support/browser.mjs';
import { startNode } from './support/servers.mjs';

test('two tabs find each other, and a third caller gets busy', withTools, async (t) => {
  const { url } = await startNode(t);
  const window = await newWindow(await startBrowser(t));
  const older = await openPage(window, url);
  const olderPeer = await reachablePeer(older);
  const newer = await openPage(window, url);
  await ring(newer, older);
  await accept(older);
  await Promise.all([older, newer].map((page) => waitForState(page, { connection: 'connected' })));
  assert.match(await newer.locator('#log').innerText(), new RegExp(`calling ${olderPeer}`));

  const third = await openPage(window, `${url}?call=${olderPeer}`);
  await waitForState(third, { connection: 'ended', ended: 'busy' });
  const olderName = await older.getByLabel('Your name').inputValue();
  await third.getByRole('heading', { name: `${olderName} is busy` }).waitFor();
  await screenshot(third, 'busy');
  assert.equal(await stateOf(older, 'connection'), 'connected');
  assert.deepEqual([older, newer, third].flatMap((page) => page.errors), []);
});

test('a call to an absent peer ends with a clear text', withTools, async (t) => {
  const { url } = await startNode(t);
  const page = await openPage(await newWindow(await startBrowser(t)), `${url}?call=nobody-here`);
  await waitForState(page, { connection: 'ended', ended: 'peer-offline' });
  await page.getByRole('heading', { name: 'Nobody answers at nobody-here' }).waitFor();
  await screenshot(page, 'nobody-answers');
  assert.deepEqual(page.errors, []);
});

test('a reload keeps the peer ID and a duplicated tab gets its own', withTools, async (t) => {
  const { url } = await startNode(t);
  const window = await newWindow(await startBrowser(t));
  const page = await openPage(window, url);
  const peer = await reachablePeer(page);
  await page.reload();
  assert.equal(await reachablePeer(page), peer);

  // Like "Duplicate tab": a window that a script opens gets a copy of sessionStorage.
  const [copy] = await Promise.all([window.waitForEvent('page'), page.evaluate(() => void window.open('/?call=nobody-here'))]);
  assert.notEqual(await reachablePeer(copy), peer);
  assert.equal(await copy.evaluate(() => window.opener !== null), true);
  assert.equal(await stateOf(page, 'signaling'), 'connected');
});

test('the page reports a dead node', withTools, async (t) => {
  const node = await startNode(t);
  const page = await openPage(await newWindow(await startBrowser(t)), node.url);
  await reachablePeer(page);
  await node.stop();
  await waitForState(page, { signaling: 'reconnecting' });
  await page.getByText('The signaling node is unreachable').waitFor();
  await screenshot(page, 'node-unreachable');
});

test('a page connects when its node becomes reachable', withTools, async (t) => {
  const { url } = await startNode(t);
  const window = await newWindow(await startBrowser(t));
  await window.route('**/dev/session*', (route) => route.abort());
  const page = await openPage(window, url);
  await waitForState(page, { signaling: 'reconnecting' });
  await window.unroute('**/dev/session*');
  assert.notEqual(await reachablePeer(page), '');
});
