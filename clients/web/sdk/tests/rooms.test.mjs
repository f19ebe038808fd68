// Rooms and presence of real sessions on two nodes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { presence, rooms } from '../dist/rooms.js';
import { LONG, next, startNodes, startPeer } from './support/peers.mjs';

function member(t, nodes, peer, options) {
  const session = startPeer(t, nodes, peer, options);
  return { session, rooms: rooms(session), presence: presence(session) };
}
const names = (room) => [...room.members.keys()].sort();

test('members on two nodes see each other come, talk and go', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [member(t, nodes, 'alice'), member(t, nodes, 'bob')];
  const lobby = await alice.rooms.join('lobby', { name: 'Alice' });
  assert.deepEqual([names(lobby), lobby.count], [['alice'], 1]);
  const came = next(lobby, 'peer-joined');
  const other = await bob.rooms.join('lobby', { name: 'Bob' });
  assert.deepEqual(await came, { peer: 'bob', info: { name: 'Bob' } });
  assert.deepEqual(names(other), ['alice', 'bob']);
  assert.deepEqual(other.members.get('alice').info, { name: 'Alice' });
  const received = next(other, 'message');
  assert.equal((await lobby.send({ text: 'hello' })).status, 'published');
  const { from, room, payload } = await received;
  assert.deepEqual([from, room, payload], ['alice', 'lobby', { text: 'hello' }]);
  const left = next(lobby, 'peer-left');
  await bob.rooms.leave('lobby');
  assert.deepEqual(await left, { peer: 'bob', reason: 'left' });
  await assert.rejects(other.send(1), { code: 'not-in-room' });
  assert.deepEqual([bob.rooms.all.length, names(lobby)], [0, ['alice']]);
});

test('a membership outlives a killed node, and nobody sees the member leave', LONG, async (t) => {
  const nodes = await startNodes(t);
  const [alice, bob] = [member(t, nodes, 'alice'), member(t, nodes, 'bob')];
  await Promise.all([alice.session.connected(), bob.session.connected()]);
  const [lobby] = [await alice.rooms.join('lobby'), await bob.rooms.join('lobby')];
  const changes = [];
  lobby.on('peer-left', (change) => changes.push(change));
  const victim = bob.session.welcome.node;
  assert.notEqual(victim, alice.session.welcome.node);
  const back = next(bob.session, 'welcome');
  const roster = next(bob.rooms.all[0], 'roster');
  nodes.balancer.targets.delete(victim);
  await nodes.nodes.get(victim).kill();
  await Promise.all([back, roster]);
  const received = next(bob.rooms.all[0], 'message');
  await lobby.send('still there?');
  assert.equal((await received).payload, 'still there?');
  assert.deepEqual([changes, names(lobby), names(bob.rooms.all[0])], [[], ['alice', 'bob'], ['alice', 'bob']]);
});

test('a watched peer is offline, online, and offline again', LONG, async (t) => {
  const nodes = await startNodes(t);
  const alice = member(t, nodes, 'alice');
  const states = [];
  alice.presence.on('change', ({ peer, state }) => states.push(`${peer} ${state}`));
  await alice.presence.watch('bob');
  assert.deepEqual(await alice.presence.lookup('alice', 'bob'), new Map([['alice', 'online'], ['bob', 'offline']]));
  const online = next(alice.presence, 'change', ({ state }) => state === 'online');
  const bob = member(t, nodes, 'bob');
  await Promise.all([online, bob.session.connected()]);
  // The watch goes on over another node.
  const back = next(alice.session, 'welcome');
  const victim = alice.session.welcome.node;
  assert.notEqual(victim, bob.session.welcome.node);
  nodes.balancer.targets.delete(victim);
  await nodes.nodes.get(victim).kill();
  await back;
  const offline = next(alice.presence, 'change', ({ state }) => state === 'offline');
  await bob.session.close();
  await offline;
  assert.deepEqual(states, ['bob offline', 'bob online', 'bob offline']);
});

test('a message waits for a peer that is offline, and the peer gets it on its first connection', LONG, async (t) => {
  const nodes = await startNodes(t);
  const alice = member(t, nodes, 'alice');
  let isQueued = false;
  const outcome = alice.session.send('bob', 'wake up', { holdMs: 30_000, onQueued: () => (isQueued = true) });
  while (!isQueued) await new Promise((resolve) => setTimeout(resolve, 20));
  const bob = member(t, nodes, 'bob');
  assert.equal((await next(bob.session, 'message')).payload, 'wake up');
  assert.equal((await outcome).status, 'delivered');
});
