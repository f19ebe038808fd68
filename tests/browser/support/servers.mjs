// The servers of a test: real switchboard nodes and a real Redis, on free ports of loopback.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.mjs';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
export const BINARY = process.env.SWITCHBOARD_BIN ?? path.join(REPOSITORY, 'target/debug/switchboard');
const PAGE_URL = /http:\/\/127\.0\.0\.1:\d+\/(?=\s|$)/m;

/**
 * Starts one `switchboard dev`.
 * @param {import('node:test').TestContext} t stops it when the test is over
 * @param {string[]} [args]
 * @returns {Promise<{url: string, stop: () => Promise<void>}>} the address of its page, and its stop function
 */
export async function startNode(t, args = []) {
  const node = await startChild(BINARY, ['dev', '--listen', '127.0.0.1:0', '--ops-listen', '127.0.0.1:0', ...args], PAGE_URL);
  t.after(node.stop);
  return { url: node.match, stop: node.stop };
}

/**
 * Starts two nodes, n1 and n2, which share only a Redis and a signing secret.
 * @param {import('node:test').TestContext} t
 * @returns {Promise<{url: string}[]>}
 */
export async function startTwoNodes(t) {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-browser-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const secretFile = path.join(folder, 'signing-secret');
  await writeFile(secretFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const redis = await startRedis(t, folder);
  const shared = ['--redis-url', redis.url, '--signing-secret-file', secretFile];
  return Promise.all(['n1', 'n2'].map((id) => startNode(t, [...shared, '--node-id', id])));
}

/**
 * A Redis with its files in `folder`.
 * @returns {Promise<{url: string, restart: () => Promise<void>}>} `restart` crashes it, and starts it without its data
 */
export async function startRedis(t, folder) {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const start = () => startChild('redis-server', args, /Ready to accept connections/);
  let redis = await start();
  t.after(() => redis.stop());
  const restart = async () => {
    await redis.kill();
    redis = await start();
  };
  return { url: `redis://127.0.0.1:${port}`, restart };
}

/** A free port for a program that cannot choose one itself. */
export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
