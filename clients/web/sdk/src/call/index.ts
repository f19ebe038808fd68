/** The package's second entry: calls over `RTCPeerConnection`. It needs a session of the first one. */
export type { Call, CallEvents, CallState, MediaOptions } from './call.js';
export { type Calls, calls, type CallsEvents, type CallsOptions } from './calls.js';
export { type MediaSender, shareScreen, switchDevice, watchDevices } from './media.js';
export type { MediaState, Payload } from './payload.js';
export { type CallStats, type Flow, stats } from './stats.js';
