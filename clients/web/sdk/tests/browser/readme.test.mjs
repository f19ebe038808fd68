// The README's ten lines, as they stand, in two pages on two nodes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { startNodes } from '../support/nodes.mjs';
import { movingPicture, openWindow, startBrowser, withTools } from '../support/pages.mjs';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [, snippet] = /## A call in ten lines\n\n```js\n([^]*?)```/.exec(readme);
const projectReadme = readFileSync(new URL('../../../../../README.md', import.meta.url), 'utf8');
const IMPORTS = { '@switchboard/client': '/sdk/dist/index.js', '@switchboard/client/call': '/sdk/dist/call.js' };

test('the ten lines of the README make a video call', withTools, async (t) => {
  const lines = snippet.trim().split('\n').filter(Boolean);
  assert.ok(lines.length <= 10, `${lines.length} lines`);
  assert.ok(projectReadme.replaceAll(/^ {3}/gm, '').includes(snippet), 'the README of the project has the same lines');
  const nodes = await startNodes(t);
  const browser = await startBrowser(t);
  const pages = await Promise.all(
    ['alice', 'bob'].map(async (peer) => {
      const window = await openWindow(browser, nodes);
      const code = snippet.replace('https://signal.example', nodes.balancer.url).replace('/token', `/token?peer=${peer}`);
      const body = `<!doctype html><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
        <button>Call</button><video id="remote" autoplay muted playsinline></video><script type="module">${code}</script>`;
      const { page: others } = nodes.balancer;
      nodes.balancer.page = (url) => (url.pathname === `/${peer}` ? { type: 'text/html', body } : others(url));
      const page = await window.newPage();
      const welcome = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived'));
      await page.goto(`${nodes.balancer.url}/${peer}`);
      await welcome;
      return page;
    }),
  );
  await pages[0].getByRole('button').click();
  await Promise.all(pages.map((page) => movingPicture(page)));
});
