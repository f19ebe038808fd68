// Bundles what the page takes from packages: the SDK, from its sources in this repository, and a QR encoder. The bundles are
// committed, because `cargo build` embeds the page and has no npm. They are not minified: two changes of the SDK merge in them.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const FOLDER = 'page/app/vendor';
const SDK = '../sdk/src';
const BUNDLES = {
  'sdk.js': `export * from '${SDK}/index.ts'; export * from '${SDK}/rooms/index.ts'; export * from '${SDK}/fallback/index.ts'; export * from '${SDK}/call/index.ts'; export * from '${SDK}/room-call/index.ts';`,
  'qr.js': "export { default as encodeQr } from 'qr';",
};

/** The text of each bundle by its file. */
export async function bundles() {
  const texts = {};
  for (const [name, contents] of Object.entries(BUNDLES)) {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: import.meta.dirname },
      absWorkingDir: import.meta.dirname,
      bundle: true,
      format: 'esm',
      target: 'es2022',
      minifySyntax: true,
      legalComments: 'inline',
      banner: { js: '/* Made by `npm run build` in clients/web/demo. Change the sources, not this file. */' },
      write: false,
    });
    texts[path.join(FOLDER, name)] = outputFiles[0].text;
  }
  return texts;
}

if (import.meta.filename === process.argv[1]) {
  mkdirSync(path.join(import.meta.dirname, FOLDER), { recursive: true });
  for (const [file, text] of Object.entries(await bundles())) writeFileSync(path.join(import.meta.dirname, file), text);
}
