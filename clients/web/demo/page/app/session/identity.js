// @ts-check
/**
 * The peer ID of this tab, and tokens for it. The ID survives a reload. A duplicated tab gets another ID. Not here: the session.
 */
import { SESSION_URL } from '../../config.js';

const STORAGE_KEY = 'switchboard.peer';
const TOKEN_DEADLINE_MS = 5_000;
/** After a reload the lock of the previous page may exist for a moment. */
const LOCK_WAIT_MS = 400;

export class Identity {
  /** @type {string} empty until the node has named this peer */
  peer = '';

  /** Restores the remembered peer ID, unless another tab uses it: a duplicated tab copies sessionStorage. */
  async recall() {
    const remembered = sessionStorage.getItem(STORAGE_KEY) ?? '';
    if (remembered && (await holdLock(remembered))) this.peer = remembered;
  }

  /** A new token for this peer. The first one also names the peer. */
  async token() {
    const url = new URL(SESSION_URL);
    if (this.peer) url.searchParams.set('peer', this.peer);
    const answer = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(TOKEN_DEADLINE_MS) }).catch(() => {
      throw new Error('the node cannot be reached');
    });
    if (!answer.ok) throw new Error(`the node refused a session (HTTP ${answer.status})`);
    /** @type {{peer: string, token: string}} */
    const { peer, token } = await answer.json();
    if (peer !== this.peer) {
      this.peer = peer;
      sessionStorage.setItem(STORAGE_KEY, peer);
      await holdLock(peer);
    }
    return token;
  }
}

/** Holds a Web Lock with the peer's name until this tab closes. @param {string} peer @returns {Promise<boolean>} */
function holdLock(peer) {
  if (!navigator.locks) return Promise.resolve(isReload()); // an insecure origin has no locks
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
