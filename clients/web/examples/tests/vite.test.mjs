// The page of docs/development.md: from an empty folder to a picture, with a project of Vite's template and the packed SDK.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { newWindow, openPage, startBrowser } from '../../../../tests/browser/support/browser.mjs';
import { startChild } from '../../../../tests/browser/support/child.mjs';
import { startNode } from '../../../../tests/browser/support/servers.mjs';
import { EXAMPLES, movingPicture, withTools } from './support/pages.mjs';

const SDK = path.join(EXAMPLES, '../sdk');
const [, guide] = /## From nothing to a picture with Vite\n([^]*?)\n## /.exec(readFileSync(path.join(EXAMPLES, '../../../docs/development.md'), 'utf8'));
const steps = guide.split(/^\d\. /m).slice(1);
const block = (language) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(guide)[1].replace(/^ {3}/gm, '');
const installed = (name) => path.join(EXAMPLES, 'node_modules', name);

/** The steps of the guide. The registry's part comes from the pinned packages of this folder. */
function makeProject(t, nodeUrl) {
  const folder = mkdtempSync(path.join(tmpdir(), 'switchboard-vite-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [, version, args] = /npm create vite@(\S+) (.*)`/.exec(steps[1]);
  assert.equal(version, JSON.parse(readFileSync(installed('create-vite/package.json'))).version);
  execFileSync(process.execPath, [installed('create-vite/index.js'), ...args.replace('-- ', '').split(' ')], { cwd: folder, stdio: 'ignore' });
  const project = path.join(folder, 'my-call');

  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: SDK }));
  assert.ok(steps[2].includes(filename), filename);
  const client = path.join(project, 'node_modules/@switchboard/client');
  mkdirSync(client, { recursive: true });
  execFileSync('tar', ['-xzf', path.join(folder, filename), '-C', client, '--strip-components=1']);
  symlinkSync(installed('vite'), path.join(project, 'node_modules/vite'));

  writeFileSync(path.join(project, 'src/main.js'), block('js').replace('http://127.0.0.1:8080', nodeUrl.replace(/\/$/, '')));
  const index = path.join(project, 'index.html');
  const [, placeholder] = /instead of `([^`]+)`/.exec(guide);
  const html = readFileSync(index, 'utf8');
  assert.ok(html.includes(placeholder), html);
  writeFileSync(index, html.replace(placeholder, block('html')));
  return project;
}

test('the steps from an empty folder to a picture work in a fresh project of Vite', withTools, async (t) => {
  process.env.NO_COLOR = '1'; // Vite would paint its address
  const project = makeProject(t, (await startNode(t)).url);
  const vite = await startChild(process.execPath, [installed('vite/bin/vite.js'), project, '--port', '0'], /http:\/\/localhost:\d+/, 60_000);
  t.after(vite.stop);
  const window = await newWindow(await startBrowser(t), { permissions: ['camera', 'microphone'] });
  const pages = [];
  for (const peer of ['alice', 'bob']) {
    const page = await openPage(window, 'about:blank');
    const welcome = page.waitForEvent('websocket', (socket) => socket.url().includes('/v1/ws')).then((socket) => socket.waitForEvent('framereceived'));
    await page.goto(`${vite.match}/#${peer}`);
    await welcome;
    pages.push(page);
  }
  await pages[0].getByRole('button', { name: 'Call' }).click();
  await Promise.all(pages.map((page) => movingPicture(page.locator('video'))));
  const lines = block('js').split('\n').filter(Boolean).length;
  assert.deepEqual([steps.length, lines], [5, 9]);
  t.diagnostic(`${steps.length} steps and ${lines} lines from an empty folder to a picture`);
});
