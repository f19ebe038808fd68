// Builds the package: modules with esbuild, types with tsc, and the sizes of what a page loads.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

// Names of methods and callbacks that only the package itself calls; short names are smaller. Not one that users or the runtime know.
const INTERNAL = /^(classify|drained|ended|fail|flush|hide|isStable|probe|restore|settle|show|snapshot|start|wake|welcomed)$/;
const SHARED = { bundle: true, format: 'esm', target: 'es2022', minify: true, mangleProps: INTERNAL, absWorkingDir: import.meta.dirname };

/** Size of one bundle, minified and compressed, in bytes. */
async function gzippedBytes(entry) {
  const { outputFiles } = await build({ ...SHARED, external: ['./events.js', './polling.js'], stdin: { contents: entry, resolveDir: import.meta.dirname }, write: false });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

/** What a page loads, by what it uses. */
export const sizes = async () => ({
  core: await gzippedBytes("export { connect } from './src/index.ts'"),
  'core with fallbacks': await gzippedBytes("export { connect } from './src/index.ts'; export * from './src/fallback/index.ts'"),
  'core with rooms': await gzippedBytes("export { connect } from './src/index.ts'; export * from './src/rooms/index.ts'"),
  'core with calls': await gzippedBytes("export { connect } from './src/index.ts'; export * from './src/call/index.ts'"),
  'core with rooms and their calls': await gzippedBytes(
    "export { connect } from './src/index.ts'; export * from './src/rooms/index.ts'; export * from './src/call/index.ts'; export * from './src/room-call/index.ts'",
  ),
});

if (import.meta.filename === process.argv[1]) {
  rmSync(new URL('dist', import.meta.url), { recursive: true, force: true });
  await build({
    ...SHARED,
    entryPoints: { index: 'src/index.ts', call: 'src/call/index.ts', 'room-call': 'src/room-call/index.ts', fallback: 'src/fallback/index.ts', rooms: 'src/rooms/index.ts' },
    splitting: true,
    sourcemap: true,
    outdir: 'dist',
  });
  // esbuild keeps imports of chunks from which a module needs nothing, and then warns about them in the builds of users. Blanks
  // keep the places of the source maps.
  for (const name of readdirSync(new URL('dist', import.meta.url)).filter((file) => file.endsWith('.js'))) {
    const file = new URL(`dist/${name}`, import.meta.url);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/import"\.\/chunk-\w+\.js";/g, (found) => ' '.repeat(found.length)));
  }
  copyFileSync(new URL('../../../LICENSE', import.meta.url), new URL('dist/LICENSE', import.meta.url));
  execFileSync('node_modules/.bin/tsc', ['-p', '.'], { cwd: import.meta.dirname, stdio: 'inherit' });
  for (const [what, bytes] of Object.entries(await sizes())) console.log(`${what}: ${bytes} bytes (minified, gzip)`);
}
