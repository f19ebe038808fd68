// The plain pages, as a static server serves them, with `switchboard dev`.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import test from 'node:test';
import { EXAMPLES, mistakes, movingPicture, openPeers, serveFiles, withTools } from './support/pages.mjs';

const open = async (t, file, peers) => openPeers(t, await serveFiles(t, path.join(EXAMPLES, '..')), `examples/plain/${file}`, peers);

test('the page of a call shows the other side on both pages', withTools, async (t) => {
  const [alice, bob] = await open(t, 'call.html', ['alice', 'bob']);
  await alice.getByRole('button', { name: 'Call' }).click();
  await Promise.all([alice, bob].map((page) => movingPicture(page.locator('video'))));
  await alice.getByText('bob: accepted').waitFor();
  assert.deepEqual(mistakes(alice, bob), []);
});

test('what one page says in the room is read on the other one', withTools, async (t) => {
  const [alice, bob] = await open(t, 'chat.html', ['alice', 'bob']);
  await Promise.all([alice, bob].map((page) => page.getByText('alice, bob').waitFor()));
  await alice.getByLabel('Message').fill('hello, all');
  await alice.getByRole('button', { name: 'Send' }).click();
  await Promise.all([alice, bob].map((page) => page.getByText('alice: hello, all').waitFor()));
  await bob.close();
  await alice.locator('#members', { hasText: /^alice$/ }).waitFor();
  assert.deepEqual(mistakes(alice), []);
});

test('a file goes from page to page, complete', withTools, async (t) => {
  const [alice, bob] = await open(t, 'file.html', ['alice', 'bob']);
  const buffer = randomBytes(3_000_001);
  const hash = createHash('sha256').update(buffer).digest('hex');
  await alice.getByLabel('File').setInputFiles({ name: 'some bytes.bin', mimeType: 'application/octet-stream', buffer });
  await alice.getByRole('button', { name: 'Send' }).click();
  await bob.getByText(`received ${buffer.length} bytes, SHA-256 ${hash}`).waitFor();
  await alice.getByText(`sent ${buffer.length} bytes, SHA-256 ${hash}`).waitFor();
  assert.equal(await bob.getByRole('link').getAttribute('download'), 'some bytes.bin');
  assert.deepEqual(mistakes(alice, bob), []);
});
