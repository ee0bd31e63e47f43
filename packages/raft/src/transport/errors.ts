/** What a transport refuses, as stable codes. */

/** What went wrong between two nodes. */
export type TransportErrorCode =
  /** A frame is longer than the limit. */
  | 'frame-too-large'
  /** A frame's bytes say nothing that this version understands. */
  | 'garbled-frame'
  /** The other side is not the member that it says it is, or no member at all. */
  | 'stranger'
  /** The other side belongs to another cluster. */
  | 'wrong-cluster'
  /** The other side speaks another version of the protocol. */
  | 'unsupported-version'
  /** The other side said nothing for too long. */
  | 'silent'
  /** More connections of others that are not known yet are open than are taken at once. */
  | 'busy'
  /** The other side did not answer in time, or gave up. */
  | 'undelivered'
  /** An option breaks a rule that the message names. */
  | 'invalid-argument'
  | 'closed';

/** Thrown for what is refused. Matched by its code; it never carries a payload. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
