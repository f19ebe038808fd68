// @ts-check
/**
 * The page of a call: stage, curtain, controls, banner and invite. It shows a view and reports clicks. It makes no decisions.
 * External text is only set with `textContent`.
 */
import { byId } from './dom.js';
import { endText } from './end_texts.js';

/** @typedef {'idle' | 'calling' | 'connecting' | 'connected' | 'ended'} Phase */
/**
 * @typedef {object} View the state that the stage shows
 * @property {import('./signaling.js').State} signaling
 * @property {string} why about the signaling state
 * @property {Phase} phase
 * @property {string} peer the other side of the latest call
 * @property {string} reason @property {string} detail how that call ended
 * @property {import('./call.js').Devices | null} theirs which devices of the other side are on; unknown at first
 * @property {boolean} isInterrupted whether the media connection of the call is interrupted
 * @property {import('./end_texts.js').Text | null} notice what this page did not understand
 * @property {'pending' | 'live' | 'without' | import('./media.js').MediaProblem} media
 */
/** @typedef {Record<'again' | 'hangUp' | 'retryCamera' | 'noCamera', () => void> & {dial: (peer: string) => void}} Actions */

const root = document.documentElement;
const local = byId('local', 'video');
const remote = byId('remote', 'video');

/** @param {View} view */
export function render(view) {
  const { phase, media, signaling } = view;
  root.dataset.call = phase;
  root.dataset.media = typeof media === 'string' ? media : media.kind;
  const busy = phase === 'calling' || phase === 'connecting' || phase === 'connected';
  byId('hangup').hidden = !busy;
  byId('again').hidden = phase !== 'ended' || view.reason === 'yourself';
  byId('pulse').hidden = !(phase === 'calling' || phase === 'connecting');
  const choosing = phase === 'idle' && typeof media !== 'string';
  const isInsecure = typeof media !== 'string' && media.kind === 'insecure';
  byId('no-camera').hidden = !choosing;
  byId('retry-camera').hidden = !choosing || isInsecure;
  byId('invite').hidden = phase === 'connected';
  byId('remote-tag').hidden = phase !== 'connected';
  byId('remote-tag').textContent = tag(view);
  root.dataset.theirCamera = phase !== 'connected' || view.theirs?.camera !== false ? 'on' : 'off';
  root.dataset.interrupted = String(phase === 'connected' && view.isInterrupted);
  const [title, text] = curtain(view);
  byId('curtain-title').textContent = title;
  byId('curtain-text').textContent = text;
  const problem = bannerText(view, choosing);
  byId('banner').hidden = !problem;
  byId('retry-in-call').hidden = signaling !== 'connected' || isInsecure || view.notice !== null;
  byId('banner-title').textContent = problem?.[0] ?? '';
  byId('banner-help').textContent = problem?.[1] ?? '';
  byId('signaling-text').textContent =
    signaling === 'connected' ? `Connected to node ${view.why}` : { connecting: 'Connecting …', reconnecting: 'Reconnecting …', closed: 'Closed' }[signaling];
}

/** The other side in a few words. @param {View} view */
function tag({ peer, theirs, isInterrupted }) {
  if (isInterrupted) return `${peer} · does not respond`;
  const off = [theirs?.microphone === false && 'microphone off', theirs?.camera === false && 'camera off'];
  return [peer, ...off.filter(Boolean)].join(' · ');
}

/** @param {View} view @returns {import('./end_texts.js').Text} */
function curtain({ phase, peer, reason, detail, media, signaling, theirs, isInterrupted }) {
  if (phase === 'ended') return endText(reason, peer, detail);
  if (phase === 'calling') return [`Calling ${peer} …`, 'Their page answers by itself when it is open.'];
  if (phase === 'connected' && isInterrupted) return [`${peer} does not respond`, 'Their page may be closed, or a network is down. The call waits for them.'];
  if (phase === 'connected' && theirs?.camera === false) return [`${peer} has no camera on`, theirs.microphone ? 'You can hear them.' : 'Their microphone is off too.'];
  if (phase === 'connected') return ['Connected', `No picture from ${peer} yet; they may have no camera.`];
  if (phase === 'connecting') return [`Connecting with ${peer} …`, 'Looking for a way between the two browsers.'];
  if (media === 'pending') return ['May this page use your camera?', 'Answer your browser’s question to begin.'];
  if (typeof media !== 'string') return [media.message, media.help];
  if (signaling === 'closed') return ['Not reachable any more', 'Reload the page to come back.'];
  if (signaling !== 'connected') return ['Connecting …', 'Looking for the signaling node.'];
  return ['Ready for a call', 'Send the invite link, or open the other side in a new tab. This page answers by itself.'];
}

/** @param {View} view @param {boolean} choosing @returns {import('./end_texts.js').Text | null} */
function bannerText({ signaling, why, media, notice }, choosing) {
  if (signaling === 'reconnecting') return ['The signaling node is unreachable', `${capital(why)}. The page tries again. A running call continues.`];
  if (signaling === 'closed') return ['Signaling has ended', `${capital(why)}. Reload the page to come back.`];
  if (notice) return notice;
  return typeof media === 'string' || choosing ? null : [media.message, `${media.help} You see the other side, but they do not see you.`];
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {string} peer */
export function showIdentity(peer) {
  const link = new URL(`/?call=${encodeURIComponent(peer)}`, location.origin).href;
  root.dataset.peer = peer;
  byId('peer-id').textContent = peer;
  byId('link', 'input').value = link;
  byId('copy', 'button').disabled = false;
  byId('other-side', 'a').href = link;
  byId('other-side').removeAttribute('aria-disabled');
}

/** @param {MediaStream} stream @param {() => void} onToggle the user switched a device */
export function showLocal(stream, onToggle) {
  local.srcObject = stream;
  byId('mic', 'button').disabled = !stream.getAudioTracks().length;
  byId('camera', 'button').disabled = !stream.getVideoTracks().length;
  /** @param {'mic' | 'camera'} id @param {MediaStreamTrack[]} tracks @param {[string, string]} labels */
  const toggle = (id, tracks, labels) => {
    const button = byId(id, 'button');
    button.onclick = () => {
      const off = button.getAttribute('aria-pressed') !== 'true';
      for (const track of tracks) track.enabled = !off;
      button.setAttribute('aria-pressed', String(off));
      button.title = labels[Number(off)] ?? '';
      button.setAttribute('aria-label', labels[0]); // aria-pressed says the rest
      if (id === 'camera') byId('self').classList.toggle('dark', off);
      onToggle();
    };
  };
  toggle('mic', stream.getAudioTracks(), ['Mute microphone', 'Unmute microphone']);
  toggle('camera', stream.getVideoTracks(), ['Turn camera off', 'Turn camera on']);
}

/** @param {MediaStream | null} stream */
export function showRemote(stream) {
  if (remote.srcObject === stream) return;
  remote.srcObject = stream;
  remote.muted = false;
  remote.classList.remove('playing');
  byId('unmute').hidden = true;
  if (!stream) return;
  remote.play().catch((error) => {
    if (error.name !== 'NotAllowedError') return; // AbortError: a newer picture replaced this one
    // Without a camera and without a click, browsers allow only muted playback.
    remote.muted = true;
    byId('unmute').hidden = false;
    remote.play().catch(() => {});
  });
}

/** @param {Actions} actions */
export function bind(actions) {
  byId('again').onclick = actions.again;
  byId('hangup').onclick = actions.hangUp;
  byId('retry-camera').onclick = byId('retry-in-call').onclick = actions.retryCamera;
  byId('no-camera').onclick = actions.noCamera;
  byId('dial', 'form').onsubmit = (event) => {
    event.preventDefault();
    actions.dial(byId('dial-peer', 'input').value);
  };
  byId('copy').onclick = copyLink;
  byId('unmute').onclick = () => {
    remote.muted = false;
    byId('unmute').hidden = true;
  };
  remote.onplaying = remote.onresize = () => remote.classList.toggle('playing', remote.videoWidth > 0);
}

async function copyLink() {
  const link = byId('link', 'input');
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
    byId('copy-text').textContent = 'Copied';
  } catch {
    byId('copy-text').textContent = 'Press Ctrl C'; // the link is selected
  }
  setTimeout(() => (byId('copy-text').textContent = 'Copy'), 2_000);
}
