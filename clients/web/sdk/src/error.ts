/** The error of a send, a refusal or a session. Texts come from outside, so they are cut. */
import type { ErrorCode } from './generated/codes.js';

/** The longest code, in characters. */
const MAX_CODE_CHARS = 40;
/** The longest text for people, in characters. */
const MAX_TEXT_CHARS = 300;

/** Why something failed. */
export class SwitchboardError extends Error {
  /** Always `SwitchboardError`. */
  override name = 'SwitchboardError';
  /** For programs: a code of the protocol, of a refused handshake (`token-…`), or `closed`. */
  readonly code: ErrorCode | 'closed' | (string & {});
  /** When a retry makes sense, in milliseconds; 0 if the node did not say. */
  readonly retryAfterMs: number;

  /** For the package itself. */
  constructor(
    code: unknown,
    message: unknown,
    retryAfterMs?: unknown,
    /** The status of HTTP, of a refused handshake; else 0. */
    readonly status = 0,
  ) {
    super(String(message ?? '').slice(0, MAX_TEXT_CHARS));
    this.code = String(code ?? 'internal').slice(0, MAX_CODE_CHARS);
    this.retryAfterMs = Number(retryAfterMs) || 0;
  }
}
