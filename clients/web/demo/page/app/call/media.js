// @ts-check
/** The camera and microphone of this side, and the texts for their errors. */

/** @typedef {'denied' | 'not-found' | 'in-use' | 'insecure' | 'failed'} ProblemKind */

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 } };

/** Why there is no picture, with texts for the user. */
export class MediaProblem extends Error {
  /** @param {ProblemKind} kind @param {string} title @param {string} help */
  constructor(kind, title, help) {
    super(title);
    this.kind = kind;
    this.help = help;
  }
}

/**
 * Opens camera and microphone, or only one of them if the other is missing.
 * @returns {Promise<MediaStream>} rejects with a `MediaProblem`
 */
export async function openCamera() {
  /** @type {unknown} */
  let cause;
  for (const wanted of [{ audio: true, video: CAMERA }, { video: CAMERA }, { audio: true }]) {
    try {
      return await devices().getUserMedia(wanted);
    } catch (error) {
      cause ??= error;
      // Only a missing device allows a second attempt. A refusal must not cause a second prompt.
      if (!(error instanceof DOMException) || error.name !== 'NotFoundError') break;
    }
  }
  throw explain(cause);
}

/**
 * Opens one device.
 * @param {'audio' | 'video'} kind @param {string} deviceId
 * @returns {Promise<MediaStreamTrack>} rejects with a `MediaProblem`
 */
export async function openDevice(kind, deviceId) {
  const wanted = { deviceId: { exact: deviceId }, ...(kind === 'video' ? CAMERA : {}) };
  try {
    const [track] = (await devices().getUserMedia({ [kind]: wanted })).getTracks();
    return /** @type {MediaStreamTrack} */ (track); // exactly the one that was asked for
  } catch (error) {
    throw explain(error);
  }
}

/** @returns {MediaDevices} */
function devices() {
  if (isSecureContext && navigator.mediaDevices) return navigator.mediaDevices;
  throw new MediaProblem(
    'insecure',
    'This address may not use the camera',
    'Browsers allow the camera only over HTTPS, or at http://127.0.0.1 and http://localhost. Open the page at one of these.',
  );
}

/** @param {unknown} error */
function explain(error) {
  if (error instanceof MediaProblem) return error;
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return new MediaProblem(
        'denied',
        'Camera and microphone are blocked',
        'Allow them with the camera or settings icon next to the address (and in your system’s privacy settings), then try again.',
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new MediaProblem('not-found', 'No camera or microphone found', 'Plug one in or switch it on, then try again.');
    case 'NotReadableError':
    case 'AbortError':
      return new MediaProblem(
        'in-use',
        'The camera is in use by another program',
        'Close the other program or browser that shows your picture, then try again.',
      );
    default:
      return new MediaProblem('failed', 'The camera did not start', String(error));
  }
}
