// The page's files: bundles that are of the sources of now, types that fit, and words for every end of a call.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { bundles } from '../build.mjs';
import { endText } from '../page/app/call/end_texts.js';

const FOLDER = path.join(import.meta.dirname, '..');

test('the bundles are made of the sources of now', async () => {
  for (const [file, text] of Object.entries(await bundles())) {
    assert.ok(readFileSync(path.join(FOLDER, file), 'utf8') === text, `${file} is old: npm run build`);
  }
});

test('the types fit', () => {
  execFileSync('node_modules/.bin/tsc', ['-p', 'jsconfig.json'], { cwd: FOLDER, stdio: 'pipe', encoding: 'utf8' });
});

/** The reasons with which a call of the SDK ends, those that the page adds, and the errors of a first offer or of a room. */
const REASONS = [
  'hung-up', 'they-hung-up', 'declined', 'busy', 'no-answer', 'no-path', 'relay-refused', 'connection-lost', 'gone', 'replaced',
  'missed', 'vanished', 'not-understood', 'they-not-understood', 'yourself', 'invite-declined', 'left', 'lost', 'kicked', 'expired',
  'peer-offline', 'timeout', 'bus-unavailable', 'queue-full', 'rate-limited', 'not-allowed', 'room-full', 'bad-id', 'closed',
];

test('every end of a call has words of its own, without the code', () => {
  const [unknown] = endText('something-else', 'Amber Fox');
  for (const reason of REASONS) {
    const [title, help] = endText(reason, 'Amber Fox');
    assert.notEqual(title, unknown, reason);
    assert.ok(help.endsWith('.'), `${reason}: ${help}`);
  }
  assert.equal(endText('something-else', 'Amber Fox')[1], 'Reason: something-else');
});
