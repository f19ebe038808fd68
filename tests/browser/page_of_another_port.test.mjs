// A page that another server of this machine serves, as Vite does, with nothing but `switchboard dev`.
import assert from 'node:assert/strict';
import test from 'node:test';
import { newWindow, openPage, startBrowser, withTools } from './support/browser.mjs';
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
