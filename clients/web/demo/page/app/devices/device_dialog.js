// @ts-check
/** The choice of camera, microphone and speaker. The lists follow the plugs. */
import { watchDevices } from '../vendor/sdk.js';
import { byId, make } from '../ui/dom.js';

/** @typedef {'audioinput' | 'videoinput' | 'audiooutput'} Kind */
/** @type {Record<Kind, {id: string, name: string}>} */
const LISTS = {
  videoinput: { id: 'choose-camera', name: 'Camera' },
  audioinput: { id: 'choose-microphone', name: 'Microphone' },
  audiooutput: { id: 'choose-speaker', name: 'Speaker' },
};

/**
 * @param {object} actions
 * @param {(kind: Kind) => string} actions.current the device in use
 * @param {(kind: Kind, deviceId: string) => Promise<void>} actions.choose
 */
export function bindDevices({ current, choose }) {
  const dialog = byId('devices', 'dialog');
  /** @type {(() => void) | undefined} */
  let stop;
  byId('open-devices').onclick = () => {
    byId('device-problem').hidden = true;
    if (navigator.mediaDevices) stop = watchDevices((devices) => show(devices, current));
    dialog.showModal();
  };
  dialog.onclose = () => stop?.();
  for (const [kind, { id }] of Object.entries(LISTS)) {
    const list = byId(id, 'select');
    list.onchange = () =>
      choose(/** @type {Kind} */ (kind), list.value).catch((error) => {
        list.value = current(/** @type {Kind} */ (kind));
        byId('device-problem').hidden = false;
        byId('device-problem').textContent = `${error.message}. ${error.help ?? ''}`;
      });
  }
}

/** @param {MediaDeviceInfo[]} devices @param {(kind: Kind) => string} current */
function show(devices, current) {
  for (const [kind, { id, name }] of Object.entries(LISTS)) {
    const list = byId(id, 'select');
    const found = devices.filter((device) => device.kind === kind && device.deviceId);
    list.replaceChildren(...found.map(({ deviceId, label }, index) => make('option', { value: deviceId }, label || `${name} ${index + 1}`)));
    if (!found.length) list.append(make('option', { value: '' }, `No ${name.toLowerCase()} found`));
    list.disabled = !found.length;
    const used = current(/** @type {Kind} */ (kind));
    if (found.some(({ deviceId }) => deviceId === used)) list.value = used;
  }
  byId('speaker-field').hidden = !('setSinkId' in HTMLMediaElement.prototype);
}
