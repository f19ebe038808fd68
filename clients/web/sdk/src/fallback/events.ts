/**
 * The transport over server-sent events. It reads them with `fetch`: workers and Node have no `EventSource`, and that one
 * cannot send the token in a header.
 */
import { readJson } from '../json.js';
import type { Transport } from '../transport.js';
import { Commands } from './commands.js';

export const events: Transport = (request, listener) => {
  const { base, token, query } = request;
  const abort = new AbortController();
  let isOver = false;
  const end = (code: number, reason: string) => {
    if (isOver) return;
    isOver = true;
    abort.abort();
    listener.close(code, reason);
  };
  const commands = new Commands(request, (reason) => end(1006, reason));

  const onEvent = (block: string) => {
    const data = block.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : [])).join('\n');
    if (!data || isOver) return;
    if (/^event: close$/m.test(block)) {
      const { code = 1006, reason = '' } = readJson(data) ?? {};
      return end(code, reason);
    }
    // Only the first event is a welcome, and messages can be large.
    if (!commands.place) commands.welcome(readJson(data));
    listener.frame(data);
  };

  const read = async () => {
    const answer = await fetch(`${base}/v1/events?${query}`, {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
      cache: 'no-store',
      signal: abort.signal,
    });
    if (!answer.ok || !answer.body) return end(1006, `HTTP ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; ; ) {
      const { value, done } = await reader.read();
      if (done) return end(1006, '');
      const blocks = (text + value).split('\n\n');
      text = blocks.pop() as string;
      blocks.forEach(onEvent);
    }
  };
  read().catch((error: Error) => end(1006, error.message));

  return {
    send: (text) => commands.send(text),
    waiting: () => commands.waiting(),
    close: (code) => {
      isOver = true;
      const sent = code ? commands.close(code) : undefined;
      void Promise.resolve(sent).then(() => abort.abort());
    },
  };
};
