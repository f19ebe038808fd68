// @ts-check
/** Remembers the latest messages by `mid`, to drop what a resume replays twice. Bounded; the oldest go first. */

const MAX_REMEMBERED_MIDS = 1_024;

export class Recent {
  /** @type {Set<string>} */
  #mids = new Set();

  /** @param {string | undefined} mid absent for a message without one: always new */
  isNew(mid) {
    if (!mid) return true;
    if (this.#mids.has(mid)) return false;
    this.#mids.add(mid);
    if (this.#mids.size > MAX_REMEMBERED_MIDS) this.#mids.delete(this.#mids.values().next().value ?? '');
    return true;
  }
}
