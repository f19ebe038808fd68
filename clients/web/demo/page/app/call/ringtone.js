// @ts-check
/** The sound of a call that rings here. A browser allows it only on a page that was clicked once; elsewhere it stays silent. */

const TONES_HZ = [587, 784];
const EVERY_MS = 2_000;
const VOLUME = 0.08;

/** @type {AudioContext | undefined} */
let context;
/** @type {number | undefined} */
let repeat;

export function startRinging() {
  if (repeat !== undefined) return;
  context ??= new AudioContext();
  ringOnce();
  repeat = setInterval(ringOnce, EVERY_MS);
}

export function stopRinging() {
  clearInterval(repeat);
  repeat = undefined;
}

function ringOnce() {
  if (context?.state !== 'running') return void context?.resume().catch(() => {});
  for (const [index, frequency] of [...TONES_HZ, ...TONES_HZ].entries()) {
    const start = context.currentTime + index * 0.16;
    const volume = context.createGain();
    volume.gain.setValueAtTime(VOLUME, start);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.15);
    const tone = new OscillatorNode(context, { frequency });
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.16);
  }
}
