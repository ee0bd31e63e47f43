/**
 * What an update costs: by its size under virtual time, and on a real engine beside the bare engine with the same steps
 * and Swarm mode; and how soon a task that has ended runs again. On engines, rounds of one run each, turn about and in
 * changing order: what counts is the ratio within a round.
 */

import { type PrivateEngine, startPrivateEngine } from '@skep/docker-driver/testing';
import { medianWithInterval, type Ratio, ratioText } from './docker.ts';
import { type Machine, machineInWords, type ReportPart, thisMachine } from './harness/results.ts';
import { median } from './harness/statistics.ts';
import { milliseconds, type Table, whole } from './harness/table.ts';
import {
  bareUpdater,
  PROGRAMS,
  type Program,
  SWARM,
  skepUpdater,
  swarmUpdater,
  type Updater,
} from './update/contestants.ts';
import { bareRestarter, type Restarter, skepRestarter, swarmRestarter } from './update/restarts.ts';
import { benchSimulatedUpdates, type SimulatedUpdateRow } from './update/simulated.ts';

/** Parts that can be measured by themselves. */
export const UPDATE_PARTS = ['simulated', 'updates', 'restarts'] as const;

/** What is measured. */
export interface UpdateBenchOptions {
  /** Absent: all of them. */
  readonly only?: readonly string[];
  readonly sizes: readonly number[];
  /** Nodes of the simulated clusters. */
  readonly nodes: number;
  /** Tasks that the simulated updates replace at a time. */
  readonly parallelism: number;
  readonly rounds: number;
  /** Containers that are replaced on an engine, one after the other. */
  readonly replicas: number;
  /** Rounds on engines, after one that is thrown away. */
  readonly pairs: number;
  /** The same where programs are deaf to SIGTERM: each is mostly their grace, and takes a minute. */
  readonly deafPairs: number;
  /** Measure Swarm mode too, on an engine of its own. */
  readonly swarm: boolean;
  /** Rounds that Swarm mode, which has no limit to keep, takes part in, after the one that is thrown away. */
  readonly swarmRounds: number;
}

/** What is timed on engines: medians, and each contestant's time by the bare engine's in the same round. */
export interface EngineRow {
  readonly what: string;
  readonly rounds: number;
  readonly milliseconds: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, Ratio>>;
  readonly limit: number;
}

/** The whole. */
export interface UpdateBenchResult {
  readonly machine: Machine;
  readonly simulated: readonly SimulatedUpdateRow[];
  readonly engines: readonly EngineRow[];
}

const UPDATE_LIMIT = 1.15;
const RESTART_LIMIT = 1.3;

/** Measures. */
export async function benchUpdate(options: UpdateBenchOptions): Promise<UpdateBenchResult> {
  const machine = thisMachine();
  const wanted = (part: string) => options.only === undefined || options.only.includes(part);
  const simulated = wanted('simulated') ? await benchSimulatedUpdates(options) : [];
  const engines: EngineRow[] = [];
  if (wanted('updates') || wanted('restarts')) {
    await withEngines(options.swarm, async (first, second) => {
      for (const program of wanted('updates') ? (Object.keys(PROGRAMS) as Program[]) : [])
        engines.push(await updatesOn(first, second, program, options));
      if (wanted('restarts')) engines.push(await restartsOn(first, second, options));
    });
  }
  return { machine, simulated, engines };
}

/** The result for people. */
export function updateReport({ machine, simulated, engines }: UpdateBenchResult): readonly ReportPart[] {
  return [
    machineInWords(machine),
    ...(simulated.length > 0 ? [simulatedTable(simulated)] : []),
    ...(engines.length > 0 ? [engineTable(engines)] : []),
  ];
}

function simulatedTable(rows: readonly SimulatedUpdateRow[]): Table {
  return {
    headings: [
      'simulated update of',
      'rounds x updates',
      'virtual time',
      'ms a task',
      `by that of ${rows[0]?.tasks}`,
    ],
    rows: rows.map(({ tasks, rounds, updates, seconds, perTaskMs, ratio }) => [
      `${whole(tasks)} tasks`,
      `${rounds} x ${updates}`,
      `${seconds.toFixed(1)} s`,
      perTaskMs.toFixed(3),
      ratio.toFixed(2),
    ]),
  };
}

function engineTable(rows: readonly EngineRow[]): Table {
  const names = Object.keys(rows[0]?.milliseconds ?? {});
  const others = names.slice(1);
  return {
    headings: [
      'on an engine',
      'rounds',
      ...names.map((name) => `${name}, ms`),
      ...others.map((name) => `${name} / bare`),
      'limit',
    ],
    rows: rows.map((row) => [
      row.what,
      whole(row.rounds),
      ...names.map((name) => milliseconds(row.milliseconds[name] ?? Number.NaN)),
      ...others.map((name) => ratioText(row.ratios[name])),
      row.limit.toFixed(2),
    ]),
  };
}

async function withEngines(
  swarm: boolean,
  work: (first: PrivateEngine, second: PrivateEngine | undefined) => Promise<void>,
): Promise<void> {
  const first = await startPrivateEngine();
  try {
    const second = swarm ? await startPrivateEngine() : undefined;
    try {
      await work(first, second);
    } finally {
      await second?.dispose();
    }
  } finally {
    await first.dispose();
  }
}

async function updatesOn(
  first: PrivateEngine,
  second: PrivateEngine | undefined,
  program: Program,
  { replicas, pairs: others, deafPairs, swarmRounds }: UpdateBenchOptions,
): Promise<EngineRow> {
  const pairs = program === 'is deaf to SIGTERM' ? deafPairs : others;
  const parts = { replicas, program };
  const contestants: Updater[] = [await bareUpdater(first, parts), await skepUpdater(first, parts)];
  try {
    if (second) contestants.push(await swarmUpdater(second, parts));
    const runs = contestants.map(({ name, update }) => ({ name, run: update }));
    const what = `${replicas} replaced one by one, ${program}`;
    return rowOf(what, UPDATE_LIMIT, await rounds(runs, pairs, swarmRounds));
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

async function restartsOn(
  first: PrivateEngine,
  second: PrivateEngine | undefined,
  { pairs, swarmRounds }: UpdateBenchOptions,
): Promise<EngineRow> {
  const contestants: Restarter[] = [bareRestarter(first), await skepRestarter(first)];
  try {
    if (second) contestants.push(await swarmRestarter(second));
    const runs = contestants.map(({ name, restart }) => ({ name, run: restart }));
    return rowOf('a task that ended runs again', RESTART_LIMIT, await rounds(runs, pairs, swarmRounds));
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

/** A contestant's milliseconds, round by round. */
type Times = ReadonlyMap<string, readonly number[]>;

async function rounds(
  contestants: readonly { readonly name: string; readonly run: () => Promise<number> }[],
  count: number,
  swarmRounds: number,
): Promise<Times> {
  const times = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= count; round++) {
    // Whoever comes first in one round comes last in the next.
    for (const { name, run } of round % 2 === 0 ? contestants : [...contestants].reverse()) {
      if (name === SWARM && round > swarmRounds) continue;
      const took = await run();
      if (round > 0) times.get(name)?.push(took);
    }
  }
  return times;
}

function rowOf(what: string, limit: number, times: Times): EngineRow {
  const [base, ...others] = [...times];
  const bases = base?.[1] ?? [];
  const ratios = others.map(([name, took]) => {
    const each = took.map((milliseconds, round) => milliseconds / (bases[round] ?? Number.NaN));
    return [name, medianWithInterval(each)] as const;
  });
  return {
    what,
    rounds: bases.length,
    milliseconds: Object.fromEntries([...times].map(([name, took]) => [name, median(took)])),
    ratios: Object.fromEntries(ratios),
    limit,
  };
}
