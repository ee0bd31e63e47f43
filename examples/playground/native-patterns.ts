/**
 * In place of `re2js` in the playground's script, which it makes a fifth smaller: the browser's own regular expressions.
 * They can take for ever where RE2 can't; in one's own tab that harms nobody else.
 */

/** As much of `RE2JS` as constraints use. */
export class RE2JS {
  static readonly CASE_INSENSITIVE = 1;
  readonly #pattern: RegExp;

  private constructor(pattern: RegExp) {
    this.#pattern = pattern;
  }

  /** @throws SyntaxError */
  static compile(pattern: string): RE2JS {
    return new RE2JS(new RegExp(pattern, 'iu'));
  }

  matcher(value: string): { find(): boolean } {
    return { find: () => this.#pattern.test(value) };
  }
}
