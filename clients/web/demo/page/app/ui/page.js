// @ts-check
/**
 * The stage, the banner and the controls. It shows a view and reports what the person does. It makes no decisions. External text
 * is only set with `textContent`.
 */
import { byId } from './dom.js';
import { bannerText, curtainText } from './stage_texts.js';

/** @typedef {'idle' | 'calling' | 'ringing' | 'connecting' | 'connected'} Phase */
/**
 * @typedef {object} View
 * @property {import('../vendor/sdk.js').State} signaling
 * @property {string} why about the signaling state
 * @property {Phase} phase
 * @property {string} who the other side, or the room, of this call or the latest one
 * @property {string} room of this call; empty outside of one
 * @property {number} others how many others are in the call
 * @property {{peer?: string, room?: string, reason: string} | undefined} ended the latest call, until another one starts
 * @property {import('../call/end_texts.js').Text | undefined} notice something that happened and ends nothing
 * @property {'pending' | 'live' | 'without' | import('../call/media.js').MediaProblem} media
 * @property {import('../call/local_media.js').LocalMedia} local
 */
/** @typedef {Record<'again' | 'closeEnd' | 'closeNotice' | 'hangUp' | 'retryCamera' | 'noCamera' | 'microphone' | 'camera' | 'screen', () => void>} Actions */

const root = document.documentElement;

/** @param {View} view */
export function render(view) {
  const { phase, media, signaling, ended, local } = view;
  const isInCall = phase !== 'idle';
  const isChoosing = !isInCall && !ended && typeof media !== 'string';
  const isInsecure = typeof media !== 'string' && media.kind === 'insecure';
  root.dataset.call = !isInCall && ended ? 'ended' : phase;
  root.dataset.media = typeof media === 'string' ? media : media.kind;
  byId('hangup').hidden = byId('toggle-panel').hidden = !isInCall;
  byId('pulse').hidden = phase !== 'calling' && phase !== 'ringing' && phase !== 'connecting';
  byId('again').hidden = !ended || ended.reason === 'yourself';
  byId('again-text').textContent = ended?.room ? 'Enter again' : 'Call again';
  byId('close-end').hidden = !ended;
  byId('no-camera').hidden = !isChoosing;
  byId('retry-camera').hidden = !isChoosing || isInsecure;
  // Nobody else can be in a call of two.
  byId('invite').hidden = isInCall && !view.room;
  byId('call-name').hidden = !isInCall;
  byId('call-name').textContent = view.room || `Call with ${view.who}`;
  byId('call-name').classList.toggle('unseen', !view.room); // the tile says it
  const words = curtainText(view);
  byId('curtain').hidden = !words;
  byId('curtain-title').textContent = words?.[0] ?? '';
  byId('curtain-text').textContent = words?.[1] ?? '';
  const problem = bannerText(view, isChoosing);
  byId('banner').hidden = !problem;
  byId('banner-title').textContent = problem?.[0] ?? '';
  byId('banner-help').textContent = problem?.[1] ?? '';
  byId('close-notice').hidden = problem !== view.notice;
  byId('retry-in-call').hidden = signaling !== 'connected' || isInsecure || view.notice !== undefined;
  byId('signaling-text').textContent =
    signaling === 'connected' ? `Connected to node ${view.why}` : { connecting: 'Connecting …', reconnecting: 'Reconnecting …', closed: 'Closed' }[signaling];
  document.title = view.who && isInCall ? `${view.who} – Switchboard` : 'Switchboard';
  showControl('mic', local.has('audio'), !local.isOn('audio'), ['Mute microphone', 'Unmute microphone']);
  showControl('camera', local.has('video'), !local.isOn('video'), ['Turn camera off', 'Turn camera on']);
  showControl('screen', true, local.isSharing, ['Share screen', 'Stop sharing']);
  byId('screen').hidden = phase !== 'connected' || !navigator.mediaDevices?.getDisplayMedia;
}

/** @param {'mic' | 'camera' | 'screen'} id @param {boolean} isThere @param {boolean} isPressed @param {[string, string]} titles */
function showControl(id, isThere, isPressed, titles) {
  const button = byId(id, 'button');
  button.disabled = !isThere;
  button.setAttribute('aria-pressed', String(isThere && isPressed));
  button.title = titles[Number(isPressed)] ?? '';
  button.setAttribute('aria-label', titles[0]); // aria-pressed says the rest
}

/** @param {Actions} actions */
export function bind(actions) {
  byId('again').onclick = actions.again;
  byId('close-end').onclick = actions.closeEnd;
  byId('close-notice').onclick = actions.closeNotice;
  byId('hangup').onclick = actions.hangUp;
  byId('retry-camera').onclick = byId('retry-in-call').onclick = actions.retryCamera;
  byId('no-camera').onclick = actions.noCamera;
  byId('mic').onclick = actions.microphone;
  byId('camera').onclick = actions.camera;
  byId('screen').onclick = actions.screen;
}
