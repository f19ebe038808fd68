// @ts-check
/**
 * Who has this page open, and what they do: the room that every page joins. Each member's `info` says its name, its node and
 * the room of its call. Not here: how the list looks.
 */
import { isRoomName, MAX_NAME_CHARS } from '../session/app_messages.js';
import { presence, rooms } from '../vendor/sdk.js';
import { nameOfPeer } from './names.js';

const LOBBY = 'demo-lobby';
/** Names of people, also of those who left. The oldest ones go first. */
const MAX_NAMES = 1_000;

/** @typedef {{name: string, node: string, room: string, isBusy: boolean}} Info what a page says of itself; `room` is empty outside of one */
/** @typedef {Info & {peer: string, isSelf: boolean}} Person */

/** What a member shows may come from another program. @param {string} peer @param {any} info @returns {Info} */
function readInfo(peer, info) {
  /** @param {unknown} value */
  const text = (value) => (typeof value === 'string' ? value.trim().slice(0, MAX_NAME_CHARS) : '');
  const room = text(info?.room);
  return { name: text(info?.name) || nameOfPeer(peer), node: text(info?.node), room: isRoomName(room) ? room : '', isBusy: info?.isBusy === true };
}

export class Lobby {
  /** @type {Info} */
  #own = { name: '', node: '', room: '', isBusy: false };
  /** @type {Map<string, string>} */
  #names = new Map();
  #isJoining = false;
  #isChanged = false;
  /** @type {import('../vendor/sdk.js').Room | undefined} */
  #room;
  #self = '';
  #presence;
  /** For rooms of calls, too: a session has one list of rooms. */
  rooms;

  /**
   * @param {import('../vendor/sdk.js').Session} session
   * @param {{onChange: () => void, onProblem: (text: string) => void, onGone: (peer: string, reason: string) => void}} report
   */
  constructor(session, report) {
    this.report = report;
    this.rooms = rooms(session);
    this.#presence = presence(session);
    session.on('welcome', ({ peer, node }) => {
      this.#self = peer;
      this.say({ node });
    });
    // After `rooms`, which has the list up to date by now.
    session.on('peer-joined', ({ room }) => room === LOBBY && this.#changed());
    session.on('peer-left', ({ room, peer, reason }) => {
      if (room !== LOBBY) return;
      report.onGone(peer, reason);
      this.#changed();
    });
    session.on('joined', ({ room }) => room === LOBBY && this.#changed());
    session.on('room-count', ({ room }) => room === LOBBY && this.#changed());
  }

  /** Everybody, this page first, the others by name. A very large lobby has a count only. @returns {Person[]} */
  get people() {
    const people = [...(this.#room?.members.values() ?? [])].map(({ peer, info }) => ({ peer, isSelf: peer === this.#self, ...readInfo(peer, info) }));
    return people.sort((a, b) => Number(b.isSelf) - Number(a.isSelf) || a.name.localeCompare(b.name) || a.peer.localeCompare(b.peer));
  }

  get count() {
    return this.#room?.count ?? 0;
  }

  /** @param {string} peer @returns {Info} */
  infoOf(peer) {
    return readInfo(peer, this.#room?.members.get(peer)?.info);
  }

  /** The latest name of a person; the peer ID if there never was one. @param {string} peer */
  nameOf(peer) {
    return this.#names.get(peer) ?? peer;
  }

  /** Whether a peer has a connection now. @param {string} peer */
  async isOnline(peer) {
    return (await this.#presence.lookup(peer)).get(peer) === 'online';
  }

  /** Says something new of this page. @param {Partial<Info>} change */
  say(change) {
    Object.assign(this.#own, change);
    this.#isChanged = true;
    void this.#join();
  }

  /** A second join waits for the answer to the first. */
  async #join() {
    if (this.#isJoining || !this.#self) return;
    this.#isJoining = true;
    while (this.#isChanged) {
      this.#isChanged = false;
      try {
        this.#room = await this.rooms.join(LOBBY, { ...this.#own });
      } catch (error) {
        this.report.onProblem(`the lobby is not there: ${/** @type {Error} */ (error).message}`);
      }
    }
    this.#isJoining = false;
    this.#changed();
  }

  #changed() {
    for (const { peer, name } of this.people) {
      this.#names.delete(peer); // the newest ones are last
      this.#names.set(peer, name);
    }
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= MAX_NAMES) break;
      this.#names.delete(oldest);
    }
    this.report.onChange();
  }
}
