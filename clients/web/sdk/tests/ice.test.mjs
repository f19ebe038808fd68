// The TURN servers of a session are those of its region.
import assert from 'node:assert/strict';
import test from 'node:test';
import { LONG, next, startNodes, startPeer } from './support/peers.mjs';

const REGIONS = `
[ice]
turn_urls = ["turn:all.example"]
turn_secret = "north-of-the-wall"
[[ice.regions]]
name = "eu"
turn_urls = ["turn:eu.example"]
`;

test('a session says where it is at each of its connections', LONG, async (t) => {
  const nodes = await startNodes(t, ['n1', 'n2'], REGIONS);
  const session = startPeer(t, nodes, 'alice', { query: { region: 'eu' } });
  const urls = ({ ice_servers }) => ice_servers.flatMap((server) => server.urls);
  assert.deepEqual(urls(await session.connected()), ['turn:eu.example']);
  const back = next(session, 'welcome');
  nodes.balancer.cut();
  const welcome = await back;
  assert.ok(welcome.resumed);
  assert.deepEqual(urls(welcome), ['turn:eu.example']);
  const elsewhere = startPeer(t, nodes, 'bob');
  assert.deepEqual(urls(await elsewhere.connected()), ['turn:all.example']);
});
