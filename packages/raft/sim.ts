/**
 * `npm run sim -w @skep/raft -- --seeds N [--seed S] [--steps N] [--layer node|core]`: simulates N seeds, from S on, and
 * prints what was simulated. When a seed breaks a rule, prints it with the end of its trace, and exits with 1. With
 * `--seconds N`, seeds drawn at random until the time is over. With `--mutants`, plants one bug after the other instead
 * (`--only TEXT`: those whose name contains it), and prints what noticed each, and after how many seeds.
 */

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runMutants } from './simulation/run-mutants.ts';
import type { Layer } from './simulation/run-seed.ts';
import { runSeed } from './simulation/run-seed.ts';
import type { BrokenSeed } from './simulation/run-seeds.ts';
import { runSeeds } from './simulation/run-seeds.ts';

const TRACE_LINES = 60;
const SHOWN_MAX = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '2000' },
    seconds: { type: 'string' },
    layer: { type: 'string', default: 'node' },
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

function layerOf(text: string): Layer {
  if (text === 'node' || text === 'core') return text;
  throw new Error(`--layer must be node or core, not ${text}.`);
}

const steps = wholeNumber('steps', values.steps);
const layer = layerOf(values.layer);
const seconds = values.seconds === undefined ? undefined : wholeNumber('seconds', values.seconds);
const first = values.seed === undefined ? 1 : wholeNumber('seed', values.seed);
const count =
  values.seeds === undefined ? (values.seed === undefined ? 200 : 1) : wholeNumber('seeds', values.seeds);

const begun = performance.now();

/** The next seed to run; undefined when there are enough. */
let given = 0;
function nextSeed(): number | undefined {
  if (seconds !== undefined) {
    return performance.now() - begun < seconds * 1000 ? randomInt(2 ** 32) : undefined;
  }
  return given < count ? first + given++ : undefined;
}

let shown = 0;
function show({ seed, violation, violatedAt }: BrokenSeed): void {
  shown++;
  if (shown <= SHOWN_MAX) console.error(`seed ${seed}, event ${violatedAt}: ${violation}`);
}

async function showTrace({ seed }: BrokenSeed): Promise<void> {
  const { trace } = await runSeed({ layer, seed, steps, trace: 'keep' });
  console.error(trace.slice(-TRACE_LINES).join('\n'));
  const options = layer === 'node' ? '' : ' --layer core';
  console.error(`again: npm run sim -w @skep/raft -- --seed ${seed} --steps ${steps}${options} --trace`);
  console.error('once it is understood, the seed belongs among those of the tests beside the simulation');
}

async function simulateSeeds(): Promise<boolean> {
  const { seeds, events, ticks, tally, broken } = await runSeeds(() => {
    const seed = nextSeed();
    return seed === undefined ? undefined : { layer, seed, steps };
  }, show);
  const [worst] = broken;
  if (worst !== undefined) await showTrace(worst);
  const took = (performance.now() - begun) / 1000;
  // With ticks of 10 ms, the default of the options' time-outs.
  const hours = (ticks * 0.01) / 3600;
  const which = seconds === undefined ? `${seeds} seeds from ${first}` : `${seeds} seeds drawn at random`;
  console.log(
    `${which}, simulated ${layer}s, ${events} events, ${ticks} ticks (${hours.toFixed(1)} virtual hours at 10 ms a tick), in ${took.toFixed(1)} s`,
  );
  for (const line of tally.lines()) console.log(`  ${line}`);
  const list = broken.slice(0, 50).map(({ seed }) => seed);
  console.log(
    broken.length === 0 ? 'no rule was broken' : `${broken.length} seeds broke a rule: ${list.join(' ')}`,
  );
  return broken.length === 0;
}

async function traceSeeds(): Promise<boolean> {
  let isClean = true;
  for (let seed = nextSeed(); seed !== undefined; seed = nextSeed()) {
    const { trace, violation } = await runSeed({ layer, seed, steps, trace: 'keep' });
    console.log(trace.join('\n'));
    isClean &&= violation === undefined;
  }
  return isClean;
}

async function main(): Promise<boolean> {
  if (values.mutants) return runMutants({ only: values.only, firstSeed: first, seeds: count, steps });
  return values.trace ? traceSeeds() : simulateSeeds();
}

process.exitCode = (await main()) ? 0 : 1;
