// How a call rings: declined, cancelled, missed, and a whole call with the keyboard alone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ring, stateOf, waitForState, withTools } from './support/browser.mjs';
import { connect, demoPages, noErrors, says } from './support/demo.mjs';

const nameOf = (page) => page.getByLabel('Your name').inputValue();

test('a call rings until it is declined or cancelled, and both sides say what became of it', withTools, async (t) => {
  const { pages } = await demoPages(t, 2);
  const [caller, called] = pages;
  const names = await Promise.all(pages.map(nameOf));
  await ring(caller, called);
  await says(called, `${names[0]} is calling`);
  await says(caller, 'It rings at their side.');
  assert.equal(await called.title(), `${names[0]} is calling`);
  await called.getByRole('button', { name: 'Decline' }).click();
  await waitForState(caller, { call: 'ended', ended: 'declined' });
  await says(caller, `${names[1]} declined the call`);
  await waitForState(called, { ring: '' });

  await ring(caller, called);
  await caller.getByRole('button', { name: 'Hang up' }).click();
  await says(called, `You missed a call from ${names[0]}`);
  // Who missed a call can call back.
  await called.getByRole('button', { name: 'Call again' }).click();
  await waitForState(caller, { ring: 'call' });
  assert.deepEqual(noErrors(pages), []);
});

/** Moves the focus with the tab key until this element has it. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 60; presses++) {
    const label = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim());
    if (name.test(label ?? '')) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`the tab key does not reach ${name}`);
}

test('a person without a mouse calls, answers, mutes, writes and hangs up', withTools, async (t) => {
  const { pages } = await demoPages(t, 2);
  const [caller, called] = pages;
  await caller.locator('#people .person').nth(1).waitFor();
  await tabTo(caller, /^Call /);
  await caller.keyboard.press('Enter');
  await waitForState(called, { ring: 'call' });
  // The dialog has the focus at once.
  await tabTo(called, /^Accept/);
  await called.keyboard.press('Enter');
  await Promise.all(pages.map((page) => waitForState(page, { connection: 'connected' })));

  await tabTo(called, /^Mute microphone/);
  await called.keyboard.press('Space');
  await says(caller, /microphone off/);

  await tabTo(called, /^People \d/);
  await called.keyboard.press('ArrowRight');
  await tabTo(called, /^Message$/);
  await called.keyboard.type('hello from the keyboard');
  await called.keyboard.press('Enter');
  await caller.locator('#unread').filter({ hasText: '1' }).waitFor();

  await tabTo(called, /^Hang up/);
  await called.keyboard.press('Enter');
  await waitForState(caller, { ended: 'they-hung-up' });
  // Escape declines.
  await caller.getByRole('button', { name: 'Call again' }).press('Enter');
  await waitForState(called, { ring: 'call' });
  await called.keyboard.press('Escape');
  await waitForState(caller, { ended: 'declined' });
  assert.deepEqual(noErrors(pages), []);
});

test('a call goes on when a page is reloaded', withTools, async (t) => {
  const { pages } = await demoPages(t, 2);
  const [caller, called] = pages;
  await connect(caller, called);
  const peer = await stateOf(called, 'peer');
  await called.reload();
  await Promise.all(pages.map((page) => waitForState(page, { call: 'connected', connection: 'connected' })));
  await Promise.all(pages.map((page) => page.locator('.tile-person video.playing').waitFor({ state: 'attached' })));
  assert.equal(await stateOf(called, 'peer'), peer);
  assert.deepEqual(noErrors(pages), []);
});
