// @ts-check
/** Names of people: what they call themselves, or else something readable made of their peer ID. */
import { MAX_NAME_CHARS } from '../session/app_messages.js';

const STORAGE_KEY = 'switchboard.name';

/** `amber-fox-0042` is Amber Fox. @param {string} peer */
export function nameOfPeer(peer) {
  const words = peer.split('-').filter((word) => /^[a-z]+$/i.test(word));
  return words.length ? words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(' ').slice(0, MAX_NAME_CHARS) : peer;
}

/** The initials for a picture without a camera. @param {string} name */
export function initials(name) {
  const words = name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...(word ?? '')][0] ?? '').join('').toUpperCase();
}

/** A colour of the palette, 0 to 7, the same for a peer on every page. @param {string} peer */
export const colourOf = (peer) => [...peer].reduce((sum, sign) => (sum * 31 + (sign.codePointAt(0) ?? 0)) % 9973, 7) % 8;

export const ownName = {
  /** What the person called themselves in this tab; empty if they did not. */
  get: () => sessionStorage.getItem(STORAGE_KEY) ?? '',
  /** @param {string} name */
  set: (name) => sessionStorage.setItem(STORAGE_KEY, name.trim().slice(0, MAX_NAME_CHARS)),
};
