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
