// @ts-check
/**
 * Lets two tabs of one browser find each other: the newer tab calls the older one. This is part of the demo only.
 * Signaling never lists peers.
 */

/** @typedef {{kind: 'hello' | 'here', peer: string, since: number}} Note */

const since = Date.now();

/**
 * Call it when other peers can reach this tab.
 * @param {string} self
 * @param {{isIdle: () => boolean, onOlder: (peer: string) => void}} tab
 */
export function discoverTabs(self, tab) {
  const channel = new BroadcastChannel('switchboard-demo');
  /** @param {Note['kind']} kind */
  const post = (kind) => channel.postMessage(/** @type {Note} */ ({ kind, peer: self, since }));
  channel.onmessage = ({ data }) => {
    const note = /** @type {Note} */ (data);
    if (!tab.isIdle()) return;
    const older = note.since < since || (note.since === since && note.peer < self);
    if (older) tab.onOlder(note.peer);
    else if (note.kind === 'hello') post('here');
  };
  post('hello');
}
