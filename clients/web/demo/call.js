// @ts-check
/**
 * One call: one RTCPeerConnection and its messages, with perfect negotiation (W3C WebRTC 1.0, section 10.7) and
 * trickled candidates (RFC 8838). Either side may renegotiate at any time. Not here: which calls to accept
 * (`call_manager.js`).
 */

/** @typedef {import('./protocol.js').Delivery} Delivery */
/** @typedef {{microphone: boolean, camera: boolean}} Devices which devices of a side are on */
/** @typedef {{call: string, again?: boolean, description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit, devices?: Devices, reason?: string}} Payload */
/**
 * @typedef {object} Report the callbacks of a call
 * @property {(pc: RTCPeerConnection) => void} onChange one of the connection's states changed
 * @property {() => void} onConnected the media connection works, for the first time or again
 * @property {(stream: MediaStream) => void} onRemote
 * @property {(devices: Devices) => void} onDevices the other side switched its devices
 * @property {(from: string, kind: string) => void} onStrange a payload that this page does not understand
 * @property {(kind: string, ms: number) => void} onReceipt
 * @property {(reason: string, detail: string) => void} onEnd called once, for an end by either side
 * @property {(text: string) => void} onLog
 */

const ANSWER_DEADLINE_MS = 20_000;
/** Without a usable path ICE may never fail. */
const CONNECT_DEADLINE_MS = 30_000;
const MAX_ICE_RESTARTS = 3;
/** A reason comes from the other side. The reasons of this page are short. */
const MAX_REASON_CHARS = 40;

export class Call {
  #makingOffer = false;
  #ignoringOffer = false;
  #settingAnswer = false;
  #iceRestarts = 0;
  #wasConnected = false;
  #setupTimer = 0;
  #ended = false;

  /**
   * @param {object} setup
   * @param {string} setup.id identifies the call on both sides, so messages of an earlier call are ignored
   * @param {string} setup.self @param {string} setup.peer
   * @param {boolean} setup.caller
   * @param {RTCIceServer[]} setup.iceServers
   * @param {MediaStream | null} setup.stream
   * @param {import('./signaling.js').Signaling} signaling
   * @param {Report} report
   */
  constructor({ id, self, peer, caller, iceServers, stream }, signaling, report) {
    this.id = id;
    this.peer = peer;
    this.caller = caller;
    this.polite = self < peer;
    this.signaling = signaling;
    this.report = report;
    this.pc = new RTCPeerConnection({ iceServers });
    this.#listen();
    if (stream) this.addStream(stream);
    this.#expect('no-answer', ANSWER_DEADLINE_MS);
    if (!caller) return;
    for (const kind of ['audio', 'video']) {
      const sends = stream?.getTracks().some((track) => track.kind === kind);
      if (!sends) this.pc.addTransceiver(kind, { direction: 'recvonly' });
    }
  }

  /** Whether the other side has not answered yet. */
  get isRinging() {
    return this.caller && !this.pc.remoteDescription;
  }

  #listen() {
    const { pc, report } = this;
    const changed = () => report.onChange(pc);
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onicecandidate = ({ candidate }) => candidate && this.#send('candidate', { candidate: candidate.toJSON() });
    pc.ontrack = ({ streams: [stream], track }) => report.onRemote(stream ?? new MediaStream([track]));
    pc.onicegatheringstatechange = changed;
    pc.oniceconnectionstatechange = changed;
    pc.onicecandidateerror = ({ errorCode, errorText, url }) => report.onLog(`ICE server ${url}: ${errorCode} ${errorText}`);
    pc.onconnectionstatechange = () => {
      changed();
      if (pc.connectionState === 'connected') {
        clearTimeout(this.#setupTimer);
        this.#iceRestarts = 0;
        this.#wasConnected = true;
        report.onConnected();
      }
      if (pc.connectionState !== 'failed') return;
      if (this.#iceRestarts++ < MAX_ICE_RESTARTS) pc.restartIce();
      else this.end('connection-lost');
    };
  }

  /** Ends the call unless the next step of its setup happens in time. @param {string} reason @param {number} deadlineMs */
  #expect(reason, deadlineMs) {
    clearTimeout(this.#setupTimer);
    this.#setupTimer = setTimeout(() => this.end(reason), deadlineMs);
  }

  /** Adds the camera. During a call this renegotiates. @param {MediaStream} stream */
  addStream(stream) {
    for (const track of stream.getTracks()) this.pc.addTrack(track, stream);
  }

  async #offer() {
    try {
      this.#makingOffer = true;
      const again = this.pc.remoteDescription !== null;
      await this.pc.setLocalDescription();
      this.#send('offer', { description: this.pc.localDescription?.toJSON(), again });
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** @param {Delivery} delivery a message of this call */
  async receive({ type, payload }) {
    if (type === 'bye') return this.end(`they-${String(payload.reason ?? 'hung-up').slice(0, MAX_REASON_CHARS)}`, '', false);
    try {
      if (payload.description) await this.#describe(payload.description);
      else if (payload.candidate) await this.#addCandidate(payload.candidate);
      else if (isDevices(payload.devices)) this.report.onDevices(payload.devices);
      else this.report.onStrange(this.peer, type);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #describe(description) {
    const { pc } = this;
    const ready = !this.#makingOffer && (pc.signalingState === 'stable' || this.#settingAnswer);
    const collision = description.type === 'offer' && !ready;
    this.#ignoringOffer = collision && !this.polite;
    if (this.#ignoringOffer) return;
    this.#settingAnswer = description.type === 'answer';
    try {
      await pc.setRemoteDescription(description); // rolls back our own offer if necessary
    } catch (error) {
      if (!this.#ended) this.report.onLog(`description: ${error}`);
      return this.end('not-understood');
    } finally {
      this.#settingAnswer = false;
    }
    if (pc.connectionState === 'new') this.#expect('no-path', CONNECT_DEADLINE_MS);
    if (description.type !== 'offer') return;
    await pc.setLocalDescription();
    this.#send('answer', { description: pc.localDescription?.toJSON() });
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #addCandidate(candidate) {
    try {
      await this.pc.addIceCandidate(candidate);
    } catch {
      // The call may have other paths.
      if (!this.#ignoringOffer && !this.#ended) this.report.onStrange(this.peer, 'candidate');
    }
  }

  /** @param {Devices} devices of this side */
  sendDevices(devices) {
    this.#send('message', { devices });
  }

  /** @param {import('./protocol.js').Kind} kind @param {Omit<Payload, 'call'>} payload */
  #send(kind, payload) {
    this.signaling.send(kind, this.peer, { call: this.id, ...payload }).then(
      (ms) => this.report.onReceipt(kind, ms),
      (error) => {
        this.report.onLog(`${kind}: ${error.code}`);
        // A call needs its offer and its answer. A connected call, or one that lost a candidate, can continue.
        const isRequired = kind === 'offer' || kind === 'answer';
        if (!isRequired || this.pc.connectionState === 'connected') return;
        const isGone = this.#wasConnected && (error.code === 'peer-offline' || error.code === 'expired');
        this.end(isGone ? 'vanished' : error.code, error.message, false);
      },
    );
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#ended) return; // an operation that was pending when the connection closed
    this.report.onLog(`negotiation: ${error}`);
    this.end('failed', String(error));
  }

  /** @param {string} reason @param {string} [detail] @param {boolean} [sendBye] whether to inform the other side */
  end(reason, detail = '', sendBye = true) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#setupTimer);
    if (sendBye) this.#send('bye', { reason });
    this.pc.onnegotiationneeded = this.pc.onicecandidate = this.pc.ontrack = this.pc.onconnectionstatechange = null;
    this.pc.close();
    this.report.onEnd(reason, detail);
  }
}

/** @param {any} devices @returns {devices is Devices} */
function isDevices(devices) {
  return typeof devices?.microphone === 'boolean' && typeof devices.camera === 'boolean';
}
