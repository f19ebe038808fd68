// @ts-check
/** The tabs of the side panel, as the ARIA pattern describes them: arrow keys move between them. On a phone the panel is a sheet. */
import { byId } from './dom.js';

/** @typedef {'people' | 'chat' | 'connection'} TabName */
/** @type {TabName[]} */
const NAMES = ['people', 'chat', 'connection'];
const root = document.documentElement;

/** @param {TabName} name */
export function showTab(name) {
  root.dataset.tab = name;
  for (const each of NAMES) {
    const tab = byId(`tab-${each}`);
    tab.setAttribute('aria-selected', String(each === name));
    tab.tabIndex = each === name ? 0 : -1;
    byId(`panel-${each}`).hidden = each !== name;
  }
  if (name === 'chat') setUnread(0);
}

/** @param {boolean} isOpen */
export function openPanel(isOpen) {
  root.dataset.panel = isOpen ? 'open' : 'closed';
  byId('toggle-panel').setAttribute('aria-expanded', String(isOpen));
}

let unread = 0;

/** Something new is in the chat. */
export function addUnread() {
  const isSeen = root.dataset.tab === 'chat' && byId('panel-chat').checkVisibility();
  setUnread(isSeen ? 0 : unread + 1);
}

/** @param {number} count */
function setUnread(count) {
  unread = count;
  byId('unread').hidden = count === 0;
  byId('unread').textContent = String(count);
  byId('tab-chat').textContent = count ? `Chat (${count})` : 'Chat';
}

export function bindTabs() {
  for (const [index, name] of NAMES.entries()) {
    const tab = byId(`tab-${name}`);
    tab.onclick = () => showTab(name);
    tab.onkeydown = ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!step) return;
      const next = /** @type {TabName} */ (NAMES[(index + step + NAMES.length) % NAMES.length]);
      showTab(next);
      byId(`tab-${next}`).focus();
    };
  }
  const toggle = byId('toggle-panel');
  toggle.onclick = () => openPanel(root.dataset.panel !== 'open');
  byId('close-panel').onclick = () => {
    openPanel(false);
    toggle.focus();
  };
}
