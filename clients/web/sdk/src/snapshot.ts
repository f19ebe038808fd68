/**
 * What a page leaves for the next page of the same tab. It is there only between two pages: a duplicated tab, which copies
 * the storage, must not resume the session of the first one.
 */

/** Where it is left; `sessionStorage` has this form. */
export type SnapshotStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Returns the text that was saved. A full or forbidden storage saves nothing: the next page gets a new session. */
export function save(storage: SnapshotStorage | undefined, key: string, snapshot: unknown): string | undefined {
  const text = JSON.stringify(snapshot);
  try {
    storage?.setItem(key, text);
    return text;
  } catch {
    return undefined;
  }
}

/** Removes the snapshot and returns its text. */
export function take(storage: SnapshotStorage | undefined, key: string): string | undefined {
  try {
    const text = storage?.getItem(key) ?? undefined;
    storage?.removeItem(key);
    return text;
  } catch {
    return undefined;
  }
}

/** The storage of the options, or the tab's own. A page without one throws. */
export function storageOf(option: SnapshotStorage | null | undefined): SnapshotStorage | undefined {
  try {
    return option === undefined ? globalThis.sessionStorage : (option ?? undefined);
  } catch {
    return undefined;
  }
}
