/**
 * The transport over server-sent events. It reads them with `fetch`: workers and Node have no `EventSource`, and that one
 * cannot send the token in a header.
 */
import { readJson } from '../json.js';
import { type Events, overHttp } from './connection.js';

export const events = overHttp(async (connection) => {
  const { base, token, query } = connection.request;
  const answer = await fetch(`${base}/v1/events?${query}`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    cache: 'no-store',
    signal: connection.signal,
  });
  if (!answer.ok || !answer.body) return connection.end(1006, `HTTP ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ; ) {
    const { value, done } = await reader.read();
    if (done) return connection.end(1006, '');
    const blocks = (text + value).split('\n\n');
    text = blocks.pop() as string;
    for (const block of blocks) onEvent(block, connection);
  }
});

function onEvent(block: string, { commands, isOver, frame, end }: Events): void {
  const data = block.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : [])).join('\n');
  if (!data || isOver()) return;
  if (/^event: close$/m.test(block)) {
    const { code = 1006, reason = '' } = readJson(data) ?? {};
    return end(code, reason);
  }
  // Only the first event is a welcome, and messages can be large.
  if (!commands.place) commands.welcome(readJson(data));
  frame(data);
}
