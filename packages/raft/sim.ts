/**
 * `npm run sim -w @skep/raft -- --seeds N [--seed S] [--steps N]`: simulates N seeds, from S on, and prints what was
 * simulated. When a seed breaks a rule, prints it with the end of its trace, and exits with 1. With `--mutants`, plants
 * one bug after the other instead (`--only TEXT`: those whose name contains it), and prints what noticed each, and
 * after how many seeds.
 */

import { parseArgs } from 'node:util';
import { MUTANTS, tryMutant } from './mutants.ts';
import { simulateCores as simulate, Tally } from './src/simulator/index.ts';

const TRACE_LINES = 60;
const SHOWN_MAX = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '2000' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number, not ${text}.`);
  return value;
}

const steps = wholeNumber('steps', values.steps);
const first = values.seed === undefined ? 1 : wholeNumber('seed', values.seed);
const count =
  values.seed !== undefined && !process.argv.includes('--seeds') ? 1 : wholeNumber('seeds', values.seeds);

function runSeeds(): void {
  const tally = new Tally();
  const broken: number[] = [];
  let events = 0;
  let ticks = 0;
  const begun = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const result = simulate({ seed, steps, trace: values.trace ? 'keep' : 'none' });
    tally.merge(result.tally);
    events += result.steps;
    ticks += result.ticks;
    if (values.trace) console.log(result.trace.join('\n'));
    if (result.violation === undefined) continue;
    broken.push(seed);
    if (broken.length > SHOWN_MAX) continue;
    console.error(`seed ${seed}, event ${result.violatedAt}: ${result.violation}`);
    if (broken.length > 1) continue;
    const { trace } = simulate({ seed, steps, trace: 'keep' });
    console.error(trace.slice(-TRACE_LINES).join('\n'));
    console.error(`again: npm run sim -w @skep/raft -- --seed ${seed} --steps ${steps}`);
  }
  const seconds = (performance.now() - begun) / 1000;
  // With ticks of 10 ms, the default of the options' time-outs.
  const hours = (ticks * 0.01) / 3600;
  console.log(
    `${count} seeds from ${first}, ${events} events, ${ticks} ticks (${hours.toFixed(1)} virtual hours at 10 ms a tick), in ${seconds.toFixed(1)} s`,
  );
  for (const line of tally.lines()) console.log(`  ${line}`);
  console.log(
    broken.length === 0
      ? 'no rule was broken'
      : `${broken.length} seeds broke a rule: ${broken.slice(0, 50).join(' ')}`,
  );
  process.exitCode = broken.length === 0 ? 0 : 1;
}

async function runMutants(): Promise<void> {
  const seedsToKill: number[] = [];
  let alive = 0;
  const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
  for (const mutant of chosen) {
    const fate = await tryMutant(mutant, { scenarios: true, seedsMax: count, steps, firstSeed: first });
    const isDead = fate.seedsToKill !== undefined || fate.scenarios.length > 0;
    if (!isDead) alive++;
    if (fate.seedsToKill !== undefined) seedsToKill.push(fate.seedsToKill);
    const bySeeds =
      fate.seedsToKill === undefined
        ? `not in ${count} seeds`
        : `seed ${fate.seed}, the ${fate.seedsToKill}.`;
    console.log(`${isDead ? 'dead ' : 'ALIVE'} ${fate.name}`);
    console.log(`      simulator: ${bySeeds} ${fate.violation ?? ''}`.trimEnd());
    console.log(`      scenarios: ${fate.scenarios.join(' ') || 'none'}`);
  }
  seedsToKill.sort((a, b) => a - b);
  const median = seedsToKill[Math.floor((seedsToKill.length - 1) / 2)];
  console.log(
    `${chosen.length - alive} of ${chosen.length} planted bugs died, ${seedsToKill.length} of them in the simulator; median of seeds to kill: ${median}`,
  );
  process.exitCode = alive === 0 ? 0 : 1;
}

await (values.mutants ? runMutants() : runSeeds());
