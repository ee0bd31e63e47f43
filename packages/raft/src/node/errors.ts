/** The error that a node throws where the outcome is not a value. Matched by its code. */

/** What went wrong, as a stable code. */
export type RaftNodeErrorCode =
  /** The node is closed, or was not started. */
  | 'closed'
  /** The disk or the state machine failed for good; `cause` says how. */
  | 'failed'
  /** No leader could confirm it in time. Nothing was changed by asking. */
  | 'unavailable'
  /** Too much is waiting already. */
  | 'busy'
  /** A snapshot is damaged or of a layout that this version does not know. */
  | 'corrupt-snapshot'
  /** An option or argument breaks a rule that the message names. */
  | 'invalid-argument';

/** Thrown by a node's methods. */
export class RaftNodeError extends Error {
  override readonly name = 'RaftNodeError';
  readonly code: RaftNodeErrorCode;

  constructor(code: RaftNodeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** An error as a node throws it: its own kind unchanged, all others as `failed`. */
export function asNodeError(error: unknown, message: string): RaftNodeError {
  if (error instanceof RaftNodeError) return error;
  const detail = error instanceof Error ? `: ${error.message}` : '';
  return new RaftNodeError('failed', `${message}${detail}`, error);
}

/** The stable code that an error carries, for metrics. */
export function codeOf(error: unknown): string {
  const hasCode = typeof error === 'object' && error !== null && 'code' in error;
  return hasCode && typeof error.code === 'string' ? error.code : 'unknown';
}
