// A real coturn on loopback, over UDP, TCP and TLS, and the credentials that it accepts.
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, createPublicKey, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startChild } from '../../../../../tests/browser/support/child.mjs';
import { freePort } from '../../../../../tests/browser/support/servers.mjs';

// Its last line: the listeners come before it.
const STARTED = /admin thread/;

/**
 * Starts coturn.
 * @param {import('node:test').TestContext} t stops it when the test is over
 * @returns {Promise<{secret: string, key: string, url: (transport: 'udp' | 'tcp' | 'tls') => string}>} `key` is that of its certificate, as
 * for `startBrowser`
 */
export async function startTurn(t) {
  const secret = randomBytes(16).toString('hex');
  const [port, tlsPort] = [await freePort(), await freePort()];
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-turn-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [cert, pkey] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', ...subject, '-keyout', pkey, '-out', cert], { stdio: 'ignore' });
  const settings = {
    'listening-ip': '127.0.0.1',
    'relay-ip': '127.0.0.1',
    'listening-port': port,
    'tls-listening-port': tlsPort,
    cert,
    pkey,
    realm: 'test.example',
    'static-auth-secret': secret,
    'log-file': 'stdout',
    pidfile: '/dev/null',
  };
  const flags = ['use-auth-secret', 'fingerprint', 'allow-loopback-peers', 'no-cli', 'no-dtls', 'simple-log'];
  const args = [...Object.entries(settings).map(([name, value]) => `--${name}=${value}`), ...flags.map((flag) => `--${flag}`)];
  const coturn = await startChild('turnserver', ['-n', ...args], STARTED);
  t.after(coturn.stop);
  const urls = { udp: `turn:127.0.0.1:${port}?transport=udp`, tcp: `turn:127.0.0.1:${port}?transport=tcp`, tls: `turns:127.0.0.1:${tlsPort}?transport=tcp` };
  const spki = createPublicKey(await readFile(cert)).export({ type: 'spki', format: 'der' });
  return { secret, key: createHash('sha256').update(spki).digest('base64'), url: (transport) => urls[transport] };
}

/** Credentials for `peer` that end at `expiresAt`, in seconds since 1970. */
export function credentials(secret, peer, expiresAt) {
  const username = `${expiresAt}:${peer}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}
