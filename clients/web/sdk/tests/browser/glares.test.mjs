// A thousand forced glares: what both sides of a call do at the same moment. The pages of real nodes are in `survival`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { newWindow } from '../../../../../tests/browser/support/browser.mjs';
import { servePages } from '../../../../../tests/browser/support/page_server.mjs';
import { startBrowser, withTools } from '../support/pages.mjs';

const CALLS = 50;
const CHANGES = 950;

test('of a thousand forced glares none is stuck: fifty calls that cross, and 950 changes of one call', { ...withTools, timeout: 240_000 }, async (t) => {
  const origin = await servePages(t, ({ url }) =>
    url.startsWith('/sdk/')
      ? { type: 'text/javascript', body: readFileSync(new URL(`../../${url.slice('/sdk/'.length)}`, import.meta.url)) }
      : { type: 'text/html', body: '<!doctype html><script type="module" src="/sdk/tests/support/glares.js"></script>' },
  );
  const page = await (await newWindow(await startBrowser(t))).newPage();
  await page.goto(origin);
  await page.waitForFunction(() => window.glares);
  const start = performance.now();
  assert.equal(await page.evaluate((count) => glares.crossCalls(count), CALLS), CALLS);
  const [crossed, said] = await page.evaluate((count) => glares.crossChanges(count), CHANGES);
  assert.ok(crossed >= CHANGES);
  assert.equal(said, 'not stuck');
  t.diagnostic(`${CALLS} crossing calls and ${crossed} crossing changes in ${Math.round((performance.now() - start) / 1000)} s, 0 stuck`);
});
