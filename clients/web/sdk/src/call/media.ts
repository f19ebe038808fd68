/** Local media of a call: the screen, another camera or microphone, and lists of devices that change. */
import type { Call } from './call.js';

/** A call, or the call of a room. */
export interface MediaSender extends Pick<Call, 'isOver' | 'removeTrack' | 'replaceTrack'> {
  /** Sends another track. */
  addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): unknown;
}

/** A shared screen. */
export interface ScreenShare {
  /** What the call sends of it. */
  stream: MediaStream;
  /** Ends it. */
  stop(): void;
}

/**
 * Shares the screen until `stop`, or until the person ends it in the browser.
 *
 * @throws DOMException `NotAllowedError` if the person refuses.
 */
export async function shareScreen(call: MediaSender, options: DisplayMediaStreamOptions = { video: true }): Promise<ScreenShare> {
  const stream = await navigator.mediaDevices.getDisplayMedia(options);
  const stop = () => {
    for (const track of stream.getTracks()) {
      track.stop();
      if (!call.isOver) call.removeTrack(track);
    }
  };
  for (const track of stream.getTracks()) {
    call.addTrack(track, stream);
    track.onended = stop;
  }
  return { stream, stop };
}

/** Sends from another camera or microphone. `stream` then has the new track instead of the old one. */
export async function switchDevice(call: MediaSender, stream: MediaStream, kind: 'audio' | 'video', deviceId: string): Promise<MediaStreamTrack> {
  const fresh = await navigator.mediaDevices.getUserMedia({ [kind]: { deviceId: { exact: deviceId } } });
  const [track] = fresh.getTracks() as [MediaStreamTrack];
  for (const old of stream.getTracks().filter((its) => its.kind === kind)) {
    track.enabled = old.enabled;
    await call.replaceTrack(old, track);
    stream.removeTrack(old);
    old.stop();
  }
  stream.addTrack(track);
  return track;
}

/** Calls `handler` with the devices now and after each change. Returns a function that stops. */
export function watchDevices(handler: (devices: MediaDeviceInfo[]) => void): () => void {
  const { mediaDevices } = navigator;
  const report = async () => handler(await mediaDevices.enumerateDevices());
  mediaDevices.addEventListener('devicechange', report);
  void report();
  return () => mediaDevices.removeEventListener('devicechange', report);
}
