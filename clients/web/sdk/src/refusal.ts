/**
 * Why a node refused a connection. A browser shows every refused handshake as close code 1006, so a node answers the same
 * question to a plain request. A node without it answers 404, and nothing is known.
 */
import { SwitchboardError } from './error.js';
import type { Request } from './transport.js';

const ANSWER_WITHIN_MS = 5_000;

/** The node's answer to the question whether it would take a connection. Rejects if none comes in time, and where a platform cannot ask. */
export const askReady = async ({ base, token, query }: Request, withinMs: number): Promise<Response> =>
  fetch(`${base}/v1/ready?${query}`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(withinMs) });

export async function whyRefused(request: Request): Promise<SwitchboardError | undefined> {
  try {
    const answer = await askReady(request, ANSWER_WITHIN_MS);
    if (answer.ok || answer.status === 404) return undefined;
    const { code, detail } = await answer.json();
    return new SwitchboardError(code, detail, Number(answer.headers.get('retry-after')) * 1000, answer.status);
  } catch {
    return undefined; // no node answers
  }
}
