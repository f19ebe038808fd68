// @ts-check
/** Which tiles a call has: the shared screens first, then the other people, then this side. */

/** @typedef {import('./tiles.js').Tile} Tile */
/** @typedef {import('./leg.js').Leg} Leg */

/**
 * @param {Leg[]} legs
 * @param {import('./local_media.js').LocalMedia} local
 * @param {(peer: string) => {name: string, node: string}} describe
 * @param {string} self this peer
 * @returns {Tile[]}
 */
export function tilesOf(legs, local, describe, self) {
  const screens = legs.filter(({ screen }) => screen).map((leg) => tile(leg, 'screen', describe(leg.peer)));
  const people = legs.map((leg) => tile(leg, 'person', describe(leg.peer)));
  return [...screens, ...people, ownTile(local, describe(self), self)];
}

/** @param {Leg} leg @param {'person' | 'screen'} kind @param {{name: string, node: string}} who @returns {Tile} */
function tile(leg, kind, { name, node }) {
  const { peer, media } = leg;
  const isPerson = kind === 'person';
  return {
    key: `${kind}:${peer}`,
    peer,
    kind,
    name: isPerson ? [name, media?.audio === false && 'microphone off', media?.video === false && 'camera off'].filter(Boolean).join(' · ') : name,
    who: name,
    stream: isPerson ? leg.camera : leg.screen,
    hasPicture: !isPerson || media?.video !== false,
    isMuted: isPerson && media?.audio === false,
    isDim: leg.isInterrupted,
    note: isPerson ? noteOf(leg, name) : '',
    node: isPerson && node ? `node ${node}` : '',
  };
}

/** @param {Leg} leg @param {string} name */
function noteOf(leg, name) {
  if (leg.isInterrupted) return `${name} does not respond. Their page may be closed, or a network is down. The call waits for them.`;
  if (!leg.isConnected) return 'Connecting …';
  if (leg.media?.video !== false) return '';
  return leg.media.audio ? 'No camera. You can hear them.' : 'No camera. Their microphone is off too.';
}

/** @param {import('./local_media.js').LocalMedia} local @param {{name: string, node: string}} who @param {string} self @returns {Tile} */
function ownTile(local, { name, node }, self) {
  return {
    key: 'self',
    peer: self,
    kind: 'self',
    name: 'You',
    who: name,
    stream: local.stream,
    hasPicture: local.isOn('video'),
    isMuted: local.has('audio') && !local.isOn('audio'),
    isDim: false,
    note: '',
    node: node ? `node ${node}` : '',
  };
}
