// @ts-check
/** The call of a room as this page is in it: everybody in the room talks with everybody, without ringing. */
import { roomCall } from '../vendor/sdk.js';
import { Leg } from './leg.js';

/** @typedef {ConstructorParameters<typeof Leg>[1]} LegReport */
/** @typedef {import('../vendor/sdk.js').RoomCall} RoomCall */

/** The rooms of calls, next to the lobby and rooms of other programs. */
const PREFIX = 'demo-call:';

export class RoomTalk {
  peer = undefined;
  phase = /** @type {const} */ ('connected');
  /** @type {Map<string, Leg>} */
  #legs = new Map();
  /** @type {RoomCall | undefined} */
  #call;
  #isOver = false;

  /**
   * @param {string} room its name as people see it
   * @param {import('../vendor/sdk.js').Rooms} rooms
   * @param {import('../vendor/sdk.js').Calls} phone
   * @param {import('./local_media.js').LocalMedia} media
   * @param {LegReport} report
   * @param {(reason: string) => void} onEnd
   */
  constructor(room, rooms, phone, media, report, onEnd) {
    this.room = room;
    this.rooms = rooms;
    this.phone = phone;
    this.media = media;
    this.report = report;
    this.onEnd = onEnd;
  }

  get legs() {
    return [...this.#legs.values()];
  }

  /** Enters the room, and calls who is there. */
  async start() {
    const { report } = this;
    try {
      const room = await this.rooms.join(PREFIX + this.room);
      if (this.#isOver) return void this.rooms.leave(room.name);
      const call = (this.#call = roomCall(this.phone, room, { stream: this.media.stream }));
      call.on('joined', (leg) => {
        report.onLog(`${leg.peer} is in the call`);
        this.#legs.set(leg.peer, new Leg(leg, report));
        report.onChange();
      });
      call.on('left', (leg) => {
        report.onLog(`${leg.peer} left the call: ${leg.reason}`);
        if (this.#legs.get(leg.peer)?.call === leg) this.#legs.delete(leg.peer);
        report.onChange();
      });
      call.on('failed', (leg) => report.onLog(`no connection with ${leg.peer}: ${leg.reason}`));
      call.on('ended', ({ reason }) => this.#finish(reason));
      this.media.sendTo(call);
    } catch (error) {
      this.#finish(/** @type {import('../vendor/sdk.js').SwitchboardError} */ (error).code ?? 'failed');
    }
  }

  end() {
    this.#finish('left');
    this.#call?.leave();
  }

  /** Sends a message of the page to everybody. @param {import('../vendor/sdk.js').Session} session @param {unknown} payload */
  say(session, payload) {
    return session.send({ room: PREFIX + this.room }, payload);
  }

  /** The room itself says who left. */
  onGone() {}

  /** @param {string} reason */
  #finish(reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.rooms.all.some(({ name }) => name === PREFIX + this.room)) this.rooms.leave(PREFIX + this.room).catch(() => {});
    this.onEnd(reason);
  }
}
