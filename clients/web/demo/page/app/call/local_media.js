// @ts-check
/**
 * What this side sends: camera and microphone, which of them are on, and the screen. Changes reach the running call by themselves.
 * Not here: why a camera does not open (`media`).
 */
import { shareScreen } from '../vendor/sdk.js';
import { openCamera, openDevice } from './media.js';

/** @typedef {import('../vendor/sdk.js').MediaState} MediaState */
/** @typedef {import('../vendor/sdk.js').MediaSender & {setMedia(media: MediaState): void}} MediaTarget a call, or the call of a room */

export class LocalMedia {
  /** @type {MediaStream | undefined} */
  stream;
  /** @type {{stream: MediaStream, stop: () => void} | undefined} */
  #screen;
  /** @type {MediaTarget | undefined} */
  #target;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
  }

  /** Opens camera and microphone, and sends them to a running call. Rejects with a `MediaProblem`. */
  async open() {
    const stream = await openCamera();
    this.stream = stream;
    for (const track of stream.getTracks()) this.#target?.addTrack(track, stream);
    this.#announce();
  }

  /** The call that gets all changes from now on. @param {MediaTarget | undefined} target */
  sendTo(target) {
    if (!target) this.stopScreen();
    this.#target = target;
    this.#announce();
  }

  /** @param {'audio' | 'video'} kind */
  has(kind) {
    return this.#tracks(kind).length > 0;
  }

  /** @param {'audio' | 'video'} kind */
  isOn(kind) {
    return this.#tracks(kind).some(({ enabled }) => enabled);
  }

  get isSharing() {
    return this.#screen !== undefined;
  }

  get screenStream() {
    return this.#screen?.stream;
  }

  /** Switches a device off or on. A track that is off sends black or silence. @param {'audio' | 'video'} kind */
  toggle(kind) {
    const isOn = this.isOn(kind);
    for (const track of this.#tracks(kind)) track.enabled = !isOn;
    this.#announce();
  }

  /** Uses another device. Rejects with a `MediaProblem`. @param {'audio' | 'video'} kind @param {string} deviceId */
  async choose(kind, deviceId) {
    const track = await openDevice(kind, deviceId);
    const stream = (this.stream ??= new MediaStream());
    const [old] = this.#tracks(kind);
    if (old) {
      track.enabled = old.enabled;
      await this.#target?.replaceTrack(old, track);
      stream.removeTrack(old);
      old.stop();
    } else this.#target?.addTrack(track, stream);
    stream.addTrack(track);
    this.#announce();
  }

  /** @param {'audio' | 'video'} kind @returns {string} the id of the device in use */
  deviceOf(kind) {
    return this.#tracks(kind)[0]?.getSettings().deviceId ?? '';
  }

  /** Asks which screen to share, and shares it. Rejects if the person shares none. */
  async startScreen() {
    const target = this.#target;
    if (!target) return;
    const screen = await shareScreen(target);
    for (const track of screen.stream.getTracks()) track.addEventListener('ended', () => this.stopScreen());
    this.#screen = screen;
    this.#announce();
  }

  stopScreen() {
    const screen = this.#screen;
    this.#screen = undefined;
    if (!screen) return;
    screen.stop();
    this.#announce();
  }

  /** @param {'audio' | 'video'} kind */
  #tracks(kind) {
    return this.stream?.getTracks().filter((track) => track.kind === kind) ?? [];
  }

  #announce() {
    if (this.#target && !this.#target.isOver) {
      /** @type {MediaState} */
      const state = { audio: this.isOn('audio'), video: this.isOn('video') };
      if (this.#screen) state.screen = this.#screen.stream.id;
      this.#target.setMedia(state);
    }
    this.onChange();
  }
}
