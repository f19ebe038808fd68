/** Which peers are online: a question with one answer, or an event at each change. */
import { Emitter } from '../emitter.js';
import type { PeerPresence, Presence as PresenceFrame, PresenceState } from '../generated/frames.js';
import type { Session } from '../session.js';

/** How many peers one command names, at most. */
const MAX_PEERS = 100;

/** The events of {@link Presence}. */
export interface PresenceEvents {
  /** The state of a watched peer: the first one known, and each change. */
  change: PeerPresence;
}

/** Which peers are online. Made by `presence`. */
export class Presence extends Emitter<PresenceEvents> {
  readonly #session: Session;
  readonly #watched = new Map<string, PresenceState | undefined>();

  constructor(session: Session) {
    super();
    this.#session = session;
    session.on('presence', ({ peers }) => {
      for (const { peer, state } of peers) {
        if (!this.#watched.has(peer) || this.#watched.get(peer) === state) continue;
        this.#watched.set(peer, state);
        this.emit('change', { peer, state });
      }
    });
    // A watch ends with its connection.
    session.on('welcome', () => void this.#send('watch', [...this.#watched.keys()]).catch(() => {}));
  }

  /** The watched peers, each with its last known state. */
  get states(): ReadonlyMap<string, PresenceState | undefined> {
    return this.#watched;
  }

  /**
   * The states of peers now.
   *
   * @throws SwitchboardError `not-allowed` if the token allows no message to one of the peers, `bus-unavailable`, `rate-limited`.
   */
  async lookup(...peers: string[]): Promise<Map<string, PresenceState>> {
    return new Map((await this.#send('lookup', peers)).map(({ peer, state }) => [peer, state]));
  }

  /**
   * From now on each change of these peers is a `change`; the first one is the state now. A watch outlives connections.
   *
   * @throws SwitchboardError as `lookup`; `rate-limited` also over `welcome.limits.watched_per_peer`.
   */
  async watch(...peers: string[]): Promise<void> {
    for (const peer of peers) if (!this.#watched.has(peer)) this.#watched.set(peer, undefined);
    await this.#send('watch', peers);
  }

  /** Ends the watch of these peers. */
  async unwatch(...peers: string[]): Promise<void> {
    for (const peer of peers) this.#watched.delete(peer);
    await this.#send('unwatch', peers);
  }

  async #send(type: 'lookup' | 'watch' | 'unwatch', peers: string[]): Promise<PeerPresence[]> {
    const answers = [];
    for (let at = 0; at < peers.length; at += MAX_PEERS) {
      answers.push(await this.#session.request<PresenceFrame>({ type, peers: peers.slice(at, at + MAX_PEERS) }));
    }
    return answers.flatMap((answer) => answer.peers ?? []);
  }
}
