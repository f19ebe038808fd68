// Pages of a real browser that load the built package, served under the balancer's address.
import { readFileSync } from 'node:fs';
import { newWindow, startBrowser, withTools } from '../../../../../tests/browser/support/browser.mjs';
import { mint } from './tokens.mjs';

export { startBrowser, withTools };
const file = (name) => readFileSync(new URL(`../../${name}`, import.meta.url));
const PAGE = '<!doctype html><title>SDK</title><video id="remote" autoplay muted playsinline></video><script type="module" src="/sdk/tests/support/page.js"></script>';

/** A window whose pages load the package. Each window is a device of its own. */
export async function openWindow(browser, { secret, balancer }, options = {}) {
  const window = await newWindow(browser, { permissions: ['camera', 'microphone'], ...options });
  await window.route(`${balancer.url}/**`, (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname.startsWith('/v1/')) return route.continue();
    if (pathname === '/token') {
      const { peer, ttl_s } = Object.fromEntries(new URL(route.request().url()).searchParams);
      return route.fulfill({ body: mint(secret, peer, ttl_s ? { ttl_s: Number(ttl_s) } : {}) });
    }
    if (pathname.startsWith('/sdk/')) return route.fulfill({ contentType: 'text/javascript', body: file(pathname.slice('/sdk/'.length)) });
    return route.fulfill({ contentType: 'text/html', body: PAGE });
  });
  return window;
}

/** A page of `peer`. `window.sdk` has what a test calls. */
export async function openPeer(window, { balancer }, peer, query = '') {
  const page = Object.assign(await window.newPage(), { errors: [] });
  page.setDefaultTimeout(30_000);
  page.on('pageerror', (error) => page.errors.push(String(error.stack)));
  await page.goto(`${balancer.url}/page?peer=${peer}${query}`);
  await page.waitForFunction(() => window.sdk?.session.state === 'connected');
  return page;
}

/** Waits until the page has a current call in this state and with media. */
export const inCall = (page) => page.waitForFunction(() => window.sdk.call?.state === 'accepted' && window.sdk.call.pc.connectionState === 'connected');
export const callState = (page, state) => page.waitForFunction((wanted) => window.sdk.call?.state === wanted, state);

/** Waits until more frames of the other side were decoded. */
export async function movingPicture(page, count = 5) {
  const frames = () => document.getElementById('remote').getVideoPlaybackQuality().totalVideoFrames;
  const before = await page.evaluate(frames);
  await page.waitForFunction((wanted) => document.getElementById('remote').getVideoPlaybackQuality().totalVideoFrames >= wanted, before + count, { polling: 50 });
}
