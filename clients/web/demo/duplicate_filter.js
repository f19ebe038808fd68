// @ts-check
/** Remembers the latest `mid`s, because a resume can repeat messages. Bounded; the oldest are forgotten first. */

const MAX_REMEMBERED_MIDS = 1_024;

export class DuplicateFilter {
  /** @type {Set<string>} */
  #mids = new Set();

  /** Returns whether `mid` is new, and remembers it. @param {string | undefined} mid a message without one is always new */
  accept(mid) {
    if (!mid) return true;
    if (this.#mids.has(mid)) return false;
    this.#mids.add(mid);
    if (this.#mids.size > MAX_REMEMBERED_MIDS) this.#mids.delete(this.#mids.values().next().value ?? '');
    return true;
  }
}
