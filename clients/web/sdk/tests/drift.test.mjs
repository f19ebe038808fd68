// The frames and codes of the package against the protocol's page, and the package's size.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { sizes } from '../build.mjs';

const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const page = read('../../../../docs/protocol.md');
const frames = read('../src/frames.ts');

/** The rows of the first table below a heading, as cells. */
const rows = (heading) => {
  const [, section] = page.split(new RegExp(`^## ${heading}$`, 'm'));
  const [table] = section.split(/^## /m)[0].match(/^\|[^]*?\n(?=\n|$)/m);
  return table.trim().split('\n').slice(2).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
};
const names = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
/** The fields that a cell lists, before its first sentence ends: `id`? is optional. */
const fields = (cell) => [...cell.replace(/\([^)]*\)/g, '').split(/[.:]/)[0].matchAll(/`(\w+)`(\?)?/g)].map(([, name, optional]) => `${name}${optional ?? ''}`);
/** The members of an interface, without `type`. */
const members = (name) => {
  const body = new RegExp(`interface ${name} \\{([^}]*)\\}`).exec(frames)[1];
  return [...body.matchAll(/^ {2}(\w+\??):/gm)].map(([, member]) => member).filter((member) => member !== 'type');
};
const union = (name) => names(new RegExp(`type ${name} =([^;]*);`).exec(frames)[1].replaceAll("'", '`'));

const INTERFACES = { message: 'Message', receipt: 'Receipt', error: 'Failure', joined: 'Joined', left: 'Left', 'peer-joined': 'PeerJoined', 'peer-left': 'PeerLeft', 'room-count': 'RoomCount', presence: 'Presence', ice: 'Ice', expiring: 'Expiring', renewed: 'Renewed', goaway: 'Goaway', pong: 'Pong' };

test('the frames have the fields of the protocol', () => {
  const seen = new Set();
  for (const [types, cell] of rows('Events')) {
    const type = names(types).at(-1);
    seen.add(type);
    if (type === 'welcome') continue;
    assert.ok(INTERFACES[type], `no interface for ${type}`);
    assert.deepEqual(members(INTERFACES[type]).sort(), fields(cell).sort(), type);
  }
  assert.deepEqual([...seen].sort(), [...Object.keys(INTERFACES), 'welcome'].sort());
  const [, welcome] = page.split('| field of `welcome` | meaning |');
  const listed = welcome.split('\n\n')[0].split('\n').slice(2).flatMap((line) => names(line.split('|')[1]));
  assert.deepEqual(members('Welcome').sort(), listed.sort());
  const [, limits] = page.split('| member of `limits` | meaning |');
  const bounds = limits.split('\n\n')[0].split('\n').slice(2).flatMap((line) => names(line.split('|')[1]));
  assert.deepEqual(members('Limits').sort(), bounds.sort());
  assert.deepEqual(union('Kind'), names(rows('Events')[1][0]));
});

test('the error codes are those of the protocol', () => {
  assert.deepEqual(union('ErrorCode').sort(), rows('Errors').flatMap(([code]) => names(code)).sort());
});

test('after each close the session does what the protocol asks for', () => {
  const wait = read('../src/wait.ts');
  const codes = (name) => new RegExp(`${name} = \\[([^\\]]*)\\]`).exec(wait)[1].split(', ').map(Number);
  const [stops, atOnce] = [codes('STOP_CODES'), codes('AT_ONCE_CODES')];
  const found = rows('Close codes').map(([code, , should]) => [Number(code), should]);
  assert.ok(found.length > 10);
  for (const [code, should] of found) {
    assert.equal(stops.includes(code), should.startsWith('stop'), `${code}: ${should}`);
    assert.equal(atOnce.includes(code), should.startsWith('resume at once') || should.startsWith('get a new'), `${code}: ${should}`);
  }
});

test('a page loads at most 4 KiB, 5 KiB with rooms or fallbacks, 8 KiB with calls, and 10 KiB with calls of rooms', async () => {
  const limits = { core: 4096, 'core with fallbacks': 5120, 'core with rooms': 5120, 'core with calls': 8192, 'core with rooms and their calls': 10240 };
  const found = await sizes();
  assert.deepEqual(Object.keys(found), Object.keys(limits));
  for (const [what, bytes] of Object.entries(found)) assert.ok(bytes <= limits[what], `${what}: ${bytes} bytes`);
});
