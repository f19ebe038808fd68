// @ts-check
/**
 * The messages that this page exchanges with itself on other devices, next to those of calls: text, and invitations into a room.
 * What arrives is checked here. Not here: its effect.
 */

/** Longest text of one message. */
export const MAX_TEXT_CHARS = 2_000;
export const MAX_NAME_CHARS = 40;
/** Rooms have the characters of IDs, and stay short enough to read. */
const ROOM = /^[A-Za-z0-9._~:@+=-]{1,40}$/;

/** @param {string} name */
export const isRoomName = (name) => ROOM.test(name);

/**
 * @typedef {{demo: 'text', text: string}
 *   | {demo: 'invite', room: string}
 *   | {demo: 'invite-answer', room: string, isAccepted: boolean}} AppMessage
 */

/** Returns nothing for a payload of another form. @param {unknown} payload @returns {AppMessage | undefined} */
export function readAppMessage(payload) {
  const { demo, text, room, isAccepted } = /** @type {any} */ (payload ?? {});
  switch (demo) {
    case 'text':
      return typeof text === 'string' && text.length <= MAX_TEXT_CHARS ? { demo, text } : undefined;
    case 'invite':
      return isText(room, ROOM) ? { demo, room } : undefined;
    case 'invite-answer':
      return isText(room, ROOM) && typeof isAccepted === 'boolean' ? { demo, room, isAccepted } : undefined;
    default:
      return undefined;
  }
}

/** @param {unknown} value @param {RegExp} form */
const isText = (value, form) => typeof value === 'string' && form.test(value);
