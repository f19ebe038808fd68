// The connection panel: figures of a call, a connection that the page cuts itself, and the link as a QR code.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { newWindow, openPage, startBrowser, stateOf, waitForMovingPicture, withTools } from './support/browser.mjs';
import { connect, demoPages, noErrors, openDemo, openTab } from './support/demo.mjs';
import { startTwoNodes } from './support/servers.mjs';

const qrTools = createRequire(new URL('../../clients/web/demo/package.json', import.meta.url));

test('a connection that is cut in a call resumes, and the call shows figures of both sides all the time', withTools, async (t) => {
  const [n1, n2] = await startTwoNodes(t);
  const browser = await startBrowser(t);
  const [alice, bob] = [await openDemo(browser, n1.url), await openDemo(browser, n2.url)];
  await alice.locator('#people .person').nth(1).waitFor();
  await connect(alice, bob);
  await openTab(alice, 'Connection');
  const figure = (name) => alice.locator('.plot-box').filter({ hasText: name }).locator('dd');
  for (const [name, form] of [['Round trip', /^[\d.]+ ms$/], ['Received', /[1-9]\d* [kM]/], ['Sent', /[1-9]\d* [kM]/], ['Picture', /^[1-9]\d* frames/]]) {
    await figure(name).filter({ hasText: form }).waitFor();
  }
  // Each person is shown with the node that they are on.
  await alice.locator('.connection .facts').filter({ hasText: 'n2' }).waitFor();
  await alice.locator('.tile-person .tile-node').filter({ hasText: 'node n2' }).waitFor();

  await alice.getByRole('button', { name: 'Cut this connection' }).click();
  await alice.locator('#f-welcomes').filter({ hasText: '2, of which 1 resumed' }).waitFor();
  assert.match(await alice.locator('#log').innerText(), /this page cut the connection/);
  await waitForMovingPicture(alice);
  assert.equal(await stateOf(alice, 'connection'), 'connected');
  assert.deepEqual(noErrors([alice, bob]), []);
});

test('the QR code is the invite link, and says that a phone does not reach this address', withTools, async (t) => {
  const { default: decode } = await import(qrTools.resolve('qr/decode.js'));
  const { pages: [page] } = await demoPages(t, 1);
  await page.getByText('QR code for a phone').click();
  await page.getByText('This address is of this computer alone.').waitFor();
  const { width, height, pixels } = await page.evaluate(async () => {
    const svg = new XMLSerializer().serializeToString(document.querySelector('#qr svg'));
    const picture = Object.assign(new Image(300, 300), { src: `data:image/svg+xml,${encodeURIComponent(svg)}` });
    await picture.decode();
    const context = Object.assign(document.createElement('canvas'), { width: 300, height: 300 }).getContext('2d');
    context.drawImage(picture, 0, 0, 300, 300);
    const { width, height, data } = context.getImageData(0, 0, 300, 300);
    return { width, height, pixels: [...data] };
  });
  assert.equal(decode({ width, height, data: Uint8ClampedArray.from(pixels) }), await page.getByLabel('Invite link', { exact: true }).inputValue());
});

test('everything on the page comes from the node, and the time to its first paint is printed', withTools, async (t) => {
  const { pages: [warm], url } = await demoPages(t, 1);
  await warm.close();
  const page = await openPage(await newWindow(await startBrowser(t)), url);
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length);
  const { paintedMs, foreign } = await page.evaluate(() => ({
    paintedMs: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    foreign: performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => !name.startsWith(location.origin)),
  }));
  t.diagnostic(`first contentful paint after ${Math.round(paintedMs)} ms`);
  assert.deepEqual(foreign, []);
  assert.deepEqual(page.errors, []);
});
