// The network between the pages of a test: all their media goes through sockets of this process, which can fall silent. The pages
// think that these sockets are the other side.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Runs in the page: each candidate of the other side becomes a socket of the test. */
function divertCandidates() {
  const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
    const parts = (candidate?.candidate ?? '').split(' ');
    if (parts.length < 8) return addIceCandidate.call(this, candidate);
    const [, , protocol, , host, port] = parts;
    const diverted = await window.testDivert(protocol, host, Number(port));
    if (!diverted) return undefined;
    parts[5] = String(diverted);
    return addIceCandidate.call(this, { ...candidate, candidate: parts.join(' ') });
  };
  // A later description repeats the candidates as they are.
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    return setRemoteDescription.call(this, { type: description.type, sdp: description.sdp.replace(/a=candidate:.*\r\n/g, '') });
  };
}

export class UdpPath {
  /** Bytes that went through. */
  bytes = 0;
  /** After so many bytes the sockets of now fall silent. Later ones work. */
  silentAfter = Infinity;
  #onSilent = () => {};
  /** Resolves when they fall silent. */
  fellSilent = new Promise((resolve) => (this.#onSilent = resolve));
  /** @type {Set<{isSilent: boolean}>} */
  #relays = new Set();
  #t;

  /** @param {import('node:test').TestContext} t closes the sockets when the test is over */
  constructor(t) {
    this.#t = t;
  }

  /** Diverts the media of all pages of a window that are opened from now on. */
  async divert(window) {
    await window.exposeFunction('testDivert', (protocol, host, port) => this.#relay(protocol, host, port));
    await window.addInitScript(divertCandidates);
  }

  /** Returns the port of a socket on the same address that stands for this one. */
  async #relay(protocol, host, port) {
    if (protocol.toLowerCase() !== 'udp' || !/^[\d.]+$/.test(host)) return undefined;
    const socket = createSocket('udp4');
    const relay = { isSilent: false };
    let other;
    socket.on('message', (packet, { address, port: from }) => {
      if (relay.isSilent) return;
      const isAnswer = address === host && from === port;
      if (!isAnswer) other = [from, address];
      const to = isAnswer ? other : [port, host];
      if (!to) return;
      socket.send(packet, ...to);
      this.#count(packet.length);
    });
    socket.bind(0, host);
    await once(socket, 'listening');
    this.#t.after(() => socket.close());
    this.#relays.add(relay);
    return socket.address().port;
  }

  #count(bytes) {
    this.bytes += bytes;
    if (this.bytes < this.silentAfter) return;
    this.silentAfter = Infinity;
    for (const relay of this.#relays) relay.isSilent = true;
    this.#onSilent();
  }
}
