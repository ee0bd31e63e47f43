/** What operations of unknown outcome may have done between two others: nothing, one of them, several in a row. */

import { hasBit, withBit } from './bit-set.ts';
import { LeastUsed } from './least-used.ts';
import type { Model } from './model.ts';

/** Optional operations in a row, and where they lead to. */
export interface Run<State> {
  readonly state: State;
  /** Places among the optional operations, in order. */
  readonly operations: readonly number[];
  /** All that are used up, those of before included. */
  readonly used: Uint32Array;
}

/**
 * The runs that are possible in one configuration, the shortest first, without those that lead to a state which a part
 * of them leads to as well.
 */
export class OptionalRuns<State extends NonNullable<unknown> | null, Input> {
  readonly #model: Model<State, Input, unknown>;
  /** Those that have been called by now, in order of their calls. */
  readonly #inputs: readonly Input[];
  readonly #seen = new LeastUsed();
  readonly #runs: Run<State>[] = [];
  #at = 0;
  /** The optional operation that the run at `#at` is to be extended by next. */
  #extension = 0;

  constructor(
    model: Model<State, Input, unknown>,
    inputs: readonly Input[],
    start: { readonly state: State; readonly used: Uint32Array },
  ) {
    this.#model = model;
    this.#inputs = inputs;
    this.#runs.push({ ...start, operations: [] });
    if (inputs.length > 0) this.#seen.add(model.keyOf(start.state), start.used);
  }

  get current(): Run<State> | undefined {
    return this.#runs[this.#at];
  }

  /**
   * Moves on. One call asks the model at most once, so that the caller can count; it returns false as long as more calls
   * are needed.
   */
  advance(): boolean {
    const run = this.#runs[this.#at];
    if (run === undefined) return true;
    while (this.#extension < this.#inputs.length) {
      const index = this.#extension++;
      const input = this.#inputs[index];
      if (input === undefined || hasBit(run.used, index)) continue;
      if (run.operations.length > 0 && this.#model.overwrites?.(input) === true) continue;
      this.#extend(run, index, input);
      return false;
    }
    this.#at++;
    this.#extension = 0;
    return true;
  }

  #extend(run: Run<State>, index: number, input: Input): void {
    const state = this.#model.step(run.state, input, undefined);
    if (state === undefined) return;
    const used = withBit(run.used, index);
    if (!this.#seen.add(this.#model.keyOf(state), used)) return;
    this.#runs.push({ state, operations: [...run.operations, index], used });
  }
}
