// Calls of a room: three people, invitations, muted devices, text, and a reload.
import assert from 'node:assert/strict';
import test from 'node:test';
import { accept, stateOf, waitForMovingPicture, waitForState, withTools } from './support/browser.mjs';
import { demoPages, enterRoom, inRoomWith, noErrors, openDemo, openTab, says } from './support/demo.mjs';

test('three people meet in a room, see who is muted, write, leave and come back', withTools, async (t) => {
  const { browser, pages, url } = await demoPages(t, 2);
  const [alice, bob] = pages;
  await enterRoom(alice, 'standup');
  await says(alice, 'You are the first in standup');
  await bob.getByRole('button', { name: 'Enter standup' }).click();
  await Promise.all(pages.map((page) => inRoomWith(page, 1)));

  // The third one is invited, and declines at first.
  const carol = await openDemo(browser, url);
  const all = [...pages, carol];
  const row = alice.locator(`#people [data-peer="${await stateOf(carol, 'peer')}"]`);
  const invite = async () => {
    await row.getByRole('button', { name: 'Invite' }).click();
    await waitForState(carol, { ring: 'invite' });
  };
  await invite();
  await carol.getByRole('button', { name: 'Decline' }).click();
  await says(alice, /declined the invitation/);
  await invite();
  await accept(carol);
  await Promise.all(all.map((page) => inRoomWith(page, 2)));
  await Promise.all(all.map((page) => waitForMovingPicture(page)));

  await carol.getByRole('button', { name: 'Turn camera off' }).click();
  const tile = `.tile-person[data-peer="${await stateOf(carol, 'peer')}"]`;
  for (const page of pages) await page.locator(`${tile}[data-picture="off"]`).waitFor();

  await openTab(bob, 'Chat');
  await bob.getByLabel('Message', { exact: true }).fill('hello, both');
  await bob.getByRole('button', { name: 'Send message' }).click();
  for (const page of [alice, carol]) {
    await openTab(page, 'Chat');
    await says(page, 'hello, both');
  }
  await says(bob, 'published');

  // A reload comes back into the room, and the others see it again.
  await carol.reload();
  await inRoomWith(carol, 2);
  await Promise.all(pages.map((page) => inRoomWith(page, 2)));
  await waitForMovingPicture(alice);

  await bob.getByRole('button', { name: 'Hang up' }).click();
  await says(bob, 'You left standup');
  await inRoomWith(alice, 1);
  await bob.getByRole('button', { name: 'Enter again' }).click();
  await Promise.all(all.map((page) => inRoomWith(page, 2)));
  assert.deepEqual(noErrors(all), []);
});

test('who comes to a room by its link is in it, and a shared screen is a tile of its own', withTools, async (t) => {
  const { browser, pages, url } = await demoPages(t, 1);
  const [alice] = pages;
  await enterRoom(alice, 'standup');
  const link = await alice.getByLabel('Invite link', { exact: true }).inputValue();
  assert.equal(link, `${url}?room=standup`);
  const bob = await openDemo(browser, link);
  await Promise.all([alice, bob].map((page) => inRoomWith(page, 1)));
  // A headless browser has no screen, so the picture comes from the test.
  await bob.evaluate(() => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d');
    setInterval(() => context.fillRect(Math.random() * 200, Math.random() * 100, 9, 9), 50);
    navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(10);
  });
  await bob.getByRole('button', { name: 'Share screen' }).click();
  await alice.locator('.tile-screen video.playing').waitFor();
  await bob.getByRole('button', { name: 'Share screen', pressed: true }).click();
  await alice.locator('.tile-screen').waitFor({ state: 'detached' });
  await inRoomWith(alice, 1);
  assert.deepEqual(noErrors([alice, bob]), []);
});
