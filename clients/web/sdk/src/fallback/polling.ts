/** The transport over long polling: each poll waits until there are frames. */
import { type Events, overHttp } from './connection.js';

/** A poll waits up to 25 s on the node. */
const POLL_WITHIN_MS = 40_000;

export const polling = overHttp(async (connection) => {
  const { request, commands, isOver, frame, end } = connection;
  let search = request.query;
  let seen = search.get('seen') ?? '0';
  while (!isOver()) {
    const { frames, batch } = await poll(search, connection);
    for (const one of frames) {
      if (isOver()) return;
      if (one.type === 'close') return end(one.code ?? 1006, one.reason ?? '');
      const isMoved = commands.place && one.type === 'welcome';
      // Another node has taken the session over. The session must know, because it repeats its sends.
      if (isMoved) return end(1006, 'session is on another node');
      commands.welcome(one);
      if (one.seq) seen = String(one.seq);
      frame(JSON.stringify(one));
    }
    const place = commands.place;
    if (!place) throw new Error('no welcome');
    // What the first poll asked for stays, for a node that takes the session over. It numbers on from `seen`.
    search = new URLSearchParams({ ...Object.fromEntries(request.query), resume: place.get('session') ?? '', node: place.get('node') ?? '', batch, seen });
  }
});

async function poll(search: URLSearchParams, { request, commands, signal }: Events) {
  const answer = await fetch(`${request.base}/v1/poll?${search}`, {
    headers: { authorization: `Bearer ${commands.token}` },
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(POLL_WITHIN_MS)]),
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const frames: { type: string; seq?: number; code?: number; reason?: string }[] = await answer.json();
  return { frames, batch: answer.headers.get('switchboard-batch') ?? '' };
}
