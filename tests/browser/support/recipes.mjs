// The backends of examples/tokens, each next to a node with the same secret.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withTools } from './browser.mjs';
import { startChild } from './child.mjs';
import { startNode } from './servers.mjs';

export const RECIPES = fileURLToPath(new URL('../../../examples/tokens', import.meta.url));

/** What runs each recipe. Go's is compiled first, because `go run` leaves its program behind when it is stopped. */
export const LANGUAGES = {
  node: async () => [process.execPath, [`${RECIPES}/node/server.mjs`]],
  python: async () => ['python3', [`${RECIPES}/python/server.py`]],
  go: async (folder) => {
    const program = path.join(folder, 'backend');
    await promisify(execFile)('go', ['build', '-o', program, `${RECIPES}/go/main.go`], { cwd: folder });
    return [program, []];
  },
};

/** A missing language skips its recipe with a message, or fails it in CI. */
export function withLanguage(name) {
  const program = name === 'python' ? 'python3' : name;
  try {
    execFileSync(program, [name === 'go' ? 'version' : '--version'], { stdio: 'ignore' });
    return withTools;
  } catch {
    return { ...withTools, skip: withTools.skip || (process.env.CI === 'true' ? false : `${program} was not found`) };
  }
}

/** A node and the backend of a recipe with the same secret. */
export async function startBackend(t, language) {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-recipe-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const secretFile = path.join(folder, 'secret');
  await writeFile(secretFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  const [program, args] = await LANGUAGES[language](folder);
  const environment = { SWITCHBOARD_SECRET_FILE: secretFile, PORT: '0' };
  const backend = await startChild('env', [...Object.entries(environment).map((pair) => pair.join('=')), program, ...args], /http:\/\/\S+\/token/);
  t.after(backend.stop);
  const { url: node } = await startNode(t, ['--signing-secret-file', secretFile]);
  return { node, token: backend.match };
}
