// @ts-check
/** The pictures of a call: one tile for each camera and each shared screen. It shows what it is given, and decides nothing. */
import { colourOf, initials } from '../people/names.js';
import { byId, icon, make, showList } from '../ui/dom.js';

/**
 * @typedef {object} Tile
 * @property {string} key
 * @property {string} peer
 * @property {string} name and the devices that are off
 * @property {string} who the name alone
 * @property {'self' | 'person' | 'screen'} kind
 * @property {MediaStream | undefined} stream
 * @property {boolean} hasPicture whether the camera is on, or not known to be off
 * @property {boolean} isMuted
 * @property {boolean} isDim whether the picture is old
 * @property {string} note a state in words; empty if all is well
 * @property {string} node the node of this person; empty if not known
 */

const grid = byId('tiles');
/** @type {string} the speaker; empty for the one of the system */
let speaker = '';

/** @param {Tile[]} tiles */
export function showTiles(tiles) {
  showList(grid, tiles, ({ key }) => key, create, update);
  grid.dataset.count = String(tiles.length);
  const screens = tiles.filter(({ kind }) => kind === 'screen').length;
  grid.dataset.screen = String(screens > 0);
  grid.style.setProperty('--row', String(tiles.length - screens)); // the people below a screen
}

/** The device that plays all sound; empty for the one of the system. */
export const speakerInUse = () => speaker;

/** Plays all sound on another device. @param {string} deviceId */
export async function useSpeaker(deviceId) {
  speaker = deviceId;
  await Promise.all([...grid.querySelectorAll('video')].map(setSpeaker));
}

/** @param {HTMLVideoElement} video */
const setSpeaker = (video) => (video.dataset.own !== 'true' && video.setSinkId ? video.setSinkId(speaker) : undefined);

/** Plays the sound that the browser did not allow before a click. */
export function unmuteAll() {
  for (const video of grid.querySelectorAll('video')) if (video.dataset.own !== 'true') video.muted = false;
  byId('unmute').hidden = true;
}

/** @param {Tile} tile */
function create({ kind, peer }) {
  const video = make('video', { autoplay: true, playsInline: true, muted: kind === 'self' });
  video.dataset.own = String(kind === 'self');
  video.onplaying = video.onresize = () => video.classList.toggle('playing', video.videoWidth > 0);
  const tile = make(
    'figure',
    { className: `tile tile-${kind}` },
    make('span', { className: 'face', 'aria-hidden': 'true' }),
    video,
    make('p', { className: 'tile-note' }),
    make('figcaption', {}, icon('mic-off'), make('span', { className: 'tile-name' }), make('span', { className: 'tile-node' })),
  );
  tile.dataset.peer = peer;
  return tile;
}

/** @param {HTMLElement} element @param {Tile} tile */
function update(element, { kind, peer, name, who, stream, hasPicture, isMuted, isDim, note, node }) {
  /** @param {string} selector */
  const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
  const video = /** @type {HTMLVideoElement} */ (part('video'));
  if (video.srcObject !== (stream ?? null)) play(video, stream);
  video.setAttribute('aria-label', kind === 'self' ? 'Your own picture' : kind === 'screen' ? `Screen of ${who}` : `Picture of ${who}`);
  part('.face').textContent = initials(who);
  part('.face').dataset.colour = String(colourOf(peer));
  part('.tile-name').textContent = kind === 'screen' ? `Screen of ${who}` : name;
  part('.tile-node').textContent = node;
  part('.tile-note').textContent = note;
  Object.assign(element.dataset, { picture: hasPicture ? 'on' : 'off', muted: String(isMuted), dim: String(isDim), note: String(note !== '') });
}

/** @param {HTMLVideoElement} video @param {MediaStream | undefined} stream */
function play(video, stream) {
  video.classList.remove('playing');
  video.srcObject = stream ?? null;
  if (!stream) return;
  // A newer picture may replace this one meanwhile, and gets its speaker then.
  if (speaker) setSpeaker(video)?.catch(() => {});
  video.play().catch((error) => {
    if (error.name !== 'NotAllowedError') return; // AbortError: a newer picture replaced this one
    // Without a camera and without a click, browsers allow only muted playback.
    video.muted = true;
    byId('unmute').hidden = false;
    video.play().catch(() => {});
  });
}
