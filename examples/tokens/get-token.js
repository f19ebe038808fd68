// The page's side: `connect({ url, getToken })` of the SDK calls this before each connection, and when a token ends soon.

/** One ID for each tab. A reload keeps it, so the session goes on. Another tab has another one, and is another peer. */
function device() {
  const known = sessionStorage.getItem('device');
  if (known) return known;
  const fresh = crypto.randomUUID().replaceAll('-', '').slice(0, 12);
  sessionStorage.setItem('device', fresh);
  return fresh;
}

/** A token of the recipe's backend. If it throws, the SDK tries again later. */
export async function getToken() {
  const answer = await fetch(`/token?device=${device()}`, { cache: 'no-store' });
  if (!answer.ok) throw new Error(`no token: ${(await answer.text()).trim()}`); // 401: show your login
  return answer.text();
}
