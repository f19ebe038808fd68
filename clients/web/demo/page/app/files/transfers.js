// @ts-check
/** All files of this page: offers them to the people of a call, takes theirs, and continues interrupted ones with the next connection. */
import { FILE_LABEL, MAX_FILE_BYTES, readFileMessage, sha256Of } from './file_messages.js';
import { IncomingFile } from './incoming_file.js';
import { OutgoingFile } from './outgoing_file.js';

/** @typedef {OutgoingFile | IncomingFile} Transfer */
/** @typedef {import('../call/leg.js').Leg} Leg */

/** Unfinished files of one person. */
const MAX_UNFINISHED = 4;
/** Finished ones that are remembered; the chat has their cards. */
const MAX_FINISHED = 50;

export class Transfers {
  /** @type {Transfer[]} in the order in which they began */
  #all = [];

  /** @param {{onStart: (transfer: Transfer) => void, onChange: (transfer: Transfer) => void, onProblem: (text: string) => void}} report */
  constructor(report) {
    this.report = report;
  }

  /** Offers a file to everybody of a call. @param {File} file @param {Leg[]} legs */
  async offer(file, legs) {
    const { report } = this;
    if (!globalThis.crypto?.subtle) return report.onProblem('Files need a page over HTTPS, or at http://127.0.0.1 or http://localhost.');
    if (file.size > MAX_FILE_BYTES) return report.onProblem(`${file.name} is larger than ${MAX_FILE_BYTES / 1e6} MB.`);
    const sha256 = await sha256Of(file);
    for (const leg of legs) {
      const transfer = new OutgoingFile(leg.peer, file, sha256, () => report.onChange(transfer));
      this.#add(transfer);
      this.#open(transfer, leg);
    }
  }

  /** Continues what was interrupted. @param {Leg} leg that has a connection again */
  resume(leg) {
    for (const transfer of this.#all) {
      if (transfer instanceof OutgoingFile && transfer.peer === leg.peer && transfer.state === 'interrupted') this.#open(transfer, leg);
    }
  }

  /** @param {Leg} leg @param {RTCDataChannel} channel that the other side has opened */
  onChannel({ peer }, channel) {
    if (channel.label !== FILE_LABEL) return;
    channel.onmessage = ({ data }) => {
      const offer = readFileMessage(data);
      if (offer?.type !== 'offer') return channel.close();
      const theirs = this.#all.filter((transfer) => transfer instanceof IncomingFile && transfer.peer === peer && !transfer.isOver);
      const known = theirs.find(({ sha256 }) => sha256 === offer.sha256);
      if (!known && theirs.length >= MAX_UNFINISHED) return channel.close();
      const transfer = /** @type {IncomingFile} */ (known ?? new IncomingFile(peer, offer, () => this.report.onChange(transfer)));
      if (!known) this.#add(transfer);
      this.report.onStart(transfer);
      transfer.receive(channel);
    };
  }

  /** @param {Transfer} transfer */
  #add(transfer) {
    const finished = this.#all.filter(({ isOver }) => isOver);
    if (finished.length > MAX_FINISHED) this.#all = this.#all.filter((old) => old !== finished[0]);
    this.#all.push(transfer);
  }

  /** @param {OutgoingFile} transfer @param {Leg} leg */
  #open(transfer, leg) {
    this.report.onStart(transfer);
    transfer.send(leg.call.pc.createDataChannel(FILE_LABEL));
  }
}
