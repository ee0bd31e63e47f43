/** What an object does when one client after the other uses it: the meaning that a concurrent history is checked against. */

/**
 * A sequential specification, without side effects.
 *
 * @typeParam State - never changed in place: `step` gives a new one
 */
export interface Model<State extends NonNullable<unknown> | null, Input, Output> {
  readonly initial: State;
  /**
   * The state after an operation, or `undefined` if the object would not have answered so in `state`. An `output` of
   * `undefined` means that the answer is not known; then any will do.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** A text for each state, the same for two states exactly if they are equal. */
  keyOf(state: State): string;
  /**
   * Which part of the object an operation uses, if parts don't depend on one another. Each is checked by itself, from
   * `initial`: linearizability is local (Herlihy and Wing 1990), and small histories are far quicker to check.
   */
  partitionOf?(input: Input): string;
  /**
   * True if the operation, its answer unknown, leads to the same state whether or not another of unknown answer goes
   * directly before it, as a write does. Not needed, but saves trying such pairs.
   */
  overwrites?(input: Input): boolean;
  /** An operation in words, such as `read x -> 1`. */
  describe(input: Input, output: Output | undefined): string;
}
