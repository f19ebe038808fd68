// @ts-check
/**
 * Who this tab is: a peer ID that survives a reload but is never shared with a duplicated tab, and the
 * development tokens for it. A real application gets tokens from its own backend instead.
 */

const STORAGE_KEY = 'switchboard.peer';
const SESSION_DEADLINE_MS = 5_000;
/** On a reload the lock of the page before may take a moment to go. */
const LOCK_WAIT_MS = 400;

export class Identity {
  /** @type {string} empty until the node has named us */
  peer = '';

  /** Takes up the remembered peer ID, unless another tab is using it: duplicating a tab copies sessionStorage. */
  async recall() {
    const remembered = sessionStorage.getItem(STORAGE_KEY) ?? '';
    if (remembered && (await holdLock(remembered))) this.peer = remembered;
  }

  /** A fresh token for this peer. @returns {Promise<import('./protocol.js').Session>} */
  async session() {
    const url = new URL('/dev/session', location.origin);
    if (this.peer) url.searchParams.set('peer', this.peer);
    const answer = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(SESSION_DEADLINE_MS) }).catch(() => {
      throw new Error('the node cannot be reached');
    });
    if (!answer.ok) throw new Error(`the node refused a session (HTTP ${answer.status})`);
    const session = await answer.json();
    if (session.peer !== this.peer) {
      this.peer = session.peer;
      sessionStorage.setItem(STORAGE_KEY, session.peer);
      await holdLock(session.peer);
    }
    return session;
  }
}

/** Holds a Web Lock named after the peer until this tab goes. @param {string} peer @returns {Promise<boolean>} */
function holdLock(peer) {
  if (!navigator.locks) return Promise.resolve(isReload()); // insecure origin: no locks there
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks
      .request(`switchboard-peer-${peer}`, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, held)
      .catch(() => resolve(false));
  });
}

function isReload() {
  const [entry] = performance.getEntriesByType('navigation');
  return /** @type {PerformanceNavigationTiming | undefined} */ (entry)?.type === 'reload';
}
