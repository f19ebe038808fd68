// What a test page runs: one session, its calls, and a record of their events.
import { calls, shareScreen, stats, switchDevice } from '/sdk/dist/call.js';
import { withFallbacks } from '/sdk/dist/fallback.js';
import { connect } from '/sdk/dist/index.js';
import { roomCall } from '/sdk/dist/room-call.js';
import { rooms } from '/sdk/dist/rooms.js';

const query = new URLSearchParams(location.search);
const getToken = async () => (await fetch(`/token?${query}`)).text();
const used = [];
const transport = query.has('fallback') ? withFallbacks({ onUse: (name) => used.push(name) }) : undefined;
const session = connect({ url: location.href.replace('/page', ''), getToken, transport });
const phone = calls(session, { rtc: JSON.parse(query.get('rtc') ?? '{}') });
const members = rooms(session);
const log = [];
const media = () => navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 160, height: 120, frameRate: 10 } });

function watch(call) {
  sdk.call = call;
  call.on('state', ({ state, reason }) => log.push(reason ? `${state}: ${reason}` : state));
  call.on('track', ({ streams: [stream], track }) => {
    const video = document.getElementById('remote');
    if (track.kind === 'video' && !video.srcObject?.active) video.srcObject = stream ?? new MediaStream([track]);
  });
  call.on('error', (error) => log.push(`error: ${error.message}`));
  call.on('channel', (channel) => (channel.onmessage = ({ data }) => log.push(`channel: ${data}`)));
  return call;
}

/** Joins a room and its call. Each other person has a picture with their peer ID. */
async function meet(name) {
  const call = (sdk.group = roomCall(phone, await members.join(name), { stream: sdk.stream ??= await media() }));
  call.on('joined', (theirs) => {
    log.push(`${theirs.peer} joined`);
    const video = Object.assign(document.createElement('video'), { id: theirs.peer, autoplay: true, muted: true });
    document.body.append(video);
    theirs.on('track', ({ streams: [stream] }) => (video.srcObject ??= stream));
    theirs.on('pc', () => (video.srcObject = null));
  });
  call.on('left', ({ peer, reason }) => {
    log.push(`${peer} left: ${reason}`);
    document.getElementById(peer).remove();
  });
  call.on('failed', ({ peer, reason }) => log.push(`${peer} failed: ${reason}`));
  return call;
}

const sdk = (window.sdk = {
  session,
  phone,
  members,
  /** The transports that worked. */
  used,
  log,
  messages: [],
  others: [],
  /** Messages of calls, and offers that came while an own one was open. */
  received: 0,
  collisions: 0,
  /** Calls of rooms that a page which is not in them refused. */
  refused: 0,
  outcomes: [],
  times: {},
  call: undefined,
  /** How an incoming call is answered: `accept`, `decline`, or `ring` for not at all. */
  answer: query.get('answer') ?? 'accept',
  media,
  dial: async (peer) => watch(phone.call(peer, { stream: await media() })),
  /** A click on a call button: resolves at the first decoded frame of the other side. */
  click: async (peer) => {
    const video = document.getElementById('remote');
    sdk.times = {};
    mark('click');
    const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const stream = await media();
    mark('camera');
    watch(phone.call(peer, { stream }));
    await shown;
    mark('frame');
    return sdk.times;
  },
  dialData: (peer) => watch(phone.call(peer, { receive: ['audio'] })),
  shareScreen,
  switchDevice,
  stats,
  meet,
  /** The people of the room's call with whom there is a connection. */
  people: () => [...(sdk.group?.participants.values() ?? [])].filter(({ pc }) => pc.connectionState === 'connected').map(({ peer }) => peer).sort().join(),
});
/** When the first offer and answer of a call are sent and received, in milliseconds since the Unix epoch. */
const mark = (what) => (sdk.times[what] ??= performance.timeOrigin + performance.now());
const { send } = session;
session.send = (to, payload, options) => {
  if (options?.kind) mark(`${options.kind} sent`);
  return send.call(session, to, payload, options);
};
session.on('message', ({ type, payload }) => {
  mark(`${type} received`);
  if (type === 'message') sdk.messages.push(payload);
  else sdk.received++;
  if (type === 'bye' && payload.room && payload.reason === 'gone') sdk.refused++;
  if (type === 'offer' && sdk.call?.pc.signalingState === 'have-local-offer') sdk.collisions++;
});
session.on('outcome', ({ outcome }) => sdk.outcomes.push(outcome.status ?? outcome.code));
phone.on('other', ({ why, message }) => sdk.others.push([why, message.payload]));
phone.on('incoming', async (call) => {
  watch(call);
  if (sdk.answer === 'accept') call.accept({ stream: sdk.stream ?? (await media()) });
  if (sdk.answer === 'data') call.accept({ receive: [] });
  if (sdk.answer === 'decline') call.decline();
});
phone.on('restored', async (call) => {
  watch(call);
  call.accept({ stream: await media() });
});
if (query.has('room')) void meet(query.get('room'));
