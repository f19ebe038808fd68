/** Waits: backoff with full jitter, and a promise with a deadline. No state. */

/** The bound of the first wait, in milliseconds. It doubles with each failure. */
const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 10_000;
/** The longest wait that a node can ask for, in milliseconds. */
const MAX_ASKED_WAIT_MS = 60_000;

/** A random wait up to a bound that doubles: the clients of a failed node return at different times. */
export const backoffMs = (failures: number, atLeastMs?: number): number =>
  Math.min(atLeastMs || 0, MAX_ASKED_WAIT_MS) + Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** failures);

/** Milliseconds of a clock that only grows. */
export const now = (): number => performance.now();

/** The promise's result, or an error after `ms`. */
export const within = <T>(ms: number, promise: Promise<T>, what: string): Promise<T> => {
  let timer: ReturnType<typeof setTimeout>;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} in time`)), ms);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
};
