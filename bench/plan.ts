/**
 * What a plan costs: `cluster.plan` on a built state, from the call to the answer, in slices on the real event loop.
 * Nothing else is going on, and nothing is written.
 */

import { planOn } from '../packages/core/src/cluster/plan.ts';
import { drain, lose, type Plannable, scale } from '../packages/core/src/manager/planner/plan-action.ts';
import { Lifetime } from '../packages/core/src/runtime/lifetime.ts';
import { systemClock } from '../packages/core/src/runtime/system-clock.ts';
import type { ClusterState } from '../packages/core/src/state/cluster-state.ts';
import { aCluster } from '../packages/core/src/testing/state-builder.ts';
import { measurePauses } from './harness/pauses.ts';
import { ownTime } from './harness/processor-waits.ts';
import { median } from './harness/statistics.ts';
import { milliseconds, type Table, whole } from './harness/table.ts';

/** What came of one kind of plan: medians over the runs, and the longest pause of all. */
export interface PlanResult {
  readonly what: string;
  readonly nodes: number;
  readonly tasks: number;
  readonly placements: number;
  /** By the wall clock. */
  readonly milliseconds: number;
  /** Less the time for which other programs had the processor. */
  readonly ownMilliseconds: number;
  readonly longestPauseMs: number;
}

/** Runs each plan, after one run that is thrown away. */
export async function benchPlan(options: {
  readonly nodes: number;
  readonly tasks: number;
  readonly runs: number;
}): Promise<PlanResult[]> {
  const { nodes, tasks } = options;
  const spec = { name: 'new', task: { image: 'image' }, replicas: tasks };
  const empty = aCluster().withNodes(nodes).state;
  const ids = Array.from({ length: nodes }, (_, n) => `node-${n + 1}`);
  const full = aCluster()
    .withNodes(nodes)
    .withService({ name: 'web', replicas: tasks, update: { parallelism: 100 } })
    .withTasks('web', tasks, { nodes: ids, state: 'running' }).state;
  const plans: readonly (readonly [string, ClusterState, Plannable])[] = [
    ['a new service', empty, spec],
    ['twice the replicas', full, scale('web', 2 * tasks)],
    ['a node drained', full, drain('node-1')],
    ['a node lost', full, lose('node-1')],
  ];
  const results: PlanResult[] = [];
  for (const [what, state, plannable] of plans) {
    results.push({ what, nodes, tasks, ...(await measure(state, plannable, options.runs)) });
  }
  return results;
}

async function measure(state: ClusterState, plannable: Plannable, runs: number) {
  const digest = () => 'none';
  const control = { state, clock: systemClock, lifetime: new Lifetime(), digest };
  const noPast = () => Promise.reject(new Error('there is no past here'));
  const wall: number[] = [];
  const own: number[] = [];
  let longestPauseMs = 0;
  let placements = 0;
  for (let run = 0; run <= runs; run++) {
    const pauses = measurePauses();
    const start = performance.now();
    const took = ownTime();
    const plan = await planOn(control, noPast, plannable, {});
    const ownMs = took();
    const ms = performance.now() - start;
    const seen = pauses();
    placements = plan.placements.length;
    if (run === 0) continue;
    wall.push(ms);
    own.push(ownMs);
    longestPauseMs = Math.max(longestPauseMs, (seen.own ?? seen.wall).max);
  }
  return { placements, milliseconds: median(wall), ownMilliseconds: median(own), longestPauseMs };
}

/** The results for people. */
export function planTable(results: readonly PlanResult[]): Table {
  return {
    headings: ['plan', 'nodes', 'tasks', 'placements', 'ms', 'ms, own time', 'longest pause, ms, own time'],
    rows: results.map((result) => [
      result.what,
      whole(result.nodes),
      whole(result.tasks),
      whole(result.placements),
      milliseconds(result.milliseconds),
      milliseconds(result.ownMilliseconds),
      milliseconds(result.longestPauseMs),
    ]),
  };
}
