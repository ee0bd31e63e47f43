/**
 * How long the event loop is held up. Every turn of the loop is measured, so a pause is what a heartbeat that became
 * due at the worst moment would have waited: a slice of work with whatever the garbage collector did in it.
 *
 * A machine that is busy with other things also takes the processor away in the middle of a turn. Linux counts that
 * for each thread, so it can be told apart: `own` is a turn less the time for which it was ready and not let run.
 */

import { PerformanceObserver } from 'node:perf_hooks';
import { processorWaits } from './processor-waits.ts';
import { quantile } from './statistics.ts';

/** Pauses in milliseconds. */
export interface Pauses {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What was seen between start and end. */
export interface PauseReport {
  /** By the wall clock. */
  readonly wall: Pauses;
  /** Less the time for which other programs had the processor; on Linux only. */
  readonly own: Pauses | undefined;
  /** Time in the garbage collector on the main thread, milliseconds, and its longest piece. */
  readonly gc: { readonly total: number; readonly longest: number };
}

/** Starts measuring. Returns the way to end, and to be told. It keeps the loop turning, so it is for busy times only. */
export function measurePauses(): () => PauseReport {
  const waits = processorWaits();
  const wall: number[] = [];
  const own: number[] = [];
  const collections: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collections.push(duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  let last = performance.now();
  let waited = waits.read();
  let handle = setImmediate(turn);
  function note(): void {
    const now = performance.now();
    const waitedNow = waits.read();
    wall.push(now - last);
    own.push(Math.max(0, now - last - (waitedNow - waited)));
    last = now;
    waited = waitedNow;
  }
  function turn(): void {
    note();
    handle = setImmediate(turn);
  }
  return () => {
    clearImmediate(handle);
    note();
    observer.disconnect();
    return {
      wall: pausesOf(wall),
      own: waits.known ? pausesOf(own) : undefined,
      gc: {
        total: collections.reduce((sum, each) => sum + each, 0),
        longest: collections.reduce((longest, each) => Math.max(longest, each), 0),
      },
    };
  };
}

/** Quantiles over time and not over turns: half of the time was spent in turns no longer than `p50`. */
function pausesOf(turns: readonly number[]): Pauses {
  const sorted = [...turns].sort((a, b) => a - b);
  const total = sorted.reduce((sum, each) => sum + each, 0);
  const at = (share: number) => {
    let sum = 0;
    for (const each of sorted) {
      sum += each;
      if (sum >= share * total) return each;
    }
    return quantile(sorted, 1);
  };
  return { p50: at(0.5), p99: at(0.99), max: quantile(sorted, 1) };
}
