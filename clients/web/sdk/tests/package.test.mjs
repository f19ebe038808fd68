// The package as users get it: packed, installed in an empty project, loaded by Node and by a bundler, with types for a strict project.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { build } from 'esbuild';

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

const read = (name) => readFileSync(path.join(SDK, name), 'utf8');
const { exports: entries } = JSON.parse(read('package.json'));
/** The names by which users import the entries. */
const names = Object.keys(entries).map((entry) => path.posix.join('@switchboard/client', entry));

/** The examples of the API reference, each as a module of a project that has a session. */
const examples = () =>
  readdirSync(path.join(SDK, 'src'), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(`src/${file}`).matchAll(/@example\n[ *]*```ts\n([^]*?)```/g)].map(([, code]) => [file, code.replace(/^ *\* ?/gm, '')]));
const PRELUDE = `
import { connect, SwitchboardError, type Session } from '@switchboard/client';
import { calls, stats, type Call } from '@switchboard/client/call';
import { withFallbacks } from '@switchboard/client/fallback';
import { roomCall } from '@switchboard/client/room-call';
import { presence, rooms } from '@switchboard/client/rooms';
declare const getToken: () => Promise<string>;
`;
/** What an example uses and does not make itself. */
const given = (code) => ['session: Session', 'call: Call'].filter((what) => !code.includes(`const ${what.split(':')[0]} =`)).map((what) => `declare const ${what};`).join('');

/** Packs the package and installs it in an empty project. */
function install(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'switchboard-pack-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: SDK }));
  writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return { folder, files: files.map(({ path: name }) => name) };
}

test('the packed package has all entries, loads in Node and in a bundler, and has types', async (t) => {
  const { folder, files } = install(t);
  for (const { types, default: code } of Object.values(entries)) for (const file of [types, code]) assert.ok(files.includes(path.posix.normalize(file)), file);
  for (const name of ['README.md', 'dist/LICENSE']) assert.ok(files.includes(name), name);
  assert.ok(!files.some((name) => /^(src|tests)\//.test(name)));
  const all = names.map((name, index) => `import * as entry${index} from '${name}';`).join('\n');
  const show = `console.log([${names.map((_, index) => `entry${index}`)}].flatMap((entry) => Object.keys(entry)).sort().join());`;
  writeFileSync(path.join(folder, 'all.js'), `${all}\n${show}`);
  const exported = String(execFileSync('node', ['all.js'], { cwd: folder })).trim();
  for (const name of ['connect', 'calls', 'rooms', 'presence', 'withFallbacks', 'roomCall']) assert.ok(exported.split(',').includes(name), exported);
  const { warnings } = await build({ absWorkingDir: folder, entryPoints: ['all.js'], bundle: true, format: 'esm', splitting: true, outdir: 'bundle' });
  assert.deepEqual(warnings, []);
  assert.equal(String(execFileSync('node', ['bundle/all.js'], { cwd: folder })).trim(), exported, 'a bundle has the same names');
  writeFileSync(path.join(folder, 'consumer.ts'), CONSUMER);
  const modules = examples().map(([, code], index) => {
    writeFileSync(path.join(folder, `example${index}.ts`), PRELUDE + given(code) + code);
    return `example${index}.ts`;
  });
  const options = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--module', 'nodenext', '--noEmit'];
  execFileSync(path.join(SDK, 'node_modules/.bin/tsc'), [...options, 'consumer.ts', ...modules], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
});

test('the API reference has every entry, and an example for each', () => {
  const { entryPoints } = JSON.parse(read('typedoc.json'));
  const sources = Object.values(entries).map(({ types }) => types.replace('./dist', 'src').replace('.d.ts', '.ts'));
  assert.deepEqual([...entryPoints].sort(), sources.sort());
  const shown = examples().map(([, code]) => code).join('\n');
  for (const name of ['connect', 'session.send', 'rooms', 'presence', 'withFallbacks', 'calls', 'stats', 'roomCall']) assert.ok(shown.includes(`${name}(`), name);
});
