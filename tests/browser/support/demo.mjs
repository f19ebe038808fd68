// Pages of the demo in calls and rooms: what a person does, and what a person sees.
import { accept, newWindow, openPage, reachablePeer, ring, startBrowser, waitForState } from './browser.mjs';
import { startNode } from './servers.mjs';

/** Opens the page in a window of its own. Returns when others can reach it, and it has its camera. */
export async function openDemo(browser, url, options) {
  const page = await openPage(await newWindow(browser, options), url);
  await reachablePeer(page);
  await waitForState(page, { media: 'live' });
  return page;
}

/** One node, and so many pages in one browser. */
export async function demoPages(t, count, options) {
  const { url } = await startNode(t);
  const browser = await startBrowser(t);
  const pages = [];
  while (pages.length < count) pages.push(await openDemo(browser, url, options));
  return { url, browser, pages };
}

/** The first page calls the second one, which accepts. */
export async function connect(caller, called) {
  await ring(caller, called);
  await accept(called);
  await Promise.all([caller, called].map((page) => waitForState(page, { call: 'connected', connection: 'connected' })));
}

/** Opens a room, or enters it. */
export async function enterRoom(page, room) {
  await page.getByLabel('Name of the room').fill(room);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
}

/** Waits until the page has so many other people in its call, all connected. */
export const inRoomWith = (page, count) =>
  page.waitForFunction((wanted) => {
    const others = [...document.querySelectorAll('.tile-person')];
    return others.length === wanted && others.every((tile) => tile.querySelector('video').classList.contains('playing'));
  }, count);

/** Waits until the page shows this text. */
export const says = (page, text) => page.getByText(text).filter({ visible: true }).first().waitFor();

export const openTab = (page, name) => page.getByRole('tab', { name }).click();

export const noErrors = (pages) => pages.flatMap((page) => page.errors);
