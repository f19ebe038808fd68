/** The transport over WebSocket. A page cannot set headers, so the token is a subprotocol. */
import type { Transport } from './transport.js';

/** A constructor with the interface of the browser's `WebSocket`. */
export type WebSocketLike = new (url: string | URL, protocols: string[]) => Pick<
  WebSocket,
  'readyState' | 'bufferedAmount' | 'send' | 'close' | 'onmessage' | 'onclose' | 'onerror'
>;

/** Closes of a page are 1000 or 3000 to 4999. After 1000 a session ends; after this one it can be resumed. */
const DETACH_CODE = 3001;
const OPEN = 1;

/** The transport, over the runtime's own `WebSocket` or another one (`ws` for Node 20). */
export const webSocket =
  (Socket: WebSocketLike = globalThis.WebSocket): Transport =>
  ({ base, token, query }, { frame, close }) => {
    const socket = new Socket(`${base.replace('http', 'ws')}/v1/ws?${query}`, ['switchboard.v1', `bearer.${token}`]);
    socket.onmessage = ({ data }) => frame(data);
    socket.onclose = ({ code, reason }) => close(code, reason);
    socket.onerror = () => {}; // `onclose` follows
    return {
      send: (text) => {
        if (socket.readyState === OPEN) socket.send(text);
      },
      waiting: () => socket.bufferedAmount,
      close: (code = DETACH_CODE) => {
        socket.onmessage = socket.onclose = null;
        socket.close(code);
      },
    };
  };
