/**
 * The `mid`s of the messages that the application has, as far back as a node can repeat one. The memory is bounded: an
 * older repetition counts as new.
 */

/** How many `mid`s are remembered. A node repeats at most an offline queue (256 messages) and what was not acknowledged. */
const MAX_MIDS = 4096;
/** How many of them a snapshot has. */
const MAX_SAVED_MIDS = 512;

/** `late`: the application has a message that its sender sent later, so delivering this one would break the order. */
export type DedupVerdict = 'new' | 'duplicate' | 'late';

export class DuplicateFilter {
  /** Oldest first. */
  readonly #mids = new Set<string>();
  /** The highest id of each sender's session, while its `mid` is remembered. */
  readonly #newest = new Map<string, number>();

  /** Classifies `mid`, and remembers it if it is new. Messages to a `room` have no order with those to the peer. */
  classify(mid: string, room?: string): DedupVerdict {
    if (this.#mids.has(mid)) return 'duplicate';
    const [session, id] = room ? [mid, NaN] : parts(mid);
    if (id < (this.#newest.get(session) ?? 0)) return 'late';
    for (const oldest of this.#mids) {
      if (this.#mids.size < MAX_MIDS) break;
      this.#mids.delete(oldest);
      const [itsSession, itsId] = parts(oldest);
      if (this.#newest.get(itsSession) === itsId) this.#newest.delete(itsSession);
    }
    if (id) this.#newest.set(session, id);
    this.#mids.add(mid);
    return 'new';
  }

  /** The newest `mid`s, oldest first. */
  snapshot(): string[] {
    return [...this.#mids].slice(-MAX_SAVED_MIDS);
  }
}

/** The sender's session and the id; NaN for a number that a node chose (`~4`), because those have no order. */
function parts(mid: string): [string, number] {
  const [session, id] = mid.split('/') as [string, string?];
  return [session, Number(id)];
}
