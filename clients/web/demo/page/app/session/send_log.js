// @ts-check
/** Reports the outcome of each message that this page sends, with the time it took. Only for display. */

/** @typedef {import('../vendor/sdk.js').Session} Session */

/**
 * @param {Session} session
 * @param {(kind: string, outcome: string, ms: number) => void} report
 */
export function logSends(session, report) {
  const send = session.send.bind(session);
  session.send = (to, payload, options) => {
    const startedAt = performance.now();
    const kind = options?.kind ?? 'message';
    const outcome = send(to, payload, options);
    outcome.then(
      ({ status }) => report(kind, status, performance.now() - startedAt),
      (error) => report(kind, error.code, performance.now() - startedAt),
    );
    return outcome;
  };
}
