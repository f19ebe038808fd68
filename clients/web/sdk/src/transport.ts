/**
 * What carries the frames of one connection. A transport is one function, so another one is one more file. It knows no
 * frame and no session.
 */

/** A request for a connection. */
export interface Request {
  /** The node, or what stands before it: `https://…`, up to but without `/v1`. */
  base: string;
  /** The JWT. Never log it. */
  token: string;
  /** `acks`, and on a resume `resume` and `seen`. */
  query: URLSearchParams;
}

/** What a connection reports. `close` comes once, and nothing follows. */
export interface Listener {
  /** A frame came: a JSON text. */
  frame(text: string): void;
  /** The connection ended; 1006 without a close code. */
  close(code: number, reason: string): void;
}

/** An open or opening connection. */
export interface Connection {
  /** Has no effect when the connection is not open. */
  send(text: string): void;
  /** How many bytes were sent and wait for the network. */
  waiting(): number;
  /** Closes without a report to the listener. Without a code the peer's session can be resumed. */
  close(code?: number): void;
}

/** Opens a connection. It may throw. */
export type Transport = (request: Request, listener: Listener) => Connection;

/** The base of a URL that a person wrote: `wss://host/v1/ws`, `https://host` and `/` of the page mean the same node. */
export const baseOf = (url: string | URL): string =>
  new URL(url, globalThis.location?.href).href.replace(/^ws/, 'http').replace(/(\/v1\/ws)?\/*([?#].*)?$/, '');
