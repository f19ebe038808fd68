// @ts-check
/**
 * One file on its way to one person. A channel that is lost interrupts it. `send` on a new channel continues where the receiver
 * is. Not here: which channel, and when.
 */
import { readFileMessage } from './file_messages.js';

/** @typedef {'waiting' | 'moving' | 'interrupted' | 'done' | 'broken' | 'declined' | 'cancelled'} FileState `broken`: it arrived with another hash */

/** Every browser takes messages of this size. */
const CHUNK_BYTES = 16_384;
/** How much is read from the file at once. */
const BLOCK_BYTES = 64 * CHUNK_BYTES;
/** More does not wait in the channel. */
const MAX_BUFFERED_BYTES = 1 << 20;

export class OutgoingFile {
  isIncoming = false;
  /** @type {FileState} */
  state = 'waiting';
  /** Bytes that were given to the channel. */
  moved = 0;
  /** @type {RTCDataChannel | undefined} */
  #channel;

  /** @param {string} peer @param {File} file @param {string} sha256 @param {() => void} onChange */
  constructor(peer, file, sha256, onChange) {
    this.peer = peer;
    this.file = file;
    this.name = file.name;
    this.size = file.size;
    this.sha256 = sha256;
    this.onChange = onChange;
  }

  get isOver() {
    return this.state !== 'waiting' && this.state !== 'moving' && this.state !== 'interrupted';
  }

  /** Offers the file on a new channel. @param {RTCDataChannel} channel */
  send(channel) {
    this.#channel = channel;
    this.#set('waiting');
    channel.bufferedAmountLowThreshold = MAX_BUFFERED_BYTES / 2;
    channel.onopen = () => channel.send(JSON.stringify({ type: 'offer', name: this.name, size: this.size, sha256: this.sha256 }));
    channel.onclose = () => {
      if (channel === this.#channel && !this.isOver) this.#set('interrupted');
    };
    channel.onmessage = ({ data }) => {
      const message = readFileMessage(data);
      if (message?.type === 'accept' && message.from <= this.size) void this.#pump(channel, message.from);
      else if (message?.type === 'done') this.#end(message.isIntact ? 'done' : 'broken');
      else if (message?.type === 'decline') this.#end('declined');
    };
  }

  cancel() {
    this.#end('cancelled');
  }

  /** @param {RTCDataChannel} channel @param {number} from */
  async #pump(channel, from) {
    this.moved = from;
    this.#set('moving');
    while (this.moved < this.size) {
      const block = await this.file.slice(this.moved, this.moved + BLOCK_BYTES).arrayBuffer();
      for (let at = 0; at < block.byteLength; at += CHUNK_BYTES) {
        if (channel.bufferedAmount > MAX_BUFFERED_BYTES) await room(channel);
        if (channel.readyState !== 'open') return;
        const chunk = block.slice(at, at + CHUNK_BYTES);
        channel.send(chunk);
        this.moved += chunk.byteLength;
      }
      this.onChange();
    }
  }

  /** @param {FileState} state */
  #end(state) {
    if (this.isOver) return;
    this.#set(state);
    this.#channel?.close();
  }

  /** @param {FileState} state */
  #set(state) {
    this.state = state;
    this.onChange();
  }
}

/** Resolves when the channel takes more, or is closed. @param {RTCDataChannel} channel */
function room(channel) {
  return new Promise((resolve) => {
    channel.addEventListener('bufferedamountlow', resolve, { once: true });
    channel.addEventListener('close', resolve, { once: true });
  });
}
