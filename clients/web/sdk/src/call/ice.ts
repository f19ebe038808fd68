/** ICE servers for a connection that starts now or looks for another path. */
import type { Session } from '../session.js';
import { within } from '../wait.js';

const ANSWER_WITHIN_MS = 5_000;
/** Credentials that end sooner are asked for again. */
const MARGIN_MS = 60_000;

/** The session's ICE servers, with credentials that last a while. */
export async function freshIceServers(session: Session): Promise<RTCIceServer[]> {
  const welcome = await session.connected();
  if ((welcome.expires_at || Infinity) * 1000 < Date.now() + MARGIN_MS) {
    const answer = session.once('ice');
    session.refreshIce();
    await within(ANSWER_WITHIN_MS, answer, 'ice').catch(() => {});
  }
  return (session.welcome ?? welcome).ice_servers;
}
