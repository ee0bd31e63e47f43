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
      for (const [at, stage] of stages.entries()) {
        // So many updates that each size has replaced as many tasks, as far as that goes.
        const updates = Math.min(20, Math.max(1, Math.round(largest / stage.tasks)));
        const measured = await measure(stage, updates);
        if (round > 0) all[at]?.push(measured);
      }
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

interface Round {
  readonly updates: number;
  readonly perTaskMs: number;
  readonly seconds: number;
}

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

async function measure(stage: Stage, updates: number): Promise<Round> {
  const { sim, tasks } = stage;
  const from = process.cpuUsage();
  const virtual = sim.clock.now();
  for (let update = 0; update < updates; update++) {
    stage.version += 1;
    await sim.run(sim.cluster.services.update('web', specOf(stage)));
    await sim.run(sim.cluster.services.waitFor('web', 'updated', { timeout: 86_400_000 }));
  }
  const { user, system } = process.cpuUsage(from);
  const perTaskMs = (user + system) / 1_000 / (updates * tasks);
  return { updates, perTaskMs, seconds: (sim.clock.now() - virtual) / 1_000 / updates };
}

function rowOf(tasks: number, rounds: readonly Round[], first: readonly Round[]): SimulatedUpdateRow {
  const ratios = rounds.map(({ perTaskMs }, at) => perTaskMs / (first[at]?.perTaskMs ?? Number.NaN));
  return {
    tasks,
    rounds: rounds.length,
    updates: rounds[0]?.updates ?? 0,
    perTaskMs: median(rounds.map(({ perTaskMs }) => perTaskMs)),
    seconds: median(rounds.map(({ seconds }) => seconds)),
    ratio: median(ratios),
  };
}
