// @ts-check
/** Connects the modules: identity → signaling → calls → page. Not here: any of their logic. */
import { Identity } from './identity.js';
import { CallManager } from './call_manager.js';
import { MediaProblem, openCamera } from './media.js';
import { discoverTabs } from './tab_discovery.js';
import { clearStates, log, milliseconds, showFact, showMeasured, showStates } from './panel.js';
import { strangeText } from './end_texts.js';
import { Signaling } from './signaling.js';
import { observe } from './stats.js';
import { bind, render, showIdentity, showLocal, showRemote } from './ui.js';

const MEASURE_EVERY_MS = 1_000;

const root = document.documentElement;
const invited = new URLSearchParams(location.search).get('call');
const identity = new Identity();

/** @type {import('./ui.js').View} */
const view = { signaling: 'connecting', why: '', phase: 'idle', peer: '', reason: '', detail: '', media: 'pending', theirs: null, isInterrupted: false, notice: null };

/** @param {Partial<import('./ui.js').View>} change */
function show(change) {
  render(Object.assign(view, change));
}

const signaling = new Signaling(() => identity.session(), {
  onState(state, why) {
    root.dataset.signaling = state;
    show({ signaling: state, why });
    showFact('signaling', state === 'connected' ? `connected to ${why}` : state, state);
    log(`signaling: ${state}${why && ` (${why})`}`);
  },
  onWelcome(welcome) {
    const first = !calls.self;
    calls.self = welcome.peer;
    calls.iceServers = welcome.ice_servers ?? [];
    root.dataset.node = welcome.node;
    showIdentity(welcome.peer);
    log(`welcome ${welcome.peer}${welcome.resumed ? ', session resumed' : ''}`);
    if (first) onReachable();
  },
  onDelivery: (delivery) => calls.receive(delivery),
  onLog: log,
});

const receipts = { delivered: 0 };

const calls = new CallManager(signaling, {
  onStart(call) {
    receipts.delivered = 0;
    log(call.caller ? `calling ${call.peer}` : `answering ${call.peer}`);
    show({ phase: call.caller ? 'calling' : 'connecting', peer: call.peer, theirs: null, isInterrupted: false, notice: null });
    this.onChange(call.pc);
  },
  onChange(pc) {
    showStates(pc);
    const state = pc.connectionState;
    if (root.dataset.connection !== state) log(`connection: ${state}`);
    root.dataset.connection = state;
    if (state === 'connected') {
      show({ phase: 'connected', isInterrupted: false });
      void measure();
    } else if (view.phase === 'connected') show({ isInterrupted: true });
    if (state === 'connecting' && view.phase === 'calling') show({ phase: 'connecting' });
  },
  onRemote: showRemote,
  onDevices(theirs) {
    log(`the other side: microphone ${theirs.microphone ? 'on' : 'off'}, camera ${theirs.camera ? 'on' : 'off'}`);
    show({ theirs });
  },
  onStrange(from, kind) {
    log(`${from}: ${kind} that this page does not understand`);
    show({ notice: strangeText(from, kind) });
  },
  onReceipt(kind, ms) {
    receipts.delivered += 1;
    const text = `${kind}: delivered in ${milliseconds(ms)}`;
    showFact('receipts', `${receipts.delivered} delivered, last in ${milliseconds(ms)}`);
    if (kind !== 'candidate') log(text);
  },
  onEnd(call, reason, detail) {
    log(`call with ${call.peer} ended: ${reason}`);
    root.dataset.connection = 'ended';
    root.dataset.ended = reason;
    clearStates();
    showRemote(null);
    show({ phase: 'ended', peer: call.peer, reason, detail });
  },
  onLog: log,
});

/** @param {string} peer */
function dial(peer) {
  if (peer !== calls.self) return calls.dial(peer);
  root.dataset.ended = 'yourself';
  show({ phase: 'ended', peer, reason: 'yourself', detail: '' });
}

/** @type {() => void} */
let continueWithoutCamera = () => {};

/** Resolves when the user has a camera picture, or continues without one. @type {Promise<void>} */
let cameraSettled = startCamera();
/** @returns {Promise<void>} */
async function startCamera() {
  show({ media: 'pending' });
  try {
    const stream = await openCamera();
    showLocal(stream, () => calls.announceDevices());
    calls.setStream(stream);
    show({ media: 'live' });
  } catch (error) {
    if (!(error instanceof MediaProblem)) throw error;
    log(`camera: ${error.message}`);
    show({ media: error });
    await new Promise((resolve) => (continueWithoutCamera = () => resolve(undefined)));
  }
}

/** The node has named this peer for the first time: other peers can now reach it. */
async function onReachable() {
  await cameraSettled;
  if (calls.call) return;
  if (invited) return dial(invited);
  discoverTabs(calls.self, {
    isIdle: () => !calls.call,
    onOlder(peer) {
      log(`another tab is waiting: ${peer}`);
      dial(peer);
    },
  });
}

async function measure() {
  const pc = calls.call?.pc;
  if (pc?.connectionState !== 'connected') return;
  const facts = await observe(pc);
  if (pc === calls.call?.pc) showMeasured(facts); // the call may have ended
}

bind({
  dial,
  again: () => dial(view.peer),
  hangUp: () => calls.hangUp(),
  noCamera() {
    show({ media: 'without' });
    continueWithoutCamera();
  },
  retryCamera() {
    const go = continueWithoutCamera;
    cameraSettled = startCamera();
    void cameraSettled.then(go);
  },
});
setInterval(() => void measure(), MEASURE_EVERY_MS);
addEventListener('pagehide', () => calls.hangUp('left'));
addEventListener('pageshow', (event) => event.persisted && location.reload());
await identity.recall();
signaling.start();
