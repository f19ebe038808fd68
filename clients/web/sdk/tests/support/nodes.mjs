// Real nodes with one Redis, behind one balancer. They drain as in production, only faster.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startChild } from '../../../../../tests/browser/support/child.mjs';
import { BINARY, startRedis } from '../../../../../tests/browser/support/servers.mjs';
import { Balancer } from './balancer.mjs';

// With the bus up: a session that begins before has no record yet, and ends with its connection.
const READY = /^(?=[^]*"the bus between nodes is up)[^]*"listening","public":"127\.0\.0\.1:\d+/;

const config = (secret, redisUrl) => `
[server]
listen = "127.0.0.1:0"
ops_listen = "127.0.0.1:0"
[auth]
hs256_secret = "${secret}"
[broker]
redis_urls = ["${redisUrl}"]
[drain]
settle_ms = 0
window_ms = 0
grace_ms = 1500
deadline_ms = 5000
`;

/** Starts the nodes of these names, with `more` in their configuration. `start` adds one, or starts a killed one again. */
export async function startNodes(t, names = ['n1', 'n2'], more = '') {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-sdk-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const secret = randomBytes(32).toString('hex');
  const file = path.join(folder, 'node.toml');
  const redis = await startRedis(t, folder);
  await writeFile(file, config(secret, redis.url) + more, { mode: 0o600 });
  const balancer = await Balancer.start(t);
  const nodes = new Map();
  const start = async (name) => {
    const node = await startChild('env', [`SWITCHBOARD__NODE__ID=${name}`, BINARY, 'serve', '--config', file], READY);
    t.after(node.kill);
    nodes.set(name, node);
    balancer.targets.set(name, Number(node.match.split(':').at(-1)));
  };
  await Promise.all(names.map(start));
  return { secret, balancer, nodes, redis, start };
}
