// @ts-check
/** The form below the chat: text, a file that is chosen, and files that are dropped on the page. */
import { byId } from '../ui/dom.js';

/** @param {{text: (text: string) => void, file: (file: File) => void, isOpen: () => boolean}} actions */
export function bindChat({ text, file, isOpen }) {
  const input = byId('chat-text', 'input');
  const files = byId('file', 'input');
  byId('chat-form', 'form').onsubmit = (event) => {
    event.preventDefault();
    const words = input.value.trim();
    if (!words || !isOpen()) return;
    text(words);
    input.value = '';
  };
  byId('choose-file').onclick = () => files.click();
  files.onchange = () => {
    for (const each of files.files ?? []) file(each);
    files.value = '';
  };
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    if (isOpen()) for (const each of event.dataTransfer?.files ?? []) file(each);
  });
}

/** @param {boolean} isOpen whether there is somebody to write to */
export function showChatForm(isOpen) {
  byId('chat-text', 'input').disabled = byId('chat-send', 'button').disabled = byId('choose-file', 'button').disabled = !isOpen;
  byId('chat-text', 'input').placeholder = isOpen ? 'Message' : 'In a call you can write here';
}
