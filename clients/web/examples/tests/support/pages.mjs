// The folder of web clients, served as a static server does, next to one `switchboard dev`.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { newWindow, openPage, startBrowser, withTools } from '../../../../../tests/browser/support/browser.mjs';
import { servePages } from '../../../../../tests/browser/support/page_server.mjs';
import { startNode } from '../../../../../tests/browser/support/servers.mjs';

export { withTools };
export const EXAMPLES = fileURLToPath(new URL('../..', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };

/** Answers with the files of a folder, as a static server does. */
export function files(folder) {
  return ({ url }) => {
    const { pathname } = new URL(url, 'http://localhost');
    if (!(path.extname(pathname) in TYPES)) return { status: 404, type: 'text/plain', body: '' };
    return { type: TYPES[path.extname(pathname)], body: readFileSync(path.join(folder, pathname)) };
  };
}

/** Opens a page for each peer, in a window of its own. */
export async function openPeers(t, origin, file, peers) {
  const { url } = await startNode(t);
  const browser = await startBrowser(t);
  return Promise.all(
    peers.map(async (peer) => {
      const window = await newWindow(browser, { permissions: ['camera', 'microphone'] });
      return openPage(window, `${origin}/${file}?peer=${peer}&node=${encodeURIComponent(url.replace(/\/$/, ''))}`);
    }),
  );
}

/** What the scripts of pages did wrong. A connection that a busy machine loses is no mistake of a page. */
export const mistakes = (...pages) => pages.flatMap(({ errors }) => errors).filter((error) => !/^(Failed to load resource|WebSocket connection)/.test(error));

export const serveFiles = (t, folder) => servePages(t, files(folder));

/** Waits until a video element has a size and shows more frames. */
export async function movingPicture(video, count = 5) {
  await video.evaluate(async (element, count) => {
    const frames = () => element.getVideoPlaybackQuality().totalVideoFrames;
    const wanted = frames() + count;
    while (!element.videoWidth || frames() < wanted) await new Promise((resolve) => element.requestVideoFrameCallback(resolve));
  }, count);
}
