// Tokens for test peers, signed as a backend would.
import { createHmac } from 'node:crypto';

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token for `peer` that ends in `ttl_s` seconds. */
export function mint(secret, peer, { ttl_s = 3600, ...claims } = {}) {
  const now_s = Math.floor(Date.now() / 1000);
  const text = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ sub: peer, aud: 'switchboard', iat: now_s, exp: now_s + ttl_s, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
