/**
 * What an update costs the orchestrator by its size: whole clusters under virtual time, managers, agents, dispatcher and
 * all, so that nothing is waited for and all time is work. The same policy and the same nodes for every size.
 */

import type { ServiceSpecInput } from '@skep/core';
import { SimulatedCluster } from '../../packages/simulator/src/index.ts';
import { median } from '../harness/statistics.ts';

/** What is measured. */
export interface SimulatedUpdateOptions {
  /** Tasks of the service; the first is what the others are compared with. */
  readonly sizes: readonly number[];
  readonly nodes: number;
  readonly parallelism: number;
  /** Rounds, after one that is thrown away. */
  readonly rounds: number;
}

/** One size: processor time in milliseconds, helper threads included. */
export interface SimulatedUpdateRow {
  readonly tasks: number;
  readonly rounds: number;
  readonly updates: number;
  /** Median of the rounds. */
  readonly perTaskMs: number;
  /** Virtual seconds of one update. */
  readonly seconds: number;
  /** By the first size's, in the same round: median. */
  readonly ratio: number;
}

/** Measures. */
export async function benchSimulatedUpdates(
  options: SimulatedUpdateOptions,
): Promise<readonly SimulatedUpdateRow[]> {
  const stages: Stage[] = [];
  try {
    for (const tasks of options.sizes) stages.push(await stageOf(tasks, options));
    const largest = Math.max(...options.sizes);
    const all: Round[][] = options.sizes.map(() => []);
    for (let round = 0; round <= options.rounds; round++) {
      const measured = options.sizes.map(() => NOTHING);
      // There and back again, so that a machine that grows busier meanwhile is as busy for each size.
      const there = [...stages.keys()];
      for (const [way, order] of [there, [...there].reverse()].entries()) {
        for (const at of order) {
          const stage = stages[at] as Stage;
          // So many updates that each size has replaced as many tasks, as far as that goes.
          const updates = Math.min(20, Math.max(1, Math.round(largest / stage.tasks)));
          const share = way === 0 ? Math.ceil(updates / 2) : Math.floor(updates / 2);
          measured[at] = await measure(stage, share, measured[at]);
        }
      }
      if (round > 0) for (const [at, each] of measured.entries()) all[at]?.push(each);
    }
    return stages.map(({ tasks }, at) => rowOf(tasks, all[at] ?? [], all[0] ?? []));
  } finally {
    for (const { sim } of stages) await sim.close();
  }
}

interface Stage {
  readonly sim: SimulatedCluster;
  readonly tasks: number;
  readonly parallelism: number;
  version: number;
}

/** What the updates of one round took, all together. */
interface Round {
  readonly updates: number;
  readonly tasks: number;
  readonly cpuMs: number;
  readonly virtualMs: number;
}

const NOTHING: Round = { updates: 0, tasks: 0, cpuMs: 0, virtualMs: 0 };

async function stageOf(
  tasks: number,
  { nodes, parallelism }: Pick<SimulatedUpdateOptions, 'nodes' | 'parallelism'>,
): Promise<Stage> {
  const sim = await SimulatedCluster.open({ managers: 1, workers: nodes, seed: 1 });
  const stage = { sim, tasks, parallelism, version: 0 };
  await sim.run(sim.cluster.services.create(specOf(stage)));
  await sim.until(() => sim.cluster.services.status('web').converged);
  return stage;
}

function specOf({ tasks, parallelism, version }: Stage): ServiceSpecInput {
  const update = { parallelism, monitorMs: 0 };
  return { name: 'web', replicas: tasks, update, task: { image: `v${version}` } };
}

async function measure(stage: Stage, updates: number, before = NOTHING): Promise<Round> {
  const { sim, tasks } = stage;
  const from = process.cpuUsage();
  const virtual = sim.clock.now();
  for (let update = 0; update < updates; update++) {
    stage.version += 1;
    await sim.run(sim.cluster.services.update('web', specOf(stage)));
    await sim.run(sim.cluster.services.waitFor('web', 'updated', { timeout: 86_400_000 }));
  }
  const { user, system } = process.cpuUsage(from);
  return {
    updates: before.updates + updates,
    tasks: before.tasks + updates * tasks,
    cpuMs: before.cpuMs + (user + system) / 1_000,
    virtualMs: before.virtualMs + sim.clock.now() - virtual,
  };
}

const perTask = ({ cpuMs, tasks }: Round) => cpuMs / tasks;

function rowOf(tasks: number, rounds: readonly Round[], first: readonly Round[]): SimulatedUpdateRow {
  const ratios = rounds.map((round, at) => perTask(round) / perTask(first[at] ?? NOTHING));
  return {
    tasks,
    rounds: rounds.length,
    updates: rounds[0]?.updates ?? 0,
    perTaskMs: median(rounds.map(perTask)),
    seconds: median(rounds.map(({ virtualMs, updates }) => virtualMs / 1_000 / updates)),
    ratio: median(ratios),
  };
}
