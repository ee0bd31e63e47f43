/**
 * `npm run sim -- --seeds N [--seed S] [--steps N]`: simulates the whole orchestrator over N seeds, from S on, in one
 * process for each processor, and prints what was simulated. When a seed breaks a rule, prints it with the end of its trace,
 * and exits with 1. With `--bugs`, plants one bug after the other instead, and prints after how many seeds it was found.
 */

import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Tally } from '@skep/raft/simulator';
import { PLANTED_BUGS, type Simulation, simulate } from './src/index.ts';

const TRACE_LINES = 80;
const SHOWN_MAX = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '60' },
    processes: { type: 'string' },
    child: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    bugs: { type: 'boolean', default: false },
  },
});

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number, not ${text}.`);
  return value;
}

/** What a thread tells of a seed. */
interface Told {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly elapsedMs: number;
  readonly counts: readonly (readonly [string, number])[];
}

const steps = wholeNumber('steps', values.steps);
const first = values.seed === undefined ? 1 : wholeNumber('seed', values.seed);
const count =
  values.seeds === undefined ? (values.seed === undefined ? 100 : 1) : wholeNumber('seeds', values.seeds);

function told({ seed, violation, elapsedMs, tally }: Simulation): Told {
  return { seed, violation, elapsedMs, counts: [...tally.entries()] };
}

async function runSeeds(): Promise<void> {
  const processes = Math.min(
    count,
    values.processes === undefined ? availableParallelism() : wholeNumber('processes', values.processes),
  );
  const tally = new Tally();
  const broken: Told[] = [];
  let next = first;
  let elapsedMs = 0;
  const begun = performance.now();
  const note = (result: Told) => {
    elapsedMs += result.elapsedMs;
    for (const [name, by] of result.counts) tally.add(name, by);
    if (result.violation === undefined) return;
    broken.push(result);
    if (broken.length <= SHOWN_MAX) console.error(`seed ${result.seed}: ${result.violation}`);
  };
  const share = () =>
    new Promise<void>((resolve, reject) => {
      const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), '--child']);
      const give = () => {
        if (next < first + count) child.send(next++);
        else child.disconnect();
      };
      child.on('message', (result: Told) => {
        note(result);
        give();
      });
      child.on('error', reject);
      child.on('exit', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`a process of the simulation ended with code ${code}`));
      });
      give();
    });
  if (processes <= 1) {
    for (; next < first + count; next++) note(told(await simulate({ seed: next, steps })));
  } else {
    await Promise.all(Array.from({ length: processes }, share));
  }
  const seconds = (performance.now() - begun) / 1000;
  const hours = elapsedMs / 3_600_000;
  console.log(
    `${count} seeds from ${first}, ${hours.toFixed(1)} virtual hours, in ${seconds.toFixed(1)} s on ${processes} processes`,
  );
  for (const line of tally.lines()) console.log(`  ${line}`);
  const seeds = broken.map(({ seed }) => seed).sort((a, b) => a - b);
  if (seeds[0] !== undefined || values.trace) await show(seeds[0] ?? first);
  console.log(
    seeds.length === 0
      ? 'no rule was broken'
      : `${seeds.length} seeds broke a rule: ${seeds.slice(0, 50).join(' ')}`,
  );
  process.exitCode = seeds.length === 0 ? 0 : 1;
}

async function show(seed: number): Promise<void> {
  const { trace } = await simulate({ seed, steps });
  console.error(trace.slice(values.trace ? 0 : -TRACE_LINES).join('\n'));
  console.error(`again: npm run sim -- --seed ${seed} --steps ${steps}`);
}

async function runBugs(): Promise<void> {
  let alive = 0;
  for (const { name, breaks, plant } of PLANTED_BUGS) {
    // What dies of another rule does not show that its own can fail.
    const found = (violation: string | undefined) => violation !== undefined && breaks.test(violation);
    let violation: string | undefined;
    let seed = first;
    for (; !found(violation) && seed < first + count; seed++) {
      violation = (await simulate({ seed, steps, bug: plant() })).violation;
    }
    if (!found(violation)) alive += 1;
    console.log(`${found(violation) ? 'dead ' : 'ALIVE'} ${name}`);
    console.log(
      found(violation)
        ? `      seed ${seed - 1}: ${violation?.split('\n')[0]}`
        : `      not in ${count} seeds`,
    );
  }
  process.exitCode = alive === 0 ? 0 : 1;
}

if (values.child) {
  process.on('message', (seed: number) => {
    void simulate({ seed, steps }).then((result) => process.send?.(told(result)));
  });
} else {
  await (values.bugs ? runBugs() : runSeeds());
}
