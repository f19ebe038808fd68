// Pages of a real browser that load the built package, served under the balancer's address.
import { readFileSync } from 'node:fs';
import { newWindow, startBrowser, withCoturn, withTools } from '../../../../../tests/browser/support/browser.mjs';
import { startNodes } from './nodes.mjs';
import { mint } from './tokens.mjs';

export { startBrowser, withCoturn, withTools };
const file = (name) => readFileSync(new URL(`../../${name}`, import.meta.url));
const PAGE = '<!doctype html><title>SDK</title><video id="remote" autoplay muted playsinline></video><script type="module" src="/sdk/tests/support/page.js"></script>';

/** Serves the test's page, the package and tokens under the balancer's address. */
export function servePages({ balancer, secret }) {
  balancer.page = ({ pathname, searchParams }) => {
    if (pathname === '/token') return { type: 'text/plain', body: mint(secret, searchParams.get('peer'), { ttl_s: Number(searchParams.get('ttl_s') ?? 3600) }) };
    if (pathname.startsWith('/sdk/')) return { type: 'text/javascript', body: file(pathname.slice('/sdk/'.length)) };
    return { type: 'text/html', body: PAGE };
  };
}

/** A window that shares nothing with other windows, like another device. */
export function openWindow(browser, nodes) {
  servePages(nodes);
  return newWindow(browser, { permissions: ['camera', 'microphone'] });
}

/** A page of `peer`. `window.sdk` has what a test calls. */
export async function openPeer(window, { balancer }, peer, query = '') {
  const page = Object.assign(await window.newPage(), { errors: [] });
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => page.errors.push(String(error.stack)));
  await page.goto(`${balancer.url}/page?peer=${peer}${query}`);
  await page.waitForFunction(() => window.sdk?.session.state === 'connected');
  return page;
}

/** Nodes name ICE servers, as in production. Nobody answers at this one. */
export const STUN = '[ice]\nstun_urls = ["stun:127.0.0.1:9"]\n';

/** The pages of alice and bob, on two nodes with `more` in their configuration. `trusted`: a key, as for `startBrowser`. */
export async function twoPages(t, queries = ['', ''], more = STUN, trusted = '') {
  const nodes = await startNodes(t, ['n1', 'n2'], more);
  const browser = await startBrowser(t, { trusted });
  const pages = [];
  for (const [index, peer] of ['alice', 'bob'].entries()) {
    pages.push(await openPeer(await openWindow(browser, nodes), nodes, peer, queries[index]));
  }
  return { nodes, browser, alice: pages[0], bob: pages[1] };
}

/** Waits until the page has a current call in this state and with media. */
export const inCallWithin = (timeout) => (page) =>
  page.waitForFunction(() => window.sdk.call?.state === 'accepted' && window.sdk.call.pc.connectionState === 'connected', undefined, { timeout });
export const inCall = inCallWithin();
export const callState = (page, state) => page.waitForFunction((wanted) => window.sdk.call?.state === wanted, state);

/** Waits until more frames of another side were decoded, in the element of this id: it is gone while a page that was reloaded comes back. */
export async function movingPicture(page, count = 5, id = 'remote') {
  const before = await page.evaluate((id) => document.getElementById(id)?.getVideoPlaybackQuality().totalVideoFrames ?? 0, id);
  const isMoving = ([id, wanted]) => (document.getElementById(id)?.getVideoPlaybackQuality().totalVideoFrames ?? 0) >= wanted;
  await page.waitForFunction(isMoving, [id, before + count], { polling: 50 });
}
