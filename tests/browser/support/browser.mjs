// Headless Chromium, and queries of the demo page.
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SCREENSHOTS = fileURLToPath(new URL('../../../out/browser/', import.meta.url));
/** For one step, also on a machine that does much else. */
const DEADLINE_MS = 45_000;
const QUIET = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];
const VIEWPORT = { width: 1280, height: 800 };

/** For `test(name, withTools, …)`: a missing tool skips the test with a message, or fails it in CI. */
export const withTools = needing('redis-server');
/** The same for tests with a TURN server. */
export const withCoturn = needing('redis-server', 'turnserver', 'openssl');

function needing(...programs) {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const isMissing = (name) => !folders.some((folder) => isExecutable(path.join(folder, name)));
  const missing = isExecutable(CHROMIUM) ? programs.find(isMissing) : 'chromium';
  return { timeout: 180_000, skip: process.env.CI !== 'true' && missing ? `${missing} was not found` : false };
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A browser with a fake camera. With `askForCamera` the permissions of the context decide. Without `devices` it has no camera,
 * and no microphone either. `trusted` is the SHA-256 of a public key, in base64, whose certificates are good without an authority.
 * @param {import('node:test').TestContext} t closes it when the test is over
 */
export async function startBrowser(t, { askForCamera = false, devices = true, trusted = '' } = {}) {
  const args = [...QUIET];
  if (devices) args.push('--use-fake-device-for-media-stream');
  if (!askForCamera) args.push('--use-fake-ui-for-media-stream');
  if (trusted) args.push(`--ignore-certificate-errors-spki-list=${trusted}`);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  t.after(() => browser.close());
  return browser;
}

/** A separate window that shares nothing with other windows. */
export function newWindow(browser, options = {}) {
  return browser.newContext({ viewport: VIEWPORT, ...options });
}

/** @typedef {import('playwright-core').Page & {errors: string[]}} DemoPage */

/** Opens the demo page and collects its console errors (scripts, CSP, missing files). @returns {Promise<DemoPage>} */
export async function openPage(context, url) {
  const page = Object.assign(await context.newPage(), { errors: [] });
  page.setDefaultTimeout(DEADLINE_MS);
  page.on('pageerror', (error) => page.errors.push(String(error.stack || error)));
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  await page.goto(url);
  return page;
}

/** Waits until the page has this state, for example `{connection: 'connected'}`. */
export async function waitForState(page, wanted) {
  const selector = Object.entries(wanted).map(([name, value]) => `[data-${name}="${value}"]`).join('');
  try {
    await page.locator(`html${selector}`).waitFor({ state: 'attached' });
  } catch {
    const state = await page.evaluate(() => ({ ...document.documentElement.dataset }));
    assert.fail(`waited for ${selector}, the page has ${JSON.stringify(state)}\n${await page.locator('#log').innerText()}`);
  }
}

/** One value of the page's state. */
export function stateOf(page, name) {
  return page.evaluate((key) => document.documentElement.dataset[key] ?? '', name);
}

/** Waits until other peers can reach the page. Returns its peer ID. */
export async function reachablePeer(page) {
  await waitForState(page, { signaling: 'connected' });
  return stateOf(page, 'peer');
}

/** Calls the person of this peer from the list, and returns when it rings there. */
export async function ring(caller, called) {
  await caller.locator(`#people [data-peer="${await stateOf(called, 'peer')}"]`).getByRole('button', { name: 'Call' }).click();
  await waitForState(called, { ring: 'call' });
}

/** Accepts what rings. */
export async function accept(page) {
  await page.locator('#ring').getByRole('button', { name: 'Accept' }).click();
}

/** Waits until every picture of another person has a size and `count` more frames of it were decoded. */
export async function waitForMovingPicture(page, count = 10) {
  await page.locator('.tile-person video.playing').first().waitFor({ state: 'attached' });
  const frames = () => [...document.querySelectorAll('.tile-person video')].map((video) => video.getVideoPlaybackQuality().totalVideoFrames);
  const before = await page.evaluate(frames);
  const grown = ([befores, more]) =>
    [...document.querySelectorAll('.tile-person video')].every(
      (video, index) => video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames >= (befores[index] ?? 0) + more,
    );
  await page.waitForFunction(grown, [before, count], { polling: 100 });
}

export function screenshot(page, name) {
  return page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
}
