/** How a call's media does, as a stream of typed figures. */
import type { Call } from './call.js';

/** One direction of one kind of media. */
export interface Flow {
  /** `in`: received. */
  direction: 'in' | 'out';
  /** The kind of media. */
  kind: 'audio' | 'video';
  /** Since the figures before; 0 in the first ones. */
  bits_per_second: number;
  /** Packets that did not arrive, since the call began. */
  lost: number;
  /** The variation of packets' arrival times, in milliseconds. */
  jitter_ms: number;
  /** Of video; 0 for audio. */
  frames_per_second: number;
}

/** The figures of a call at one moment. */
export interface CallStats {
  /** `host`, `srflx`, `prflx` or `relay` of both sides, and `udp` or `tcp`. Empty without a path. */
  path: { local: string; remote: string; protocol: string };
  /** The round-trip time of the path, in milliseconds; 0 without a path. */
  rtt_ms: number;
  /** Each direction of each kind of media. */
  flows: Flow[];
}

const MIN_EVERY_MS = 100;

/**
 * Reads the figures every `everyMs` (at least 100) until the call is over.
 *
 * @example
 * ```ts
 * for await (const { path, rtt_ms } of stats(call)) console.log(path.local, rtt_ms);
 * ```
 */
export async function* stats(call: Call, everyMs = 1_000): AsyncGenerator<CallStats, void> {
  let bytes = new Map<string, [number, number]>();
  while (!call.isOver) {
    const reports = new Map<string, any>(await (call.pc.getStats() as Promise<any>));
    const next: typeof bytes = new Map();
    const flows: Flow[] = [];
    let pair: any;
    for (const [id, report] of reports) {
      if (report.type === 'transport') pair = reports.get(report.selectedCandidatePairId);
      const direction = ({ 'inbound-rtp': 'in', 'outbound-rtp': 'out' } as const)[report.type as string];
      if (!direction) continue;
      const now: [number, number] = [report.timestamp, report.bytesReceived ?? report.bytesSent];
      const [at, had] = bytes.get(id) ?? now;
      next.set(id, now);
      const theirs = reports.get(report.remoteId) ?? {};
      const seen = direction === 'in' ? report : theirs;
      flows.push({
        direction,
        kind: report.kind,
        bits_per_second: ((now[1] - had) * 8_000) / (now[0] - at || 1),
        lost: seen.packetsLost ?? 0,
        jitter_ms: (seen.jitter ?? 0) * 1_000,
        frames_per_second: report.framesPerSecond ?? 0,
      });
    }
    bytes = next;
    const [local, remote] = [reports.get(pair?.localCandidateId), reports.get(pair?.remoteCandidateId)];
    yield {
      path: { local: local?.candidateType ?? '', remote: remote?.candidateType ?? '', protocol: local?.protocol ?? '' },
      rtt_ms: (pair?.currentRoundTripTime ?? 0) * 1_000,
      flows,
    };
    await new Promise((resolve) => setTimeout(resolve, Math.max(everyMs, MIN_EVERY_MS)));
  }
}
