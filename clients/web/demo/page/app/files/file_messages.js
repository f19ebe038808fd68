// @ts-check
/**
 * The messages of one file on its data channel, and the check of what arrives. The content itself comes as binary messages between
 * `accept` and `done`. Not here: their effect.
 *
 * sender: offer, content, … receiver: accept (or decline), … done
 */

/**
 * @typedef {{name: string, size: number, sha256: string}} FileOffer `size` in bytes; the hash names the file, also on a second attempt
 * @typedef {{type: 'offer'} & FileOffer | {type: 'accept', from: number} | {type: 'decline'} | {type: 'done', isIntact: boolean}} FileMessage
 */

/** The label of a data channel that has a file. */
export const FILE_LABEL = 'demo-file';
/** A file is held in memory on both sides. */
export const MAX_FILE_BYTES = 200_000_000;
const MAX_NAME_CHARS = 200;
const SHA256 = /^[0-9a-f]{64}$/;

/** Returns nothing for a message of another form. @param {unknown} text @returns {FileMessage | undefined} */
export function readFileMessage(text) {
  const { type, name, size, sha256, from, isIntact } = parse(text) ?? {};
  switch (type) {
    case 'offer':
      return typeof name === 'string' && isSize(size) && typeof sha256 === 'string' && SHA256.test(sha256)
        ? { type, name: name.slice(0, MAX_NAME_CHARS), size, sha256 }
        : undefined;
    case 'accept':
      return isSize(from) ? { type, from } : undefined;
    case 'decline':
      return { type };
    case 'done':
      return typeof isIntact === 'boolean' ? { type, isIntact } : undefined;
    default:
      return undefined;
  }
}

/** @param {unknown} size */
const isSize = (size) => typeof size === 'number' && Number.isInteger(size) && size >= 0 && size <= MAX_FILE_BYTES;

/** @param {unknown} text @returns {any} */
function parse(text) {
  try {
    return JSON.parse(/** @type {string} */ (text));
  } catch {
    return undefined;
  }
}

/** The SHA-256 in hexadecimal digits, as `sha256sum` prints it. @param {Blob} file */
export async function sha256Of(file) {
  const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
