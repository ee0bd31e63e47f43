/** Runs many seeds over all processors, and gathers what came of them. */

import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Tally } from '../src/simulator/index.ts';
import type { SeedRun } from './run-seed.ts';

/** One seed that broke a rule. */
export interface BrokenSeed {
  readonly seed: number;
  readonly violation: string;
  readonly violatedAt: number;
}

/** What came of all of them. */
export interface SeedsSummary {
  readonly seeds: number;
  readonly events: number;
  readonly ticks: number;
  readonly tally: Tally;
  /** In order of their seeds. */
  readonly broken: readonly BrokenSeed[];
}

/** What a worker sends back. */
interface Answer {
  readonly seed: number;
  readonly violation?: string;
  readonly violatedAt?: number;
  readonly steps: number;
  readonly ticks: number;
  readonly counts: readonly (readonly [string, number])[];
}

/**
 * Runs seeds until `next` has none left.
 *
 * @param onBroken - told of each that broke a rule, as soon as it did.
 */
export async function runSeeds(
  next: () => Omit<SeedRun, 'trace'> | undefined,
  onBroken: (broken: BrokenSeed) => void = () => {},
): Promise<SeedsSummary> {
  const tally = new Tally();
  const broken: BrokenSeed[] = [];
  let [seeds, events, ticks] = [0, 0, 0];
  const take = ({ seed, violation, violatedAt = 0, steps, ticks: passed, counts }: Answer) => {
    seeds++;
    events += steps;
    ticks += passed;
    for (const [name, count] of counts) tally.add(name, count);
    if (violation === undefined) return;
    const each = { seed, violation, violatedAt };
    broken.push(each);
    onBroken(each);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, () => runInOneWorker(next, take)));
  broken.sort((a, b) => a.seed - b.seed);
  return { seeds, events, ticks, tally, broken };
}

async function runInOneWorker(
  next: () => Omit<SeedRun, 'trace'> | undefined,
  take: (answer: Answer) => void,
): Promise<void> {
  // A process and not a thread: it loads TypeScript as this one does.
  const worker = fork(fileURLToPath(new URL('./seed-worker.ts', import.meta.url)), {
    execArgv: process.execArgv,
  });
  try {
    for (let run = next(); run !== undefined; run = next()) {
      const answered = new Promise<Answer>((resolve, reject) => {
        worker.once('message', (answer) => resolve(answer as Answer));
        worker.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
      });
      worker.send({ ...run, trace: 'none' });
      take(await answered);
      worker.removeAllListeners();
    }
  } finally {
    worker.kill();
  }
}
