/** What both fallbacks share: a connection whose events come by requests of its own, and whose commands go by others. */
import type { Connection, Request, Transport } from '../transport.js';
import { Commands } from './commands.js';

/** One open connection, as what reads its events sees it. */
export interface Events {
  request: Request;
  commands: Commands;
  /** Aborted at the end. */
  signal: AbortSignal;
  isOver(): boolean;
  /** Passes a frame on. Not after the end. */
  frame(text: string): void;
  /** The connection is over. Only the first call counts. */
  end(code: number, reason: string): void;
}

/** A transport whose events are read by `read`. An error of it is the end of the connection. */
export const overHttp =
  (read: (events: Events) => Promise<void>): Transport =>
  (request, listener): Connection => {
    const abort = new AbortController();
    let isOver = false;
    const end = (code: number, reason: string) => {
      if (isOver) return;
      isOver = true;
      abort.abort();
      listener.close(code, reason);
    };
    const commands = new Commands(request, (reason) => end(1006, reason));
    const events = { request, commands, signal: abort.signal, isOver: () => isOver, frame: listener.frame, end };
    read(events).catch((error: Error) => end(1006, error.message));
    return {
      send: (text) => commands.send(text),
      waiting: () => commands.waiting(),
      close: (code) => {
        isOver = true;
        const sent = code ? commands.close(code) : undefined;
        // The node must know what the end means before it sees the end.
        void Promise.resolve(sent).then(() => abort.abort());
      },
    };
  };
