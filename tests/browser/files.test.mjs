// Files over a data channel: 20 MB through a network that changes, and through a call that ends in the middle.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { accept, newWindow, openPage, reachablePeer, ring, startBrowser, waitForState, withTools } from './support/browser.mjs';
import { connect, noErrors, openTab, says } from './support/demo.mjs';
import { startNode } from './support/servers.mjs';
import { UdpPath } from './support/udp_path.mjs';

/** All bytes go through this process, twice. */
const LONG = { ...withTools, timeout: 600_000 };
const SIZE_BYTES = 20_000_000;
const CUT_AFTER_BYTES = 5_000_000;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Two pages in a call whose media goes through the test. */
async function callThroughPath(t) {
  const { url } = await startNode(t, ['--no-turn']);
  const browser = await startBrowser(t);
  const network = new UdpPath(t);
  const pages = [];
  while (pages.length < 2) {
    const window = await newWindow(browser);
    await network.divert(window);
    const page = await openPage(window, url);
    await reachablePeer(page);
    await waitForState(page, { media: 'live' });
    pages.push(page);
  }
  await connect(...pages);
  for (const page of pages) await openTab(page, 'Chat');
  return { network, pages };
}

/** Offers a file, and accepts it on the other page. */
async function sendFile(t, [sender, receiver], content, name = 'holiday.bin') {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-files-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, name), content);
  await sender.getByLabel('File to send').setInputFiles(path.join(folder, name));
  await receiver.getByRole('button', { name: `Accept: ${name}` }).click();
}

/** Saves the file that arrived, and returns its hash. */
async function savedHash(receiver) {
  const [download] = await Promise.all([receiver.waitForEvent('download'), receiver.getByRole('link', { name: /^Save/ }).click()]);
  return sha256(await readFile(await download.path()));
}

const fileState = (page, state) => page.locator(`.file[data-state="${state}"]`).waitFor({ state: 'attached', timeout: 150_000 });

test('a file of 20 MB arrives whole although the network changes in the middle', LONG, async (t) => {
  const { network, pages } = await callThroughPath(t);
  const content = randomBytes(SIZE_BYTES);
  network.silentAfter = network.bytes + CUT_AFTER_BYTES;
  await sendFile(t, pages, content);
  // The path of now is dead. The call looks for another one, and the file goes on.
  await network.fellSilent;
  await Promise.all(pages.map((page) => fileState(page, 'done')));
  assert.equal(await savedHash(pages[1]), sha256(content));
  for (const page of pages) await says(page, `SHA-256 ${sha256(content).slice(0, 12)}… is right.`);
  await Promise.all(pages.map((page) => waitForState(page, { connection: 'connected' })));
  assert.deepEqual(noErrors(pages), []);
});

test('a file that a hang-up interrupts continues in the next call where it was', LONG, async (t) => {
  const { network, pages } = await callThroughPath(t);
  const [sender, receiver] = pages;
  const content = randomBytes(SIZE_BYTES);
  network.silentAfter = network.bytes + CUT_AFTER_BYTES;
  await sendFile(t, pages, content);
  await network.fellSilent;
  await sender.getByRole('button', { name: 'Hang up' }).click();
  await Promise.all(pages.map((page) => fileState(page, 'interrupted')));
  const before = await receiver.evaluate(() => document.querySelector('.file progress').value);
  assert.ok(before > 0 && before < SIZE_BYTES, `${before}`);
  // Everything that the bar shows from now on.
  await receiver.evaluate(() => {
    const bar = document.querySelector('.file progress');
    window.shown = [bar.value];
    new MutationObserver(() => window.shown.push(bar.value)).observe(bar, { attributes: true });
  });
  await openTab(sender, 'People');
  await ring(sender, receiver);
  await accept(receiver);
  await Promise.all(pages.map((page) => fileState(page, 'done')));
  assert.ok((await receiver.evaluate(() => Math.min(...window.shown))) >= before);
  assert.equal(await savedHash(receiver), sha256(content));
  assert.deepEqual(noErrors(pages), []);
});

test('a file can be declined, and an empty one arrives', LONG, async (t) => {
  const { pages } = await callThroughPath(t);
  const [sender, receiver] = pages;
  await sender.getByLabel('File to send').setInputFiles({ name: 'small.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  await receiver.getByRole('button', { name: 'Decline: small.txt' }).click();
  await fileState(sender, 'declined');
  await says(sender, 'The other side declined it.');
  await sendFile(t, pages, Buffer.alloc(0), 'empty.txt');
  await fileState(sender, 'done');
  assert.equal(await savedHash(receiver), sha256(''));
  assert.deepEqual(noErrors(pages), []);
});
