// Calls whose media may only go through a TURN server, which is a real coturn.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callState, inCall, movingPicture, twoPages, withCoturn } from '../support/pages.mjs';
import { credentials, startTurn } from '../support/turn.mjs';

const relayOnly = (rtc = {}) => `&rtc=${encodeURIComponent(JSON.stringify({ iceTransportPolicy: 'relay', ...rtc }))}`;
const ice = (urls, secret) => `[ice]\nturn_urls = ${JSON.stringify(urls)}\nturn_secret = "${secret}"\n`;

/** How the media of a page's call goes: both ends, and how the browser reaches its relay. */
const path = (page) =>
  page.evaluate(async () => {
    let report, pair;
    while (!pair) {
      report = [...(await sdk.call.pc.getStats()).values()];
      pair = report.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
    }
    const [local, remote] = [pair.localCandidateId, pair.remoteCandidateId].map((id) => report.find((entry) => entry.id === id));
    return [local.candidateType, remote.candidateType, local.relayProtocol];
  });

for (const transport of ['udp', 'tcp', 'tls'])
  test(`a call goes through a TURN server over ${transport}`, withCoturn, async (t) => {
    const turn = await startTurn(t);
    const { alice, bob } = await twoPages(t, [relayOnly(), relayOnly()], ice([turn.url(transport)], turn.secret), turn.key);
    await alice.evaluate(() => sdk.dial('bob'));
    await Promise.all([alice, bob].map(inCall));
    await Promise.all([alice, bob].map((page) => movingPicture(page)));
    for (const page of [alice, bob]) assert.deepEqual(await path(page), ['relay', 'relay', transport]);
    assert.deepEqual(await alice.evaluate(() => sdk.log.filter((line) => line.startsWith('error'))), []);
  });

test('a TURN server that refuses the credentials is an error of the call, at once', withCoturn, async (t) => {
  const turn = await startTurn(t);
  const past = Math.floor(Date.now() / 1000) - 60;
  const url = turn.url('udp');
  const expired = { urls: [url], ...credentials(turn.secret, 'bob', past) };
  // Alice has a wrong secret from the nodes, and bob's credentials have expired.
  const queries = [relayOnly(), relayOnly({ iceServers: [expired] })];
  const { alice, bob } = await twoPages(t, queries, ice([url], 'not the secret of this server'));
  await alice.evaluate(() => sdk.dial('bob'));
  for (const page of [alice, bob]) {
    await page.waitForFunction(() => sdk.log.some((line) => line.startsWith('error')));
    const errors = await page.evaluate(() => sdk.log.filter((line) => line.startsWith('error')));
    assert.ok(errors.includes(`error: the TURN server ${url} refused: the credentials are wrong or have expired (401)`), errors.join('\n'));
  }
});

test('a call with ICE servers rings until it is accepted', withCoturn, async (t) => {
  const turn = await startTurn(t);
  const { alice, bob } = await twoPages(t, ['', '&answer=ring'], ice([turn.url('udp')], turn.secret));
  await alice.evaluate(() => void sdk.dial('bob'));
  await Promise.all([alice, bob].map((page) => callState(page, 'ringing')));
  // With the servers a browser wants a negotiation of its own, and an offer of the page that rings would accept the call.
  await bob.waitForFunction(() => sdk.call.pc.getConfiguration().iceServers.length > 0);
  await bob.evaluate(() => sdk.session.send('alice', 'after what the call has sent'));
  await alice.waitForFunction(() => sdk.messages.length === 1);
  assert.equal(await alice.evaluate(() => sdk.call.state), 'ringing');
  await bob.evaluate(async () => sdk.call.accept({ stream: await sdk.media() }));
  await Promise.all([alice, bob].map(inCall));
});
