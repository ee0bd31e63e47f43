/** Times of something that was done many times over. */

import { quantile } from '../harness/statistics.ts';

/** Milliseconds, and how many there were. */
export interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/** Sums them up. */
export function timesOf(times: readonly number[]): Times {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    longest: sorted.at(-1) ?? Number.NaN,
  };
}
