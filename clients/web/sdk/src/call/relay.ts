/**
 * TURN servers that refuse, in words. A browser tells of them in an event and then looks for other paths. Not here: servers that
 * do not answer, which a browser reports for each of its networks, also where others work.
 */
import { SwitchboardError } from '../error.js';

/** Codes from here on are the browser's own (W3C WebRTC, section 4.8.2); those below are a server's (RFC 8489, section 14.8). */
const BROWSER_CODES = 700;
const UNAUTHORIZED = 401;

/** The code of errors, and the reason of a call that ends without a path after one. */
export const RELAY_REFUSED = 'relay-refused';

/** The error for the application, if a TURN server refused. */
export function relayError({ errorCode, errorText, url }: RTCPeerConnectionIceErrorEvent): SwitchboardError | undefined {
  if (errorCode >= BROWSER_CODES || !url.startsWith('turn')) return;
  const why = errorCode === UNAUTHORIZED ? 'the credentials are wrong or have expired' : errorText;
  return new SwitchboardError(RELAY_REFUSED, `the TURN server ${url} refused: ${why} (${errorCode})`);
}
