// @ts-check
/**
 * Where this page gets its tokens, and which cluster it talks to. `switchboard dev` serves both itself. A static site changes this
 * file. These are no parameters of the address: a link must not be able to send a token of this page to another server.
 */

/** `GET SESSION_URL?peer=…` answers `{"peer": "…", "token": "…"}`, like `GET /dev/session`. */
export const SESSION_URL = new URL('/dev/session', location.href);

/** The nodes, or the load balancer before them: `https://host` or `wss://host/v1/ws`. */
export const SERVER_URLS = [SESSION_URL.origin];
