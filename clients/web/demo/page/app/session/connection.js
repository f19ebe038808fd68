// @ts-check
/** The session of this page, and a way to cut its connection to watch it resume. Not here: calls and rooms. */
import { SERVER_URLS } from '../../config.js';
import { connect, withFallbacks } from '../vendor/sdk.js';

/** @typedef {import('../vendor/sdk.js').Session} Session */
/** @typedef {import('../vendor/sdk.js').TransportName} TransportName */
/** @typedef {NonNullable<import('../vendor/sdk.js').ConnectOptions['transport']>} Transport */

/**
 * Starts the session.
 * @param {import('./identity.js').Identity} identity
 * @param {(name: TransportName) => void} onTransport the transport that brought the first frame of a connection
 */
export function openSession(identity, onTransport) {
  const transport = withFallbacks({ onUse: onTransport });
  let cut = () => {};
  /** @type {Transport} */
  const cuttable = (request, listener) => {
    const connection = transport(request, listener);
    cut = () => {
      connection.close();
      listener.close(1006, 'this page cut the connection');
    };
    return connection;
  };
  const session = connect({ url: SERVER_URLS, getToken: () => identity.token(), transport: cuttable });
  return {
    session,
    /** Closes the connection without a word, as a lost network does. The session resumes. */
    cut: () => cut(),
  };
}
