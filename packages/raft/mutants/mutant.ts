/** What a planted bug is: a small wrong patch to a copy of the sources, for one subtle point. */

/** One planted bug. */
export interface Mutant {
  readonly name: string;
  /** The point of `CHECKLIST.md` that it stands for, by its number. */
  readonly item: number;
  /** In `src`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The simulation that notices it; absent if only a scenario does. */
  readonly layer?: 'core' | 'node';
  /** A seed that is known to kill it there. */
  readonly seed?: number;
}
