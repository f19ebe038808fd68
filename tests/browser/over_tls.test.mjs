// The demo page and a call over https and wss, with TLS on the node itself and a certificate of an authority of the test.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { startBrowser, withTools } from './support/browser.mjs';
import { startChild } from './support/child.mjs';
import { connect, noErrors, openDemo } from './support/demo.mjs';
import { BINARY } from './support/servers.mjs';

const CERTIFICATES = path.join(path.dirname(BINARY), 'examples/certificates');

/** A node with the demo page over TLS; its port, and the SHA-256 of its public key. */
async function startSecureNode(t) {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await promisify(execFile)(CERTIFICATES, [folder, 'localhost']);
  const file = (name) => path.join(folder, name);
  const config = `
    server = { listen = "127.0.0.1:0", ops_listen = "127.0.0.1:0", tls = { cert_file = "${file('node.pem')}", key_file = "${file('node.key')}" } }
    auth = { hs256_secret = "${'of-this-test-alone-'.repeat(2)}" }
    broker = { kind = "memory" }
    demo = { enabled = true }
  `;
  await writeFile(file('node.toml'), config);
  const node = await startChild(BINARY, ['serve', '--config', file('node.toml')], /"public":"127\.0\.0\.1:\d+"/);
  t.after(node.stop);
  const key = new X509Certificate(await readFile(file('node.pem'))).publicKey.export({ type: 'spki', format: 'der' });
  return { port: /\d+"$/.exec(node.match)[0].slice(0, -1), key: createHash('sha256').update(key).digest('base64') };
}

test('two pages call each other over https and wss', withTools, async (t) => {
  const { port, key } = await startSecureNode(t);
  const browser = await startBrowser(t, { trusted: key });
  const url = `https://localhost:${port}/`;
  const pages = [await openDemo(browser, url), await openDemo(browser, url)];
  await connect(...pages);
  const sockets = await pages[0].evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name));
  assert.ok(sockets.every((name) => name.startsWith('https:') || name.startsWith('wss:') || name.startsWith('data:') || name.startsWith('blob:')), sockets);
  assert.deepEqual(noErrors(pages), []);
});
