// The React example as Vite builds it, with React's development build: strict mode mounts everything twice.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { build } from 'vite';
import { EXAMPLES, mistakes, movingPicture, openPeers, serveFiles, withTools } from './support/pages.mjs';

async function openApp(t, peers) {
  const outDir = mkdtempSync(path.join(tmpdir(), 'switchboard-react-'));
  t.after(() => rmSync(outDir, { recursive: true }));
  process.env.NODE_ENV = 'development';
  await build({ root: path.join(EXAMPLES, 'react'), mode: 'development', logLevel: 'warn', build: { outDir, emptyOutDir: true } });
  return openPeers(t, await serveFiles(t, outDir), 'index.html', peers);
}

const connected = (page, peer) => page.getByRole('heading', { name: `${peer}: connected` }).waitFor();

test('a call rings, is accepted, goes on after a reload, and ends', withTools, async (t) => {
  const [alice, bob] = await openApp(t, ['alice', 'bob']);
  await Promise.all([connected(alice, 'alice'), connected(bob, 'bob')]);
  await alice.getByLabel('Peer').fill('bob');
  await alice.getByRole('button', { name: 'Call' }).click();
  await bob.getByRole('button', { name: 'Accept' }).click();
  await Promise.all([movingPicture(alice.getByLabel('bob')), movingPicture(bob.getByLabel('alice'))]);
  await bob.reload();
  await Promise.all([movingPicture(alice.getByLabel('bob')), movingPicture(bob.getByLabel('alice'))]);
  await bob.getByRole('button', { name: 'Hang up' }).click();
  await alice.getByText('bob: ended hung-up').waitFor();
  assert.deepEqual(mistakes(alice, bob), []);
});

test('three people are in the call of a room, and one leaves', withTools, async (t) => {
  const peers = ['alice', 'bob', 'carol'];
  const pages = await openApp(t, peers);
  for (const page of pages) await page.getByRole('button', { name: 'Join the room' }).click();
  await Promise.all(pages.flatMap((page, index) => peers.filter((_, its) => its !== index).map((peer) => movingPicture(page.getByLabel(peer)))));
  await pages[1].getByRole('button', { name: 'Leave the room' }).click();
  await Promise.all([pages[0], pages[2]].map((page) => page.getByLabel('bob').waitFor({ state: 'detached' })));
  await movingPicture(pages[0].getByLabel('carol'));
  assert.deepEqual(mistakes(...pages), []);
});
