// A page that another server of this machine serves, as Vite does, with nothing but `switchboard dev`.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { accept, newWindow, openPage, reachablePeer, startBrowser, waitForState, withTools } from './support/browser.mjs';
import { servePages } from './support/page_server.mjs';
import { startNode } from './support/servers.mjs';

test('a page of another port gets a token and a connection without an option', withTools, async (t) => {
  const { url } = await startNode(t);
  const origin = await servePages(t, () => ({ type: 'text/html', body: '<!doctype html><link rel="icon" href="data:,">' }));
  const page = await openPage(await newWindow(await startBrowser(t)), origin);
  const welcome = await page.evaluate(async (node) => {
    const { token, ws_url } = await (await fetch(`${node}dev/session?peer=alice`)).json();
    const socket = new WebSocket(ws_url, ['switchboard.v1', `bearer.${token}`]);
    return new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(data));
      socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    });
  }, url);
  assert.deepEqual([welcome.type, welcome.peer], ['welcome', 'alice']);
  assert.deepEqual(page.errors, []);
});

test('the demo is a static site on any server, with two constants of its own', withTools, async (t) => {
  const { url } = await startNode(t);
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
  const config = `export const SESSION_URL = new URL('${url}dev/session');\nexport const SERVER_URLS = ['${url}'];\n`;
  const origin = await servePages(t, async (request) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const file = pathname === '/' ? '/index.html' : pathname;
    const type = types[path.extname(file)];
    return { type, body: file === '/config.js' ? config : await readFile(new URL(`../../clients/web/demo/page${file}`, import.meta.url)) };
  });
  const browser = await startBrowser(t);
  const first = await openPage(await newWindow(browser), origin);
  const second = await openPage(await newWindow(browser), `${origin}/?call=${await reachablePeer(first)}`);
  await accept(first);
  await Promise.all([first, second].map((page) => waitForState(page, { connection: 'connected' })));
  assert.deepEqual([...first.errors, ...second.errors], []);
});
