/** What came of one simulation. */

import type { Tally } from './tally.ts';

/** One seed, run to its end or to the first broken rule. */
export interface SimulationResult {
  readonly seed: number;
  /** What was broken, if anything. */
  readonly violation?: string;
  /** The event at which it was. */
  readonly violatedAt?: number;
  readonly steps: number;
  /** Virtual time, in ticks. */
  readonly ticks: number;
  readonly tally: Tally;
  readonly trace: readonly string[];
  readonly traceHash: number;
}
