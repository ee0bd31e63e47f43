/**
 * What Skep adds to the time that an engine needs for containers. Rounds of one run each, turn about and in changing
 * order, on private engines of this machine with the image present, so that whatever else the machine does falls on
 * all alike; what counts is the ratio within a round.
 */

import { startPrivateEngine } from '@skep/docker-driver/testing';
import { bareEngine, type Contestant, skep, swarm } from './docker/contestants.ts';
import { type Machine, thisMachine } from './harness/results.ts';
import { median } from './harness/statistics.ts';
import { type Table, textTable } from './harness/table.ts';

/** What is measured. */
export interface DockerBenchOptions {
  readonly sizes: readonly number[];
  /** Rounds of each size, after one that is thrown away. */
  readonly pairs: number;
  /** Measure Swarm mode too, on an engine of its own. */
  readonly swarm: boolean;
}

/** A ratio of each round's two times, as its median with an interval that holds the true one in 95 % of cases. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** One size. */
export interface DockerBenchRow {
  readonly containers: number;
  readonly rounds: number;
  /** Median milliseconds by contestant. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** Each contestant's time by the bare engine's in the same round. */
  readonly ratios: Readonly<Record<string, Ratio>>;
}

/** The whole. */
export interface DockerBenchResult {
  readonly machine: Machine;
  readonly rows: readonly DockerBenchRow[];
}

/** Largest ratio by size that Skep is to keep under. */
export const LIMITS: Readonly<Record<number, number>> = { 1: 1.2, 10: 1.05, 50: 1.05, 100: 1.05 };

/** Measures. */
export async function benchDocker(options: DockerBenchOptions): Promise<DockerBenchResult> {
  const machine = thisMachine();
  const engines = [await startPrivateEngine()];
  const contestants: Contestant[] = [];
  try {
    const [first] = engines;
    if (first === undefined) throw new Error('there is no engine');
    const bare = bareEngine(first);
    contestants.push(bare, await skep(first));
    if (options.swarm) {
      const second = await startPrivateEngine();
      engines.push(second);
      contestants.push(await swarm(second));
    }
    const rows: DockerBenchRow[] = [];
    for (const containers of options.sizes) {
      const times = await rounds(contestants, containers, options.pairs);
      rows.push(rowOf(containers, times, bare.name));
      process.stderr.write(`${textTable(dockerTable(rows.slice(-1)))}\n`);
    }
    return { machine, rows };
  } finally {
    for (const contestant of contestants) await contestant.close().catch(() => {});
    for (const engine of engines) await engine.dispose();
  }
}

/** A table for people. */
export function dockerTable(rows: readonly DockerBenchRow[]): Table {
  const names = Object.keys(rows[0]?.milliseconds ?? {});
  return {
    headings: [
      'containers',
      'rounds',
      ...names.map((name) => `${name}, ms`),
      ...names.slice(1).map((name) => `${name} / bare`),
      'limit',
    ],
    rows: rows.map(({ containers, rounds: count, milliseconds, ratios }) => [
      String(containers),
      String(count),
      ...names.map((name) => (milliseconds[name] ?? 0).toFixed(0)),
      ...names.slice(1).map((name) => ratioText(ratios[name])),
      LIMITS[containers]?.toFixed(2) ?? '',
    ]),
  };
}

/** A ratio for people. */
export function ratioText(ratio: Ratio | undefined): string {
  return ratio === undefined
    ? ''
    : `${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`;
}

async function rounds(
  contestants: readonly Contestant[],
  containers: number,
  count: number,
): Promise<readonly Readonly<Record<string, number>>[]> {
  const times: Record<string, number>[] = [];
  for (let round = 0; round <= count; round++) {
    // Whoever comes first in one round comes last in the next.
    const order = round % 2 === 0 ? contestants : [...contestants].reverse();
    const took: Record<string, number> = {};
    for (const contestant of order) {
      took[contestant.name] = await contestant.create(containers);
      await contestant.clear();
    }
    if (round > 0) times.push(took);
  }
  return times;
}

function rowOf(
  containers: number,
  times: readonly Readonly<Record<string, number>>[],
  base: string,
): DockerBenchRow {
  const names = [
    base,
    ...Object.keys(times[0] ?? {})
      .filter((name) => name !== base)
      .sort(),
  ];
  const of = (name: string) => times.map((took) => took[name] ?? Number.NaN);
  const bases = of(base);
  return {
    containers,
    rounds: times.length,
    milliseconds: Object.fromEntries(names.map((name) => [name, median(of(name))])),
    ratios: Object.fromEntries(
      names
        .slice(1)
        .map((name) => [name, medianWithInterval(of(name).map((took, round) => took / (bases[round] ?? 1)))]),
    ),
  };
}

/**
 * The median, and between which ranks it lies in 95 % of cases whatever the distribution: the order-statistic interval
 * (W. J. Conover, Practical Nonparametric Statistics, 3.2).
 */
export function medianWithInterval(values: readonly number[]): Ratio {
  const sorted = [...values].sort((a, b) => a - b);
  const { length } = sorted;
  let rank = 0;
  let below = 0;
  let probability = 0.5 ** length;
  // The largest rank that the median falls below with a probability of at most 2.5 %.
  for (let count = 0; count < length; count++) {
    below += probability;
    if (below > 0.025) break;
    rank = count + 1;
    probability *= (length - count) / (count + 1);
  }
  const at = (index: number) => sorted[Math.max(0, Math.min(length - 1, index))] ?? Number.NaN;
  return {
    median: median(sorted),
    low: at(rank === 0 ? 0 : rank - 1),
    high: at(rank === 0 ? length - 1 : length - rank),
  };
}
