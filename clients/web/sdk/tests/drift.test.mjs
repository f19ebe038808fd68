// The frames and codes of the package against the document of the node's types and the protocol's page, and the package's size.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { sizes } from '../build.mjs';
import { generate } from '../generate.mjs';

const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const page = read('../../../../docs/protocol.md');
const frames = read('../src/generated/frames.ts');
const generated = frames + read('../src/generated/codes.ts');

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
  const body = new RegExp(` ${name} (?:= SendTarget & )?\\{([^}]*)\\}`).exec(frames)[1];
  return [...body.matchAll(/^ {2}(\w+\??):/gm)].map(([, member]) => member).filter((member) => member !== 'type');
};
const union = (name) => names(new RegExp(`type ${name} =([^;]*);`).exec(generated)[1].replaceAll("'", '`'));

const INTERFACES = { message: 'Message', receipt: 'Receipt', error: 'Failure', joined: 'Joined', left: 'Left', 'peer-joined': 'PeerJoined', 'peer-left': 'PeerLeft', 'room-count': 'RoomCount', presence: 'Presence', ice: 'Ice', expiring: 'Expiring', renewed: 'Renewed', goaway: 'Goaway', pong: 'Pong' };

test('the generated types are those of the document', () => {
  for (const [name, text] of Object.entries(generate())) assert.equal(read(`../src/generated/${name}`), text, `${name} is another one; run npm run generate`);
});

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
  assert.deepEqual(members('WelcomeLimits').sort(), bounds.sort());
  assert.deepEqual(union('MessageKind'), names(rows('Events')[1][0]));
});

test('the commands have the fields of the protocol', () => {
  for (const [types, cell] of rows('Commands')) {
    for (const type of names(types).slice(-2)) {
      const name = { bye: 'Send', message: 'Send' }[type] ?? type[0].toUpperCase() + type.slice(1);
      const listed = fields(cell).filter((field) => name !== 'Send' || !['to', 'room'].includes(field));
      assert.deepEqual(members(`${name}Command`).sort(), listed.sort(), type);
    }
  }
});

test('one command names as many peers as a node takes', () => {
  const { messages } = JSON.parse(read('../../../../docs/asyncapi.json')).components;
  const [, most] = /MAX_PEERS = (\d+);/.exec(read('../src/rooms/presence.ts'));
  for (const name of ['lookup', 'watch', 'unwatch']) assert.equal(messages[`command-${name}`].payload.properties.peers.maxItems, Number(most), name);
});

test('the error codes are those of the protocol', () => {
  assert.deepEqual(union('ErrorCode').sort(), rows('Errors').flatMap(([code]) => names(code)).sort());
});

test('after each close the session does what the protocol asks for', () => {
  const codes = (name) => new RegExp(`${name} = \\[([^\\]]*)\\]`).exec(generated)[1].split(', ').map(Number);
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
