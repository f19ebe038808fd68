// @ts-check
/** The card of one file: its name, its progress, and what can be done with it. */
import { byteText } from '../ui/format.js';
import { icon, make } from '../ui/dom.js';

/** @typedef {import('../files/transfers.js').Transfer} Transfer */

/** A card that is up to date after each `update`. @param {Transfer} transfer */
export function showFile(transfer) {
  const bar = make('progress', { max: Math.max(transfer.size, 1), 'aria-label': `Progress of ${transfer.name}` });
  const state = make('p', { className: 'file-state', role: 'status' });
  const row = make('div', { className: 'row start' });
  const card = make('div', { className: 'file' }, make('p', { className: 'file-name' }, icon('file'), make('span', {}, transfer.name)), bar, state, row);
  card.dataset.sha256 = transfer.sha256;
  const started = { at: 0, moved: 0 };
  let shown = '';
  /** @param {string} text @param {() => void} onclick @param {string} [kind] */
  const button = (text, onclick, kind = '') => make('button', { className: `button small ${kind}`, type: 'button', onclick, 'aria-label': `${text}: ${transfer.name}` }, text);

  const buttons = () => {
    if (transfer.isIncoming && 'accept' in transfer && transfer.state === 'waiting') {
      return [button('Accept', () => transfer.accept(), 'primary'), button('Decline', () => transfer.cancel())];
    }
    if ('blob' in transfer && transfer.blob) {
      const href = URL.createObjectURL(transfer.blob);
      const link = make('a', { className: 'button small primary', href, download: transfer.name, 'aria-label': `Save: ${transfer.name}` }, 'Save');
      link.addEventListener('release', () => URL.revokeObjectURL(href));
      return [link];
    }
    return transfer.isOver ? [] : [button('Cancel', () => transfer.cancel())];
  };

  const update = () => {
    const { state: now, moved } = transfer;
    card.dataset.state = now;
    if (now === 'moving' && !started.at) Object.assign(started, { at: performance.now(), moved });
    if (now !== 'moving') started.at = 0;
    bar.value = now === 'done' ? bar.max : moved;
    bar.hidden = now === 'declined' || now === 'cancelled';
    state.textContent = fileText(transfer, started);
    if (now === shown) return;
    shown = now;
    row.replaceChildren(...buttons());
  };
  update();
  return Object.assign(card, { update });
}

/** @param {Transfer} transfer @param {{at: number, moved: number}} started */
function fileText({ state, size, moved, sha256, isIncoming }, started) {
  switch (state) {
    case 'waiting':
      return isIncoming ? `${byteText(size)}. Do you want it?` : `${byteText(size)}. Waiting for the other side.`;
    case 'moving': {
      const seconds = (performance.now() - started.at) / 1000;
      const speed = seconds > 0.5 ? ` · ${byteText((moved - started.moved) / seconds)}/s` : '';
      return `${byteText(moved)} of ${byteText(size)}${speed}`;
    }
    case 'interrupted':
      return `Interrupted at ${byteText(moved)}. It continues when you are connected again.`;
    case 'done':
      return `${byteText(size)}, complete. SHA-256 ${sha256.slice(0, 12)}… is right.`;
    case 'broken':
      return 'It arrived damaged. Send it again.';
    case 'declined':
      return isIncoming ? 'You declined it.' : 'The other side declined it.';
    case 'cancelled':
      return 'You cancelled it.';
  }
}
