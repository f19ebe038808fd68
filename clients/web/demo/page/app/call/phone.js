// @ts-check
/**
 * What this page is in: nothing, a call with one person, or the call of a room. And what rings here: a call, or an invitation
 * into a room. Not here: how it looks.
 */
import { calls } from '../vendor/sdk.js';
import { DirectCall } from './direct_call.js';
import { Leg } from './leg.js';
import { RoomTalk } from './room_talk.js';

/** @typedef {import('../vendor/sdk.js').Call} Call */
/** @typedef {{kind: 'invite', peer: string, room: string}} Invite */
/** @typedef {{kind: 'call', peer: string, call: Call} | Invite} Ring */
/** @typedef {DirectCall | RoomTalk} Talk */
/**
 * @typedef {object} PhoneReport
 * @property {() => void} onChange
 * @property {(leg: Leg) => void} onSample
 * @property {(leg: Leg) => void} onConnected
 * @property {(leg: Leg, channel: RTCDataChannel) => void} onChannel
 * @property {(talk: {peer?: string | undefined, room?: string | undefined}, reason: string) => void} onEnd
 * @property {(peer: string, reason: string) => void} onInviteFailed the call goes on
 * @property {(from: string, kind: string) => void} onStrange
 * @property {(text: string) => void} onLog
 */

const ROOM_KEY = 'switchboard.room';
/** As long as a call rings. */
const INVITE_RINGS_MS = 45_000;

export class Phone {
  /** @type {Talk | undefined} */
  talk;
  /** @type {Ring | undefined} */
  ring;
  /** @type {number | undefined} */
  #ringEnds;

  /**
   * @param {import('../vendor/sdk.js').Session} session
   * @param {import('../people/lobby.js').Lobby} lobby
   * @param {import('./local_media.js').LocalMedia} media
   * @param {Promise<void>} ready resolves when the person has chosen whether there is a camera
   * @param {PhoneReport} report
   */
  constructor(session, lobby, media, ready, report) {
    this.session = session;
    this.lobby = lobby;
    this.media = media;
    this.ready = ready;
    this.report = report;
    // The second one is refused here, because only this page knows whether it is in a room.
    this.calls = calls(session, { limit: 2 });
    this.calls.on('incoming', (call) => this.#onIncoming(call));
    this.calls.on('restored', (call) => void this.#restore(call));
    this.calls.on('other', ({ message, why }) => {
      if (why === 'form') report.onStrange(message.from, message.type);
    });
  }

  get isIdle() {
    return !this.talk && !this.ring;
  }

  /** Calls one person. @param {string} peer */
  dial(peer) {
    if (!this.isIdle) return;
    if (peer === this.session.welcome?.peer) return this.report.onEnd({ peer }, 'yourself');
    this.report.onLog(`calling ${peer}`);
    const call = this.calls.call(peer, { stream: this.media.stream });
    this.#startDirect(call);
    this.media.sendTo(call);
  }

  /** Takes what rings. */
  async accept() {
    const { ring } = this;
    if (!ring) return;
    this.#stopRing();
    if (ring.kind === 'invite') {
      this.#answerInvite(ring, true);
      return this.enter(ring.room);
    }
    this.report.onLog(`answering ${ring.peer}`);
    this.#startDirect(ring.call);
    ring.call.accept({ stream: this.media.stream });
    this.media.sendTo(ring.call);
  }

  decline() {
    const { ring } = this;
    if (!ring) return;
    this.#stopRing();
    if (ring.kind === 'invite') this.#answerInvite(ring, false);
    else ring.call.decline();
    this.report.onChange();
  }

  /** Enters the call of a room. @param {string} name */
  async enter(name) {
    if (!this.isIdle) return;
    const talk = new RoomTalk(name, this.lobby.rooms, this.calls, this.media, this.#legReport(), (reason) => this.#ended(talk, reason));
    this.talk = talk;
    sessionStorage.setItem(ROOM_KEY, name);
    this.lobby.say({ room: name, isBusy: true });
    this.report.onLog(`entering the room ${name}`);
    this.report.onChange();
    await talk.start();
  }

  /** Enters the room again in which the page before its reload was. */
  async restoreRoom() {
    const room = sessionStorage.getItem(ROOM_KEY);
    await this.ready;
    if (room) await this.enter(room);
  }

  /** Invites a person into the room of this page. @param {string} peer */
  invite(peer) {
    const room = this.talk?.room;
    if (!room) return;
    this.report.onLog(`inviting ${peer} into ${room}`);
    this.session.send(peer, { demo: 'invite', room }).catch((error) => this.report.onInviteFailed(peer, error.code));
  }

  /** @param {string} peer @param {import('../session/app_messages.js').AppMessage} message */
  onInvite(peer, message) {
    if (message.demo === 'invite') {
      const ring = /** @type {Invite} */ ({ kind: 'invite', peer, room: message.room });
      if (!this.isIdle) return this.#answerInvite(ring, false);
      this.#ring(ring);
    } else if (message.demo === 'invite-answer' && !message.isAccepted && this.talk?.room === message.room) {
      this.report.onInviteFailed(peer, 'invite-declined');
    }
  }

  hangUp() {
    this.talk?.end();
  }

  /** Somebody's session is over. @param {string} peer */
  onGone(peer) {
    this.talk?.onGone(peer);
    if (this.ring?.peer === peer && this.ring.kind === 'invite') this.decline();
  }

  /** @param {Call} call */
  #onIncoming(call) {
    if (!this.isIdle) {
      this.report.onLog(`refused a call from ${call.peer}: busy`);
      return call.end('busy');
    }
    call.on('state', ({ state, reason }) => {
      if (this.ring?.kind !== 'call' || this.ring.call !== call || state === 'accepted') return;
      this.#stopRing();
      this.report.onEnd({ peer: call.peer }, reason === 'cancelled' || reason === 'no-answer' ? 'missed' : reason);
    });
    this.#ring({ kind: 'call', peer: call.peer, call });
  }

  /** @param {Call} call of the page before its reload */
  async #restore(call) {
    this.#startDirect(call);
    await this.ready;
    if (call.isOver) return;
    call.accept({ stream: this.media.stream });
    this.media.sendTo(call);
  }

  /** @param {Ring} ring */
  #ring(ring) {
    this.ring = ring;
    this.report.onLog(`${ring.peer} ${ring.kind === 'call' ? 'calls' : `invites into ${ring.room}`}`);
    if (ring.kind === 'invite') this.#ringEnds = setTimeout(() => this.decline(), INVITE_RINGS_MS);
    this.lobby.say({ isBusy: true });
    this.report.onChange();
  }

  #stopRing() {
    clearTimeout(this.#ringEnds);
    this.ring = undefined;
    this.lobby.say({ isBusy: this.talk !== undefined });
  }

  /** @param {Invite} invite @param {boolean} isAccepted */
  #answerInvite({ peer, room }, isAccepted) {
    void this.session.send(peer, { demo: 'invite-answer', room, isAccepted });
  }

  /** @param {Call} call */
  #startDirect(call) {
    const talk = new DirectCall(call, (peer) => this.lobby.isOnline(peer), this.#legReport(), (reason) => this.#ended(talk, reason));
    this.talk = talk;
    this.lobby.say({ isBusy: true });
    this.report.onChange();
  }

  #legReport() {
    const { onChange, onSample, onConnected, onChannel, onLog } = this.report;
    return { onChange, onSample, onConnected, onChannel, onLog };
  }

  /** @param {Talk} talk @param {string} reason */
  #ended(talk, reason) {
    if (this.talk !== talk) return;
    this.talk = undefined;
    sessionStorage.removeItem(ROOM_KEY);
    this.media.sendTo(undefined);
    this.lobby.say({ room: '', isBusy: false });
    this.report.onLog(`call ended: ${reason}`);
    this.report.onEnd(talk, reason);
  }
}
