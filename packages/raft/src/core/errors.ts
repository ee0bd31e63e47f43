/** The one error that the core throws, matched by its code. Refusals that a caller expects are values, not errors. */

/** What went wrong. */
export type RaftErrorCode =
  /** An option is missing, not a whole number, or contradicts another. */
  | 'invalid-option'
  /** What was found on disk can't be a Raft log: a gap, a term that falls, an entry without a place. */
  | 'invalid-stored-state'
  /** The driver reported something that the core never handed out, or in the wrong order. */
  | 'invalid-report'
  /**
   * A rule that the safety of the log rests on does not hold: two leaders in one term, or a committed entry that
   * another would overwrite. The member must stop: going on would spread the damage.
   */
  | 'invariant-violated';

/** Thrown for misuse and for broken invariants. Nothing was changed when the code begins with `invalid-`. */
export class RaftError extends Error {
  override readonly name = 'RaftError';
  readonly code: RaftErrorCode;

  constructor(code: RaftErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
