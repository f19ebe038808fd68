// @ts-check
/**
 * Lets two tabs of one browser that stand at the bare address find each other: the newer calls the
 * older. It is a convenience of the demo and NOT part of signaling, which never lists peers.
 */

/** @typedef {{kind: 'hello' | 'here', peer: string, since: number}} Note */

const since = Date.now();

/**
 * Call it once this tab can be reached.
 * @param {string} self
 * @param {{isIdle: () => boolean, onOlder: (peer: string) => void}} tab
 */
export function meetNeighbours(self, tab) {
  const channel = new BroadcastChannel('switchboard-demo');
  /** @param {Note['kind']} kind */
  const say = (kind) => channel.postMessage(/** @type {Note} */ ({ kind, peer: self, since }));
  channel.onmessage = ({ data }) => {
    const note = /** @type {Note} */ (data);
    if (!tab.isIdle()) return;
    const older = note.since < since || (note.since === since && note.peer < self);
    if (older) tab.onOlder(note.peer);
    else if (note.kind === 'hello') say('here');
  };
  say('hello');
}
