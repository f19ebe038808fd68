// @ts-check
/** Connects the modules: session → lobby → phone → page. Not here: any of their logic. */
import { endText, strangeText } from './call/end_texts.js';
import { LocalMedia } from './call/local_media.js';
import { MediaProblem } from './call/media.js';
import { Phone } from './call/phone.js';
import { bindRing, showRing } from './call/ring_dialog.js';
import { tilesOf } from './call/tile_list.js';
import { showTiles, speakerInUse, unmuteAll, useSpeaker } from './call/tiles.js';
import { addFile, addText, openChat } from './chat/chat.js';
import { bindChat, showChatForm } from './chat/chat_form.js';
import { bindDevices } from './devices/device_dialog.js';
import { Transfers } from './files/transfers.js';
import { showConnections } from './panel/connections.js';
import { log } from './panel/log.js';
import { showReceipt, showSignalingState, showTransport, showWelcome } from './panel/signaling.js';
import { copyLink, showLink } from './people/invite_link.js';
import { Lobby } from './people/lobby.js';
import { nameOfPeer, ownName } from './people/names.js';
import { showPeople } from './people/people_view.js';
import { isRoomName, readAppMessage } from './session/app_messages.js';
import { openSession } from './session/connection.js';
import { Identity } from './session/identity.js';
import { logSends } from './session/send_log.js';
import { byId } from './ui/dom.js';
import { milliseconds } from './ui/format.js';
import { bind, render } from './ui/page.js';
import { addUnread, bindTabs, openPanel, showTab } from './ui/tabs.js';

const root = document.documentElement;
const query = new URLSearchParams(location.search);
const identity = new Identity();
await identity.recall();

const local = new LocalMedia(() => show());
/** @type {import('./ui/page.js').View} */
const view = { signaling: 'connecting', why: '', phase: 'idle', who: '', room: '', others: 0, ended: undefined, notice: undefined, media: 'pending', local };

// The camera. `cameraSettled` resolves when the person has a picture, or goes on without one.

let settle = () => {};
/** @type {Promise<void>} */
const cameraSettled = new Promise((resolve) => (settle = resolve));

async function startCamera() {
  show({ media: 'pending' });
  try {
    await local.open();
    show({ media: 'live' });
    settle();
  } catch (error) {
    if (!(error instanceof MediaProblem)) throw error;
    log(`camera: ${error.message}`);
    show({ media: error });
  }
}

// The session, the lobby and the phone.

const { session, cut } = openSession(identity, showTransport);
logSends(session, (kind, outcome, ms) => {
  if (outcome === 'delivered') showReceipt(ms);
  if (kind !== 'candidate') log(`${kind}: ${outcome} in ${milliseconds(ms)}`);
});

const lobby = new Lobby(session, {
  onChange: () => show(),
  onProblem: log,
  onGone: (peer) => phone.onGone(peer),
});

const phone = new Phone(session, lobby, local, cameraSettled, {
  onChange: () => show(),
  onSample: () => showConnections(phone.talk?.legs ?? [], describe),
  onConnected: (leg) => transfers.resume(leg),
  onChannel: (leg, channel) => transfers.onChannel(leg, channel),
  onLog: log,
  onStrange(from, kind) {
    log(`${from}: ${kind} that this page does not understand`);
    show({ notice: strangeText(lobby.nameOf(from), kind) });
  },
  onInviteFailed: (peer, reason) => show({ notice: endText(reason, lobby.nameOf(peer)) }),
  onEnd(talk, reason) {
    root.dataset.ended = reason;
    show({ ended: { ...(talk.peer ? { peer: talk.peer } : {}), ...(talk.room ? { room: talk.room } : {}), reason }, who: nameOfTalk(talk) });
  },
});

const transfers = new Transfers({
  onStart(transfer) {
    if (cards.get(transfer)?.isConnected) return; // it continues
    cards.set(transfer, addFile(transfer.isIncoming ? lobby.nameOf(transfer.peer) : '', transfer));
    if (transfer.isIncoming) addUnread();
  },
  onChange: (transfer) => cards.get(transfer)?.update(),
  onProblem: (text) => show({ notice: ['The file was not sent', text] }),
});
/** @type {WeakMap<import('./files/transfers.js').Transfer, ReturnType<typeof addFile>>} */
const cards = new WeakMap();

session.on('state', ({ state, why }) => {
  root.dataset.signaling = state;
  showSignalingState(state);
  log(`signaling: ${state}${why && ` (${why})`}`);
  show({ signaling: state, why });
});
let isFirst = true;
session.on('welcome', (welcome) => {
  root.dataset.node = welcome.node;
  root.dataset.peer = welcome.peer;
  showWelcome(welcome);
  log(`welcome ${welcome.peer}${welcome.resumed ? ', session resumed' : ''}`);
  if (isFirst) void onReachable(welcome.peer);
  isFirst = false;
});
session.on('refused', ({ status, message }) => log(`refused with ${status}: ${message}`));
session.on('message', ({ type, from, payload }) => {
  if (type !== 'message' || isOfCall(payload)) return;
  const message = readAppMessage(payload);
  if (!message) return phone.report.onStrange(from, type);
  if (message.demo !== 'text') return phone.onInvite(from, message);
  if (!phone.talk?.legs.some(({ peer }) => peer === from)) return log(`${from}: text outside of a call`);
  addText(lobby.nameOf(from), message.text);
  addUnread();
});

/** The SDK's calls have messages of their own. @param {any} payload */
const isOfCall = (payload) => typeof payload?.leg === 'string';

/** This peer has its name: others can reach it. The link of the page may ask for a call. @param {string} peer */
async function onReachable(peer) {
  const name = ownName.get() || nameOfPeer(peer);
  byId('name', 'input').value = name;
  lobby.say({ name });
  await cameraSettled;
  await phone.restoreRoom();
  const [peerToCall, room] = [query.get('call'), query.get('room')];
  if (!phone.isIdle) return;
  if (peerToCall) phone.dial(peerToCall);
  else if (room && isRoomName(room)) void phone.enter(room);
}

// The page.

/** @param {string} peer */
const describe = (peer) => ({ name: lobby.nameOf(peer), node: lobby.infoOf(peer).node });
/** @param {{peer?: string | undefined, room?: string | undefined}} talk */
const nameOfTalk = ({ peer, room }) => room ?? (peer ? lobby.nameOf(peer) : '');

/** @param {Partial<import('./ui/page.js').View>} [change] */
function show(change = {}) {
  const before = view.phase;
  Object.assign(view, change);
  const { talk, ring } = phone ?? {};
  view.phase = talk?.phase ?? 'idle';
  view.room = talk?.room ?? '';
  if (talk) Object.assign(view, { who: nameOfTalk(talk), others: talk.legs.length, ended: undefined });
  if (before === 'idle' && talk) onCallStarts();
  const legs = talk?.legs ?? [];
  root.dataset.connection = legs[0]?.connection ?? (view.ended ? 'ended' : 'idle');
  render(view);
  showLink(root.dataset.peer ?? '', view.room);
  showTiles(tilesOf(legs, local, describe, root.dataset.peer ?? ''));
  showConnections(legs, describe);
  showChatForm(legs.length > 0);
  showPeople({ people: lobby.people, count: lobby.count, room: view.room, isIdle: phone.isIdle }, { call: (peer) => phone.dial(peer), invite: (peer) => phone.invite(peer), enter: (room) => void phone.enter(room) });
  showRing(ring, ring ? lobby.nameOf(ring.peer) : '');
}

function onCallStarts() {
  const { peer, room } = phone.talk ?? {};
  openChat(room ? `room ${room}` : (peer ?? ''));
  root.dataset.ended = '';
  openPanel(matchMedia('(min-width: 60rem)').matches);
}

bind({
  again() {
    const { peer, room } = view.ended ?? {};
    if (room) void phone.enter(room);
    else if (peer) phone.dial(peer);
  },
  closeEnd: () => show({ ended: undefined }),
  closeNotice: () => show({ notice: undefined }),
  hangUp: () => phone.hangUp(),
  noCamera() {
    show({ media: 'without' });
    settle();
  },
  retryCamera: () => void startCamera(),
  microphone: () => local.toggle('audio'),
  camera: () => local.toggle('video'),
  screen: () => (local.isSharing ? local.stopScreen() : void local.startScreen().catch((error) => log(`screen: ${error.message}`))),
});
bindTabs();
showTab('people');
bindRing({ accept: () => void phone.accept(), decline: () => phone.decline() });
bindDevices({
  current: (kind) => (kind === 'audiooutput' ? speakerInUse() : local.deviceOf(kind === 'audioinput' ? 'audio' : 'video')),
  choose: (kind, deviceId) => (kind === 'audiooutput' ? useSpeaker(deviceId) : local.choose(kind === 'audioinput' ? 'audio' : 'video', deviceId)),
});
bindChat({
  isOpen: () => (phone.talk?.legs.length ?? 0) > 0,
  file: (file) => void transfers.offer(file, phone.talk?.legs ?? []),
  text(text) {
    const outcome = addText('', text);
    phone.talk?.say(session, { demo: 'text', text }).then(
      ({ status }) => outcome(status),
      (error) => outcome(`not sent: ${error.code}`),
    );
  },
});
byId('copy').onclick = () => void copyLink();
byId('unmute').onclick = unmuteAll;
byId('cut').onclick = () => {
  log('this page cuts its connection');
  cut();
};
byId('dial', 'form').onsubmit = (event) => {
  event.preventDefault();
  phone.dial(byId('dial-peer', 'input').value);
};
byId('enter-room', 'form').onsubmit = (event) => {
  event.preventDefault();
  void phone.enter(byId('room', 'input').value);
  byId('room', 'input').value = '';
};
byId('name', 'input').onchange = ({ target }) => {
  ownName.set(/** @type {HTMLInputElement} */ (target).value);
  lobby.say({ name: ownName.get() || nameOfPeer(identity.peer) });
};
void startCamera();
