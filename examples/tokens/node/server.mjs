// A backend that gives tokens for Switchboard to its signed-in users. `../README.md` explains it. No dependencies: HS256 takes
// three lines, and every JWT library does the same.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { SWITCHBOARD_SECRET_FILE, PORT = '3000' } = process.env;
if (!SWITCHBOARD_SECRET_FILE) throw new Error('set SWITCHBOARD_SECRET_FILE to the file with the secret that the nodes have');
const SECRET = readFileSync(SWITCHBOARD_SECRET_FILE, 'utf8').replace(/[\r\n]+$/, '');

/** How long a token is valid, in seconds. The SDK asks for the next one in time. */
const TOKEN_TTL_S = 600;

/** One tab of one user. */
const DEVICE = /^[a-z0-9]{8,32}$/;

/** Session cookies of signed-in users. */
const SESSIONS = new Map([['session-of-alice', 'alice'], ['session-of-bob', 'bob']]);

/** YOUR LOGIN CHECK GOES HERE: the user whom the request's session proves, or undefined. Never a name that the page sends. */
function signedInUser({ headers: { cookie = '' } }) {
  const [, session] = /(?:^|; )session=([^;]*)/.exec(cookie) ?? [];
  return SESSIONS.get(session);
}

function sign(claims) {
  const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

/** The status and the body of an answer to `GET /token?device=…`. */
function token(request, device) {
  const user = signedInUser(request);
  if (!user) return [401, 'sign in first\n'];
  if (!DEVICE.test(device)) return [400, 'device: 8 to 32 characters of a-z 0-9\n'];
  const now = Math.floor(Date.now() / 1000);
  return [200, sign({ sub: `${user}.${device}`, aud: 'switchboard', iat: now, exp: now + TOKEN_TTL_S })];
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://backend');
  const known = request.method === 'GET' && pathname === '/token';
  const [status, body] = known ? token(request, searchParams.get('device') ?? '') : [404, 'only GET /token\n'];
  response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(body);
});
server.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/token`));
