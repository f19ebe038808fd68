// A real coturn on loopback, over UDP and TCP, and the credentials that it accepts.
import { createHmac, randomBytes } from 'node:crypto';
import { startChild } from '../../../../../tests/browser/support/child.mjs';
import { freePort } from '../../../../../tests/browser/support/servers.mjs';

// Its last line: the listeners come before it.
const STARTED = /admin thread/;

/**
 * Starts coturn.
 * @param {import('node:test').TestContext} t stops it when the test is over
 * @returns {Promise<{secret: string, url: (transport: 'udp' | 'tcp') => string}>}
 */
export async function startTurn(t) {
  const secret = randomBytes(16).toString('hex');
  const port = await freePort();
  const settings = {
    'listening-ip': '127.0.0.1',
    'relay-ip': '127.0.0.1',
    'listening-port': port,
    realm: 'test.example',
    'static-auth-secret': secret,
    'log-file': 'stdout',
    pidfile: '/dev/null',
  };
  const flags = ['use-auth-secret', 'fingerprint', 'allow-loopback-peers', 'no-cli', 'no-tls', 'no-dtls', 'simple-log'];
  const args = [...Object.entries(settings).map(([name, value]) => `--${name}=${value}`), ...flags.map((flag) => `--${flag}`)];
  const coturn = await startChild('turnserver', ['-n', ...args], STARTED);
  t.after(coturn.stop);
  return { secret, url: (transport) => `turn:127.0.0.1:${port}?transport=${transport}` };
}

/** Credentials for `peer` that end at `expiresAt`, in seconds since 1970. */
export function credentials(secret, peer, expiresAt) {
  const username = `${expiresAt}:${peer}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}
