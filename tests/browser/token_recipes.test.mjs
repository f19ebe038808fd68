// The token recipes as a reader runs them: each backend with a real node, and with the SDK in pages of two users.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { newWindow, openPage, startBrowser } from './support/browser.mjs';
import { servePages } from './support/page_server.mjs';
import { LANGUAGES, RECIPES, startBackend, withLanguage } from './support/recipes.mjs';

const SDK = fileURLToPath(new URL('../../clients/web/sdk/', import.meta.url));

let isBuilt = false;
/** The pages load the package as it is published. */
function buildSdk() {
  if (!isBuilt) execFileSync(process.execPath, ['build.mjs'], { cwd: SDK, stdio: ['ignore', 'ignore', 'inherit'] });
  isBuilt = true;
}

/** The page of an application with the SDK and the recipe's `getToken`. Its server forwards `/token`, as Vite's `server.proxy` does. */
const page = (node) => `<!doctype html><link rel="icon" href="data:,"><script type="module">
  import { connect } from '/sdk/index.js';
  import { getToken } from '/get-token.js';
  const session = (window.session = connect({ url: '${node}', getToken }));
  window.received = new Promise((resolve) => session.on('message', resolve));
  session.on('welcome', ({ peer }) => (document.title = peer));
</script>`;

function serveApplication(t, { node, token }) {
  buildSdk();
  return servePages(t, async ({ url, headers: { cookie = '' } }) => {
    if (url.startsWith('/token')) {
      // At the end of the test the backend stops before the pages.
      const answer = await fetch(token + url.slice('/token'.length), { headers: { cookie } }).catch(() => new Response('', { status: 502 }));
      return { status: answer.status, type: 'text/plain', body: await answer.text() };
    }
    if (url === '/get-token.js') return { type: 'text/javascript', body: await readFile(`${RECIPES}/get-token.js`) };
    if (url.startsWith('/sdk/')) return { type: 'text/javascript', body: await readFile(path.join(SDK, 'dist', path.basename(url))) };
    return { type: 'text/html', body: page(node) };
  });
}

/** A window with the session cookie of `user`. */
async function signIn(browser, origin, user) {
  const window = await newWindow(browser);
  await window.addCookies([{ name: 'session', value: `session-of-${user}`, url: origin }]);
  return window;
}

/** A page that other peers can reach. Returns it with its peer ID. */
async function openPeer(window, origin) {
  const opened = await openPage(window, origin);
  await opened.waitForFunction(() => document.title !== '');
  return { page: opened, peer: await opened.title() };
}

for (const language of Object.keys(LANGUAGES)) {
  test(`the ${language} recipe gives each tab of a user a token that a node accepts`, withLanguage(language), async (t) => {
    const backend = await startBackend(t, language);
    const origin = await serveApplication(t, backend);
    const browser = await startBrowser(t);
    const alices = await signIn(browser, origin, 'alice');
    const [first, second] = [await openPeer(alices, origin), await openPeer(alices, origin)];
    const bob = await openPeer(await signIn(browser, origin, 'bob'), origin);
    assert.match(first.peer, /^alice\.[a-z0-9]{12}$/);
    assert.match(second.peer, /^alice\.[a-z0-9]{12}$/);
    assert.match(bob.peer, /^bob\.[a-z0-9]{12}$/);
    assert.notEqual(first.peer, second.peer);

    for (const { page: tab, peer } of [first, second]) {
      await bob.page.evaluate((to) => window.session.send(to, { hello: to }), peer);
      const { from, payload } = await tab.evaluate(() => window.received);
      assert.deepEqual([from, payload], [bob.peer, { hello: peer }]);
    }

    await first.page.reload();
    await first.page.waitForFunction(() => document.title !== '');
    assert.equal(await first.page.title(), first.peer, 'a reload is the same peer');
  });

  test(`the ${language} recipe gives no token without a login or for another user's name`, withLanguage(language), async (t) => {
    const { token } = await startBackend(t, language);
    const status = async (query, cookie) => (await fetch(token + query, { headers: cookie ? { cookie } : {} })).status;
    assert.equal(await status('?device=0123456789ab'), 401);
    assert.equal(await status('?device=0123456789ab', 'session=alice'), 401);
    assert.equal(await status('?device=0123456789ab', 'session=session-of-alice'), 200);
    for (const device of ['', 'short', 'bob.0123456789', '0123456789\n', 'ä123456789ab', 'x'.repeat(33)]) {
      assert.equal(await status(`?device=${encodeURIComponent(device)}`, 'session=session-of-alice'), 400, device);
    }
    assert.equal(await status('/other', 'session=session-of-alice'), 404);
  });
}
