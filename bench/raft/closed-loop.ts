/** Closed loops: each does its next thing when the last one is done, so that so many are under way at any time. */

/** What a closed loop measured. */
export interface LoopResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs so many loops for so long. `work` is given the number of the operation; it must not reject. */
export async function closedLoops(
  loops: number,
  seconds: number,
  work: (number: number) => Promise<unknown>,
): Promise<LoopResult> {
  const latencies: number[] = [];
  let number = 0;
  const began = performance.now();
  const end = began + seconds * 1000;
  const loop = async () => {
    for (let start = began; start < end; ) {
      await work(number++);
      const now = performance.now();
      latencies.push(now - start);
      start = now;
    }
  };
  await Promise.all(Array.from({ length: loops }, loop));
  return summarize(latencies, performance.now() - began);
}

/** Rate and percentiles of latencies that were measured in so many milliseconds. */
export function summarize(latencies: readonly number[], tookMs: number): LoopResult {
  const sorted = Float64Array.from(latencies).sort();
  return {
    perSecond: (sorted.length / tookMs) * 1000,
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
  };
}

/** A percentile of sorted numbers, as the nearest rank has it; 0 of none. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0;
}

/** The middle one. */
export function median(numbers: readonly number[]): number {
  return percentile(
    numbers.toSorted((a, b) => a - b),
    50,
  );
}
