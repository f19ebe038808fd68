/** The transport over long polling: each poll waits until there are frames. */
import type { Transport } from '../transport.js';
import { Commands } from './commands.js';

/** A poll waits up to 25 s on the node. */
const POLL_WITHIN_MS = 40_000;

export const polling: Transport = (request, listener) => {
  const { base, query } = request;
  const abort = new AbortController();
  let isOver = false;
  const end = (code: number, reason: string) => {
    if (isOver) return;
    isOver = true;
    abort.abort();
    listener.close(code, reason);
  };
  const commands = new Commands(request, (reason) => end(1006, reason));

  const poll = async (search: URLSearchParams) => {
    const answer = await fetch(`${base}/v1/poll?${search}`, {
      headers: { authorization: `Bearer ${commands.token}` },
      cache: 'no-store',
      signal: AbortSignal.any([abort.signal, AbortSignal.timeout(POLL_WITHIN_MS)]),
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const frames: { type: string; code?: number; reason?: string }[] = await answer.json();
    return { frames, batch: answer.headers.get('switchboard-batch') ?? '' };
  };

  const run = async () => {
    let search = query;
    while (!isOver) {
      const { frames, batch } = await poll(search);
      for (const frame of frames) {
        if (isOver) return;
        if (frame.type === 'close') return end(frame.code ?? 1006, frame.reason ?? '');
        const isMoved = commands.place && frame.type === 'welcome';
        // Another node has taken the session over. The session must know, because it repeats its sends.
        if (isMoved) return end(1006, 'session is on another node');
        commands.welcome(frame);
        listener.frame(JSON.stringify(frame));
      }
      const place = commands.place;
      if (!place) throw new Error('no welcome');
      // What the first poll asked for stays, for a node that takes the session over.
      search = new URLSearchParams({ ...Object.fromEntries(query), resume: place.get('session') ?? '', node: place.get('node') ?? '', batch });
    }
  };
  run().catch((error: Error) => end(1006, error.message));

  return {
    send: (text) => commands.send(text),
    waiting: () => commands.waiting(),
    close: (code) => {
      isOver = true;
      abort.abort();
      if (code) void commands.close(code);
    },
  };
};
