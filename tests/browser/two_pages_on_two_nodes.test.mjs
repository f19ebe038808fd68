// The main case: two browsers on two nodes set up a call through Redis.
import assert from 'node:assert/strict';
import test from 'node:test';
import { accept, newWindow, openPage, waitForState, reachablePeer, screenshot, waitForMovingPicture, startBrowser, withTools, stateOf } from './support/browser.mjs';
import { startTwoNodes } from './support/servers.mjs';

test('two pages on two nodes see each other until one hangs up', withTools, async (t) => {
  const [n1, n2] = await startTwoNodes(t);
  const browser = await startBrowser(t);

  const first = await openPage(await newWindow(browser), n1.url);
  const firstPeer = await reachablePeer(first);
  await waitForState(first, { media: 'live' });
  await screenshot(first, 'ready');

  const second = await openPage(await newWindow(browser, { colorScheme: 'dark' }), `${n2.url}?call=${firstPeer}`);
  await accept(first);
  const both = [first, second];
  await Promise.all(both.map((page) => waitForState(page, { connection: 'connected' })));
  assert.deepEqual(await Promise.all(both.map((page) => stateOf(page, 'node'))), ['n1', 'n2']);

  for (const page of both) {
    await page.bringToFront();
    await waitForMovingPicture(page);
    await page.getByRole('tab', { name: 'Connection' }).click();
    await page.locator('.fact-path').filter({ hasText: /\w+ → \w+, (udp|tcp)/ }).waitFor();
  }
  await screenshot(first, 'call-light');
  await screenshot(second, 'call-dark');
  assert.match(await second.locator('#log').innerText(), /offer: delivered in/);
  assert.match(await first.locator('#log').innerText(), /answer: delivered in/);

  await second.getByRole('button', { name: 'Hang up' }).click();
  await waitForState(second, { connection: 'ended', ended: 'hung-up' });
  await waitForState(first, { connection: 'ended', ended: 'they-hung-up' });

  await first.getByRole('button', { name: 'Call again' }).click();
  await accept(second);
  await Promise.all(both.map((page) => waitForState(page, { connection: 'connected' })));
  assert.deepEqual(both.flatMap((page) => page.errors), []);
});
