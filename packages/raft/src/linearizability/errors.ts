/** The error of this part: a history that can't be one. */

/** A history, or the text of one, breaks a rule of its form. Nothing was checked. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
  readonly code = 'invalid-history';
  /** Where, such as `operations[3].call`. */
  readonly field: string;
  /** What holds for it. */
  readonly rule: string;

  constructor(field: string, rule: string) {
    super(`${field} ${rule}.`);
    this.field = field;
    this.rule = rule;
  }
}
