// @ts-check
/** The text and the files of a call, in the order in which they came. Not here: how they get to the other side. */
import { byId, make } from '../ui/dom.js';
import { showFile } from './file_view.js';

/** The oldest lines go first. */
const MAX_LINES = 200;

let lastWho = '';
const list = byId('chat-lines');
const title = byId('chat-empty');

/** @param {string} from empty for this side @param {string} text @returns {(outcome: string) => void} shows the outcome of an own text */
export function addText(from, text) {
  const state = make('small', { className: 'chat-state' });
  addLine(from, make('p', { className: 'chat-text' }, text), state);
  return (outcome) => (state.textContent = outcome);
}

/** @param {string} from empty for this side @param {import('../files/transfers.js').Transfer} transfer */
export function addFile(from, transfer) {
  const card = showFile(transfer);
  addLine(from, card);
  return card;
}

/** Starts anew, unless the chat of this call was shown last. @param {string} who the other side, or the room */
export function openChat(who) {
  if (who === lastWho) return;
  lastWho = who;
  for (const line of [...list.children]) drop(line);
  title.hidden = false;
}

/** @param {string} from @param {...Node} content */
function addLine(from, ...content) {
  const time = make('time', {}, new Date().toTimeString().slice(0, 5));
  const line = make('li', { className: from ? 'theirs' : 'own' }, make('p', { className: 'chat-head' }, make('strong', {}, from || 'You'), time), ...content);
  title.hidden = true;
  list.append(line);
  while (list.childElementCount > MAX_LINES) drop(list.firstElementChild);
  list.scrollTop = list.scrollHeight;
}

/** A file that arrived stays in memory as long as its card. @param {Element | null} line */
function drop(line) {
  line?.querySelector('a[download]')?.dispatchEvent(new Event('release'));
  line?.remove();
}
