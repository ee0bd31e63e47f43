/**
 * `npm run search -w @skep/raft -- [--start nothing|led|joint] [--depth N] [--states N] [--timeouts N] [--crashes N] ...`:
 * tries every order of events of three members within these bounds, and prints how many states that were, how deep, and
 * how fast. Each budget of `src/search/bounds.ts` is an option. A violation is printed with the shortest way to it, and
 * ends with 1.
 */

import { parseArgs } from 'node:util';
import type { BudgetName, StartName } from './src/search/bounds.ts';
import { DEFAULT_BUDGETS } from './src/search/bounds.ts';
import { search } from './src/search/search.ts';

const STARTS: readonly StartName[] = ['nothing', 'led', 'joint'];
const budgetNames = Object.keys(DEFAULT_BUDGETS) as BudgetName[];

const { values } = parseArgs({
  options: {
    start: { type: 'string', default: 'led' },
    depth: { type: 'string', default: '8' },
    states: { type: 'string', default: '2000000' },
    ...Object.fromEntries(budgetNames.map((name) => [name, { type: 'string' } as const])),
  },
});

function wholeNumber(name: string, text: unknown): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number, not ${text}.`);
  return value;
}

const start = STARTS.find((name) => name === values.start);
if (start === undefined) throw new Error(`--start must be one of ${STARTS.join(', ')}, not ${values.start}.`);
const given: Readonly<Record<string, unknown>> = values;
const budgets = { ...DEFAULT_BUDGETS };
for (const name of budgetNames) {
  if (given[name] !== undefined) Object.assign(budgets, { [name]: wholeNumber(name, given[name]) });
}

const begun = performance.now();
const report = search(
  {
    start,
    depth: wholeNumber('depth', values.depth),
    statesMax: wholeNumber('states', values.states),
    budgets,
  },
  (depth, states) => console.log(`depth ${depth}: ${states} states, ${seconds().toFixed(1)} s`),
);

function seconds(): number {
  return (performance.now() - begun) / 1000;
}

const rate = Math.round(report.events / seconds());
console.log(
  `${report.kind}: ${report.states} states, all of them up to depth ${report.depth}, ${report.events} events in ${seconds().toFixed(1)} s (${rate}/s)`,
);
if (report.violation !== undefined) {
  console.error(report.violation);
  for (const line of report.trace ?? []) console.error(`  ${line}`);
  process.exitCode = 1;
}
