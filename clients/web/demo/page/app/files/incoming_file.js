// @ts-check
/**
 * One file on its way to this page. It is accepted by the person once, and then continues on each new channel that offers it
 * again. Its hash is checked at the end.
 */
import { sha256Of } from './file_messages.js';

/** @typedef {import('./outgoing_file.js').FileState} FileState */

export class IncomingFile {
  isIncoming = true;
  /** @type {FileState} */
  state = 'waiting';
  /** Bytes that arrived. */
  moved = 0;
  /** The whole file, once it is here with the right hash. @type {Blob | undefined} */
  blob;
  /** @type {ArrayBuffer[]} */
  #parts = [];
  #isAccepted = false;
  /** @type {RTCDataChannel | undefined} */
  #channel;

  /** @param {string} peer @param {import('./file_messages.js').FileOffer} offer @param {() => void} onChange */
  constructor(peer, { name, size, sha256 }, onChange) {
    this.peer = peer;
    this.name = name;
    this.size = size;
    this.sha256 = sha256;
    this.onChange = onChange;
  }

  get isOver() {
    return this.state !== 'waiting' && this.state !== 'moving' && this.state !== 'interrupted';
  }

  /** The file is offered on this channel. @param {RTCDataChannel} channel */
  receive(channel) {
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => {
      if (channel === this.#channel && data instanceof ArrayBuffer) this.#add(data);
    };
    channel.onclose = () => {
      if (channel === this.#channel && !this.isOver) this.#set('interrupted');
    };
    if (this.#isAccepted) this.accept();
    else this.#set('waiting');
  }

  accept() {
    this.#isAccepted = true;
    this.#send({ type: 'accept', from: this.moved });
    this.#set('moving');
    if (this.moved === this.size) void this.#check();
  }

  cancel() {
    if (this.isOver) return;
    this.#send({ type: 'decline' });
    this.#parts = [];
    this.#set('declined');
  }

  /** @param {ArrayBuffer} part */
  #add(part) {
    if (this.state !== 'moving') return;
    if (this.moved + part.byteLength > this.size) return this.cancel(); // more than was offered
    this.#parts.push(part);
    this.moved += part.byteLength;
    this.onChange();
    if (this.moved === this.size) void this.#check();
  }

  async #check() {
    const blob = new Blob(this.#parts);
    const isIntact = (await sha256Of(blob)) === this.sha256;
    this.#parts = [];
    if (isIntact) this.blob = blob;
    else this.moved = 0;
    this.#set(isIntact ? 'done' : 'broken');
    this.#send({ type: 'done', isIntact });
  }

  /** @param {import('./file_messages.js').FileMessage} message */
  #send(message) {
    if (this.#channel?.readyState === 'open') this.#channel.send(JSON.stringify(message));
  }

  /** @param {FileState} state */
  #set(state) {
    this.state = state;
    this.onChange();
  }
}
