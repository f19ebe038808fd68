/**
 * Calls over `RTCPeerConnection`. They need a session of the package's first entry.
 *
 * @module
 */
export type { Call, CallEvents, CallState, MediaOptions } from './call.js';
export { type Calls, calls, type CallsEvents, type CallsOptions } from './calls.js';
export { type MediaSender, type ScreenShare, shareScreen, switchDevice, watchDevices } from './media.js';
export type { MediaState, Payload } from './payload.js';
export { type CallStats, type Flow, stats } from './stats.js';
