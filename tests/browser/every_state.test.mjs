// Every state of the demo page: accessible in light and dark, usable on a phone, and a picture of it in out/browser/demo.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { accept, newWindow, openPage, reachablePeer, ring, screenshot, startBrowser, waitForState, withTools } from './support/browser.mjs';
import { connect, demoPages, enterRoom, inRoomWith, openTab, says } from './support/demo.mjs';
import { startNode } from './support/servers.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const PHONE_ON_ITS_SIDE = { width: 844, height: 390 };
const SMALL_PHONE = { width: 320, height: 568 };
/** Each state is checked five times. */
const LONG = { ...withTools, timeout: 600_000 };
/** Where fingers hit it: WCAG 2.2, 2.5.8. */
const MIN_TARGET_PX = 24;

/** Checks the state that a page shows, and takes its pictures. On a phone the panel is a sheet, which is closed for the `stage`. */
async function inspect(page, name, shows = 'panel') {
  await page.bringToFront();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await screenshot(page, `demo/${name}-${colorScheme}`);
    assert.deepEqual(await violations(page), [], `${name} in ${colorScheme}`);
  }
  for (const [suffix, size] of [['phone', PHONE], ['phone-wide', PHONE_ON_ITS_SIDE], ['phone-small', SMALL_PHONE]]) {
    await page.setViewportSize(size);
    await page.evaluate((isOpen) => (document.documentElement.dataset.panel = isOpen ? 'open' : 'closed'), shows === 'panel');
    if (suffix !== 'phone-small') await screenshot(page, `demo/${name}-${suffix}`);
    assert.deepEqual(await page.evaluate(layoutProblems, MIN_TARGET_PX), [], `${name} on a ${suffix}`);
  }
  await page.setViewportSize(DESKTOP);
  await page.evaluate(() => (document.documentElement.dataset.panel = 'open'));
  await page.emulateMedia({ colorScheme: 'light' });
}

async function violations(page) {
  await page.evaluate(AXE);
  // A picture behind a text has no one colour, so axe leaves the contrast there open.
  const { violations } = await page.evaluate(() => axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

/** Runs in the page: parts that are wider than the window, and buttons that cannot be reached. */
function layoutProblems(minTarget) {
  const problems = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) problems.push(`the page is ${scrollWidth} px wide, the window ${clientWidth}`);
  const modal = document.querySelector('dialog[open]');
  for (const button of (modal ?? document).querySelectorAll('button, a[href], input, select, summary')) {
    if (!button.checkVisibility() || button.disabled) continue;
    button.scrollIntoView({ block: 'nearest' });
    const { left, right, top, bottom, width, height } = button.getBoundingClientRect();
    const name = button.id || button.textContent.trim();
    if (left < 0 || right > innerWidth + 1 || top < -1 || bottom > innerHeight + 1) problems.push(`${name} is outside: ${[left, right, top, bottom].map(Math.round)}`);
    else if (width < minTarget || height < minTarget) problems.push(`${name} is small: ${Math.round(width)} × ${Math.round(height)}`);
    else {
      const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      if (hit !== button && !button.contains(hit) && !hit?.closest('label, aside#side, .banner')) problems.push(`${name} is behind ${hit?.outerHTML.slice(0, 80)}`);
    }
  }
  scrollTo(0, 0);
  return problems;
}

test('the states of a call of two are accessible and fit a phone', LONG, async (t) => {
  const { pages } = await demoPages(t, 2);
  const [alice, bob] = pages;
  await alice.locator('#people .person').nth(1).waitFor();
  await alice.getByText('QR code for a phone').click();
  await inspect(alice, 'lobby');
  await alice.getByText('QR code for a phone').click();
  await ring(alice, bob);
  await inspect(bob, 'ringing');
  await says(alice, 'It rings at their side.');
  await inspect(alice, 'calling', 'stage');
  await bob.getByRole('button', { name: 'Decline' }).click();
  await waitForState(alice, { ended: 'declined' });
  await inspect(alice, 'declined');
  await connect(alice, bob);
  await alice.locator('.tile-person video.playing').waitFor();
  await inspect(alice, 'call', 'stage');
  await bob.getByRole('button', { name: 'Mute microphone' }).click();
  await bob.getByRole('button', { name: 'Turn camera off' }).click();
  await alice.locator('.tile-person[data-picture="off"]').waitFor();
  await inspect(alice, 'their-camera-off', 'stage');
  await openTab(alice, 'Connection');
  await alice.locator('.fact-path').filter({ hasText: '→' }).waitFor();
  await inspect(alice, 'connection');
  await openTab(alice, 'Chat');
  await openTab(bob, 'Chat');
  await bob.getByLabel('Message', { exact: true }).fill('Here are the pictures of the weekend.');
  await bob.getByRole('button', { name: 'Send message' }).click();
  await bob.getByLabel('File to send').setInputFiles({ name: 'weekend.zip', mimeType: 'application/zip', buffer: Buffer.alloc(3_000_000, 7) });
  await alice.getByRole('button', { name: 'Accept: weekend.zip' }).waitFor();
  await inspect(alice, 'file-offered');
  await alice.getByRole('button', { name: 'Accept: weekend.zip' }).click();
  await alice.getByRole('link', { name: /^Save/ }).waitFor();
  await inspect(alice, 'file-arrived');
  await alice.getByRole('button', { name: 'Choose devices' }).click();
  await inspect(alice, 'devices');
  await alice.getByRole('button', { name: 'Done' }).click();
  await bob.getByRole('button', { name: 'Hang up' }).click();
  await waitForState(alice, { ended: 'they-hung-up' });
  await inspect(alice, 'hung-up');
});

test('the states of a room are accessible and fit a phone, up to eight people', LONG, async (t) => {
  const { pages } = await demoPages(t, 2);
  const [alice, bob] = pages;
  await enterRoom(alice, 'standup');
  await says(alice, 'You are the first in standup');
  await inspect(alice, 'room-alone', 'stage');
  await bob.getByRole('button', { name: 'Enter standup' }).waitFor();
  await inspect(bob, 'lobby-with-room');
  await alice.getByRole('button', { name: /^Invite/ }).click();
  await waitForState(bob, { ring: 'invite' });
  await inspect(bob, 'invited');
  await accept(bob);
  await inRoomWith(alice, 1);
  await inspect(alice, 'room-of-two', 'stage');
  // Eight pages do not fit a small machine, so the other tiles have pictures of the test.
  for (const [name, count, withScreen] of [['room-of-three', 3, false], ['room-of-eight', 8, false], ['room-with-screen', 4, true]]) {
    await alice.evaluate(showPeople, [count, withScreen]);
    await inspect(alice, name, 'stage');
  }
});

/** Runs in the page: tiles of so many people, drawn by the test. */
async function showPeople([count, withScreen]) {
  const { showTiles } = await import('/app/call/tiles.js');
  const names = ['You', 'Ada Lovelace', 'Alan Turing', 'Grace Hopper', 'Edsger Dijkstra', 'Barbara Liskov', 'Donald Knuth', 'Margaret Hamilton'];
  const picture = (index) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
    const context = canvas.getContext('2d');
    const draw = () => {
      context.fillStyle = `hsl(${index * 47} 35% 32%)`;
      context.fillRect(0, 0, 320, 240);
      context.fillStyle = `hsl(${index * 47} 40% 62%)`;
      context.beginPath();
      context.arc(160, 100, 46, 0, 7);
      context.ellipse(160, 240, 90, 80, 0, 0, 7);
      context.fill();
    };
    draw();
    setInterval(draw, 100);
    return canvas.captureStream(10);
  };
  const tile = (index, more = {}) => ({
    key: index ? `person:${index}` : 'self', peer: `peer-${index}`, kind: index ? 'person' : 'self', name: names[index], who: names[index], stream: index === 2 ? undefined : picture(index),
    hasPicture: index !== 2, isMuted: index === 3, isDim: false, note: '', node: index ? `node n${1 + (index % 3)}` : '', ...more,
  });
  const tiles = [...Array(count).keys()].map((index) => tile(index)).reverse();
  if (withScreen) tiles.unshift(tile(1, { key: 'screen:1', kind: 'screen' }));
  // Nothing changes on the page meanwhile, so the tiles stay.
  showTiles(tiles);
  await Promise.all([...document.querySelectorAll('.tile video')].filter((video) => video.srcObject).map((video) => video.play()));
}

test('the failures of a camera and of signaling are accessible and fit a phone', LONG, async (t) => {
  const node = await startNode(t);
  const withoutDevices = await openPage(await newWindow(await startBrowser(t, { devices: false })), node.url);
  await reachablePeer(withoutDevices);
  await waitForState(withoutDevices, { media: 'not-found' });
  await says(withoutDevices, 'No camera or microphone found');
  await inspect(withoutDevices, 'no-devices');

  const refused = await newWindow(await startBrowser(t, { askForCamera: true }));
  await refused.grantPermissions([]);
  const page = await openPage(refused, `${node.url}?call=nobody-here`);
  await waitForState(page, { media: 'denied' });
  await inspect(page, 'camera-refused');
  await page.getByRole('button', { name: 'Continue without camera' }).click();
  await waitForState(page, { ended: 'peer-offline' });
  await inspect(page, 'nobody-answers');
  await node.stop();
  await waitForState(page, { signaling: 'reconnecting' });
  await inspect(page, 'node-unreachable');
});

