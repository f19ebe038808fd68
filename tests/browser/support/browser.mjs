// Headless Chromium and what the tests ask of the demo page.
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SCREENSHOTS = fileURLToPath(new URL('../../../out/browser/', import.meta.url));
const DEADLINE_MS = 20_000;
const QUIET = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];
const VIEWPORT = { width: 1280, height: 800 };

/** For `test(name, withTools, …)`: a missing tool is a printed skip on a desk, a failure in CI. */
export const withTools = { timeout: 90_000, skip: process.env.CI === 'true' ? false : missingTool() };

function missingTool() {
  for (const [tool, places] of [
    ['chromium', [CHROMIUM]],
    ['redis-server', (process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, 'redis-server'))],
  ]) {
    if (!places.some(isExecutable)) return `${tool} was not found`;
  }
  return false;
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
 * A browser with a fake camera; `askForCamera` keeps the permission question, which then goes by the context.
 * @param {import('node:test').TestContext} t closes it when the test is over
 */
export async function startBrowser(t, { askForCamera = false } = {}) {
  const camera = ['--use-fake-device-for-media-stream', ...(askForCamera ? [] : ['--use-fake-ui-for-media-stream'])];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET, ...camera] });
  t.after(() => browser.close());
  return browser;
}

/** A window of its own: nothing is shared with another one, as if it were another computer. */
export function newWindow(browser, options = {}) {
  return browser.newContext({ viewport: VIEWPORT, ...options });
}

/** @typedef {import('playwright-core').Page & {complaints: string[]}} DemoPage */

/** Opens the demo page; what its console complains about (scripts, CSP, missing files) is kept. @returns {Promise<DemoPage>} */
export async function openPage(context, url) {
  const page = Object.assign(await context.newPage(), { complaints: [] });
  page.setDefaultTimeout(DEADLINE_MS);
  page.on('pageerror', (error) => page.complaints.push(String(error.stack)));
  page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
  await page.goto(url);
  return page;
}

/** Waits until the page says all of this about itself, e.g. `{connection: 'connected'}`. */
export async function pageSays(page, wanted) {
  const selector = Object.entries(wanted).map(([name, value]) => `[data-${name}="${value}"]`).join('');
  try {
    await page.locator(`html${selector}`).waitFor({ state: 'attached' });
  } catch {
    const said = await page.evaluate(() => ({ ...document.documentElement.dataset }));
    assert.fail(`waited for ${selector}, the page says ${JSON.stringify(said)}\n${await page.locator('#log').innerText()}`);
  }
}

/** One of the page's own words about itself. */
export function wordOf(page, name) {
  return page.evaluate((key) => document.documentElement.dataset[key] ?? '', name);
}

/** The peer ID of a page that can be reached. */
export async function reachablePeer(page) {
  await pageSays(page, { signaling: 'connected' });
  return wordOf(page, 'peer');
}

/** Waits until the other side's picture has a size and `count` more frames of it were decoded. */
export async function seesMovingPicture(page, count = 10) {
  const before = await page.evaluate(() => document.getElementById('remote').getVideoPlaybackQuality().totalVideoFrames);
  const grown = (wanted) => {
    const video = document.getElementById('remote');
    return video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames >= wanted;
  };
  await page.waitForFunction(grown, before + count, { polling: 100 });
}

export function screenshot(page, name) {
  return page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
}
