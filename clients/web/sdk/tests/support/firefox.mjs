// A headless Firefox with a fake camera, over WebDriver BiDi (W3C): one page, and functions that run in it.
import { accessSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { WebSocket } from 'ws';
import { startChild } from '../../../../../tests/browser/support/child.mjs';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const START_WITHIN_MS = 60_000;
const PREFERENCES = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.autoplay.default': 0,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.update.enabled': false,
};

/** For the option `skip` of a test: Debian may not have it. */
export function missingFirefox() {
  try {
    accessSync(FIREFOX);
    return false;
  } catch {
    return `${FIREFOX} was not found`;
  }
}

/** Opens `url`. `run(function, argument)` gives what the function returns in the page, as JSON. */
export async function openFirefox(t, url) {
  const profile = await mkdtemp(path.join(tmpdir(), 'switchboard-firefox-'));
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${value});`);
  await writeFile(path.join(profile, 'user.js'), lines.join('\n'));
  const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'];
  const firefox = await startChild(FIREFOX, args, /ws:\/\/127\.0\.0\.1:\d+/, START_WITHIN_MS);
  t.after(async () => {
    await firefox.stop();
    await rm(profile, { recursive: true, force: true });
  });

  const socket = new WebSocket(`${firefox.match}/session`);
  const waiting = new Map();
  const opened = new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  socket.on('message', (text) => {
    const { id, type, result, message } = JSON.parse(text);
    const { resolve, reject } = waiting.get(id) ?? {};
    if (type === 'success') resolve?.(result);
    else reject?.(new Error(message));
  });
  let lastId = 0;
  const command = (method, params) =>
    new Promise((resolve, reject) => {
      waiting.set(++lastId, { resolve, reject });
      socket.send(JSON.stringify({ id: lastId, method, params }));
    });

  await opened;
  await command('session.new', { capabilities: {} });
  const { contexts } = await command('browsingContext.getTree', {});
  const [{ context }] = contexts;
  await command('browsingContext.navigate', { context, url, wait: 'complete' });
  const run = async (script, argument) => {
    const expression = `(async () => JSON.stringify(await (${script})(${JSON.stringify(argument)})))()`;
    const { exceptionDetails, result } = await command('script.evaluate', { expression, target: { context }, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value && JSON.parse(result.value);
  };
  /** Asks the page until the answer is true. The test's own time ends it. */
  const until = (script, argument) =>
    run(`async (argument) => { while (!(await (${script})(argument))) await new Promise((resolve) => setTimeout(resolve, 50)); }`, argument);
  return { run, until };
}
