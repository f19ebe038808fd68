// Two sides of a call in one page, over real RTCPeerConnections. Their messages cross whenever the test wants.
import { calls } from '/sdk/dist/call.js';

const STUCK_AFTER_MS = 20_000;
const MAX_DELAY_MS = 3;

/** A session of `peer` whose messages take a random time, and stay in order. */
function side(peer) {
  const handlers = { message: new Set(), ice: new Set(), closed: new Set() };
  let sent = Promise.resolve();
  const session = {
    welcome: { peer, ice_servers: [], expires_at: 0 },
    connected: async () => session.welcome,
    on: (type, handler) => (handlers[type].add(handler), () => handlers[type].delete(handler)),
    emit: (type, event) => handlers[type].forEach((handler) => handler(event)),
    send: (to, payload, { kind }) => {
      const message = { type: kind, from: peer, payload: structuredClone(payload) };
      sent = sent.then(() => new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_DELAY_MS)));
      return sent.then(() => session.other.emit('message', message));
    },
  };
  return session;
}

const [alice, bob] = [side('alice'), side('bob')];
[alice.other, bob.other] = [bob, alice];
const phones = [alice, bob].map((session) => calls(session, { storage: null }));
const current = () => phones.map((phone) => phone.all[0]);
let crossed = 0;
[alice, bob].forEach((session, index) =>
  session.on('message', ({ type }) => {
    if (type === 'offer' && current()[index]?.pc.signalingState === 'have-local-offer') crossed++;
  }),
);
for (const phone of phones) phone.on('incoming', (call) => call.accept({ receive: [] }));

/** Looks again after each message that the browser may still have to handle. */
async function until(isDone, what) {
  const deadline = performance.now() + STUCK_AFTER_MS;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`stuck: ${what}, ${JSON.stringify(current().map((call) => [call?.state, call?.pc.signalingState, call?.pc.connectionState]))}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
const areAll = (test) => () => current().every((call) => call && test(call));
const inCall = areAll(({ state, pc }) => state === 'accepted' && pc.connectionState === 'connected' && pc.signalingState === 'stable');

function dial() {
  phones[0].call('bob', { receive: ['audio'] });
  phones[1].call('alice', { receive: ['audio'] });
}

/** Calls that cross, each a new one. */
async function crossCalls(count) {
  for (let round = 0; round < count; round++) {
    dial();
    await until(inCall, `call ${round}`);
    const [first, second] = current();
    if (first.id !== second.id || phones.some((phone) => phone.all.length !== 1)) throw new Error('more than one call');
    first.end();
    await until(() => phones.every((phone) => phone.all.length === 0), `end of call ${round}`);
  }
  return count;
}

/** Changes that cross, in one call. */
async function crossChanges(count) {
  dial();
  await until(inCall, 'call');
  crossed = 0;
  while (crossed < count) {
    const before = current().map(({ pc }) => pc.localDescription.sdp);
    for (const { pc } of current()) pc.restartIce();
    await until(() => current().every(({ pc }, index) => pc.signalingState === 'stable' && pc.localDescription.sdp !== before[index]), `change ${crossed}`);
  }
  await until(inCall, 'last change');
  const received = new Promise((resolve) => current()[1].on('channel', (channel) => (channel.onmessage = ({ data }) => resolve(data))));
  const channel = current()[0].pc.createDataChannel('after');
  channel.onopen = () => channel.send('not stuck');
  return [crossed, await received];
}

window.glares = { crossCalls, crossChanges };
