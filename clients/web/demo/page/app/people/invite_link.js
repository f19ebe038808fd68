// @ts-check
/** The link that calls this page, or enters its room, as text and as a QR code for a phone. */
import { encodeQr } from '../vendor/qr.js';
import { byId, makeSvg } from '../ui/dom.js';

const COPIED_SHOWN_MS = 2_000;
const LOOPBACK = /^(localhost|127\.|\[::1\])/;
/** Quiet modules around the code, as the standard asks. */
const BORDER = 4;

/** @param {string} peer @param {string} room of this page; empty outside of one */
export function showLink(peer, room) {
  if (!peer) return;
  const url = new URL(location.pathname, location.origin);
  url.searchParams.set(room ? 'room' : 'call', room || peer);
  const link = url.href;
  if (byId('link', 'input').value === link) return;
  byId('peer-id').textContent = peer;
  byId('link', 'input').value = link;
  byId('copy', 'button').disabled = false;
  byId('other-side', 'a').href = link;
  byId('other-side').removeAttribute('aria-disabled');
  byId('qr').replaceChildren(draw(encodeQr(link, 'raw', { border: BORDER })));
  byId('qr-local').hidden = !LOOPBACK.test(location.hostname);
}

/** @param {boolean[][]} rows */
function draw(rows) {
  const path = rows.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  const size = rows.length;
  return makeSvg('svg', { viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': 'QR code of the invite link', 'shape-rendering': 'crispEdges' },
    makeSvg('rect', { width: size, height: size, fill: '#fff' }), makeSvg('path', { d: path, fill: '#000' }));
}

export async function copyLink() {
  const link = byId('link', 'input');
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
    byId('copy-text').textContent = 'Copied';
  } catch {
    byId('copy-text').textContent = 'Press Ctrl C'; // the link is selected
  }
  setTimeout(() => (byId('copy-text').textContent = 'Copy'), COPIED_SHOWN_MS);
}
