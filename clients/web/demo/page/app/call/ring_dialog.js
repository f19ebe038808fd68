// @ts-check
/** What rings here: a dialog over the page, with sound and in the title. */
import { colourOf, initials } from '../people/names.js';
import { byId } from '../ui/dom.js';
import { startRinging, stopRinging } from './ringtone.js';

const dialog = byId('ring', 'dialog');

/** @param {import('./phone.js').Ring | undefined} ring @param {string} name of who rings */
export function showRing(ring, name) {
  document.documentElement.dataset.ring = ring?.kind ?? '';
  if (!ring) {
    dialog.close();
    stopRinging();
    return;
  }
  byId('ring-face').textContent = initials(name);
  byId('ring-face').dataset.colour = String(colourOf(ring.peer));
  byId('ring-title').textContent = ring.kind === 'call' ? `${name} is calling` : `${name} invites you`;
  byId('ring-text').textContent = ring.kind === 'call' ? 'A video call with the two of you.' : `Into the room ${ring.room}, with everybody who is there.`;
  document.title = `${name} is calling`;
  if (dialog.open) return;
  dialog.showModal();
  byId('accept').focus();
  startRinging();
}

/** @param {{accept: () => void, decline: () => void}} actions */
export function bindRing({ accept, decline }) {
  byId('accept').onclick = accept;
  byId('decline').onclick = decline;
  dialog.oncancel = (event) => {
    event.preventDefault(); // the dialog closes with what rings
    decline();
  };
}
