// The package as users get it: it is packed, found by its name, and its types fit a strict project.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const CONSUMER = `
import { connect, SwitchboardError, webSocket, type Message, type Session } from '@switchboard/client';
import { calls, shareScreen, stats, type Call } from '@switchboard/client/call';
import { roomCall } from '@switchboard/client/room-call';
import { withFallbacks } from '@switchboard/client/fallback';
import { presence, rooms, type Room } from '@switchboard/client/rooms';
const session: Session = connect({ url: 'https://signal.example', getToken: async () => 'token', transport: withFallbacks({ websocket: webSocket() }) });
rooms(session).join('lobby', { name: 'A' }).then((room: Room) => room.send(1).then(({ status }) => status === 'published'));
presence(session).lookup('bob').then((states) => states.get('bob') === 'online');
session.on('message', ({ from, payload }: Message) => console.log(from, payload));
session.send('bob', { any: 'thing' }, { onQueued: () => {} }).then(({ id }) => id.toFixed(), (error: SwitchboardError) => error.code);
const call: Call = calls(session).call('bob', { receive: ['audio'] });
call.on('state', ({ state }) => state === 'declined');
for await (const { rtt_ms, flows } of stats(call)) console.log(rtt_ms, flows[0]?.bits_per_second);
rooms(session).join('standup').then((room) => shareScreen(roomCall(calls(session), room, { stream: new MediaStream() })));
// @ts-expect-error a kind that the protocol does not have
session.send('bob', 1, { kind: 'shout' });
`;

test('the packed package is found by its name and has types', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'switchboard-pack-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: SDK }));
  const names = files.map(({ path: name }) => name);
  for (const name of ['README.md', 'dist/LICENSE', 'dist/index.js', 'dist/call.js', 'dist/index.d.ts', 'dist/call/index.d.ts', 'dist/rooms.js', 'dist/fallback.js', 'dist/room-call.js']) assert.ok(names.includes(name), name);
  assert.ok(!names.some((name) => name.startsWith('tests/')));
  const installed = path.join(folder, 'node_modules/@switchboard/client');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', path.join(folder, filename), '-C', installed, '--strip-components=1']);
  writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(path.join(folder, 'names.js'), `import { connect } from '@switchboard/client'; import { calls } from '@switchboard/client/call'; console.log(typeof connect, typeof calls);`);
  assert.equal(String(execFileSync('node', ['names.js'], { cwd: folder })).trim(), 'function function');
  writeFileSync(path.join(folder, 'consumer.ts'), CONSUMER);
  const options = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext', '--noEmit', 'consumer.ts'];
  execFileSync(path.join(SDK, 'node_modules/.bin/tsc'), options, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
});
