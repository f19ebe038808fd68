// Tabs of one browser at one node, without Redis: finding each other, busy, nobody there, reload, duplicate.
import assert from 'node:assert/strict';
import test from 'node:test';
import { newWindow, openPage, pageSays, reachablePeer, screenshot, startBrowser, withTools, wordOf } from './support/browser.mjs';
import { startNode } from './support/servers.mjs';

test('two tabs at the bare address find each other, and a third caller hears busy', withTools, async (t) => {
  const { url } = await startNode(t);
  const window = await newWindow(await startBrowser(t));
  const older = await openPage(window, url);
  const olderPeer = await reachablePeer(older);
  const newer = await openPage(window, url);
  await Promise.all([older, newer].map((page) => pageSays(page, { connection: 'connected' })));
  assert.match(await newer.locator('#log').innerText(), new RegExp(`calling ${olderPeer}`));

  const third = await openPage(window, `${url}?call=${olderPeer}`);
  await pageSays(third, { connection: 'ended', ended: 'they-busy' });
  await third.getByRole('heading', { name: `${olderPeer} is busy` }).waitFor();
  await screenshot(third, 'busy');
  assert.equal(await wordOf(older, 'connection'), 'connected');
  assert.deepEqual([older, newer, third].flatMap((page) => page.complaints), []);
});

test('a call to nobody ends with a clear word', withTools, async (t) => {
  const { url } = await startNode(t);
  const page = await openPage(await newWindow(await startBrowser(t)), `${url}?call=nobody-here`);
  await pageSays(page, { connection: 'ended', ended: 'peer-offline' });
  await page.getByRole('heading', { name: 'Nobody answers at nobody-here' }).waitFor();
  await screenshot(page, 'nobody-answers');
  assert.deepEqual(page.complaints, []);
});

test('a reload keeps the peer ID and a duplicated tab gets its own', withTools, async (t) => {
  const { url } = await startNode(t);
  const window = await newWindow(await startBrowser(t));
  const page = await openPage(window, url);
  const peer = await reachablePeer(page);
  await page.reload();
  assert.equal(await reachablePeer(page), peer);

  // What the browser does for "Duplicate tab", and for a window opened by a script: sessionStorage is copied.
  const [copy] = await Promise.all([window.waitForEvent('page'), page.evaluate(() => void window.open('/?call=nobody-here'))]);
  assert.notEqual(await reachablePeer(copy), peer);
  assert.equal(await copy.evaluate(() => window.opener !== null), true);
  assert.equal(await wordOf(page, 'signaling'), 'connected');
});

test('a dead node is named on the page', withTools, async (t) => {
  const node = await startNode(t);
  const page = await openPage(await newWindow(await startBrowser(t)), node.url);
  await reachablePeer(page);
  await node.stop();
  await pageSays(page, { signaling: 'reconnecting' });
  await page.getByText('The signaling node is unreachable').waitFor();
  await screenshot(page, 'node-unreachable');
});

test('a page that could not reach its node comes up once it can', withTools, async (t) => {
  const { url } = await startNode(t);
  const window = await newWindow(await startBrowser(t));
  await window.route('**/dev/session*', (route) => route.abort());
  const page = await openPage(window, url);
  await pageSays(page, { signaling: 'reconnecting' });
  await window.unroute('**/dev/session*');
  assert.notEqual(await reachablePeer(page), '');
});
