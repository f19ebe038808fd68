// @ts-check
/** Statistics of a connection: its selected candidate pair and its received picture. */

/**
 * @typedef {object} Facts
 * @property {string} path for example `host → host, udp`
 * @property {number | null} rttMs
 * @property {string} video for example `640 × 480, 30 fps`
 */

/** @param {RTCPeerConnection} pc @returns {Promise<Facts>} */
export async function observe(pc) {
  /** @type {Map<string, any>} */
  const stats = new Map(/** @type {any} */ (await pc.getStats()));
  const all = [...stats.values()];
  const transport = all.find((entry) => entry.type === 'transport' && entry.selectedCandidatePairId);
  const pair = stats.get(transport?.selectedCandidatePairId) ?? all.find((entry) => entry.type === 'candidate-pair' && entry.selected);
  const local = stats.get(pair?.localCandidateId);
  const remote = stats.get(pair?.remoteCandidateId);
  const video = all.find((entry) => entry.type === 'inbound-rtp' && entry.kind === 'video' && entry.frameWidth);
  return {
    path: local && remote ? `${local.candidateType} → ${remote.candidateType}, ${local.relayProtocol ?? local.protocol}` : '',
    rttMs: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
    video: video ? `${video.frameWidth} × ${video.frameHeight}, ${Math.round(video.framesPerSecond ?? 0)} fps` : '',
  };
}
