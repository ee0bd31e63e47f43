/**
 * Times the scheduler as it runs in a cluster.
 *
 * Scheduling, per run: from the moment the scheduler may decide, with all tasks pending, until the last assignment has
 * been decided, encoded, appended to the memory log, applied to the state, folded into the scheduler's index and
 * received on the committed change feed. Not timed: making nodes, services and pending tasks, and the index of a new
 * leader. `decisions/s` counts only the time inside `decide`, less the
 * time for which other programs had the processor. One run, of at most 10,000 tasks, is thrown away first.
 *
 * Losing a node, per node: from the transaction that says that it is down, with every control loop of a leader
 * running, until each of its tasks has a replacement that is assigned, on the committed change feed.
 */

import type { NodeId } from '../packages/core/src/model/ids.ts';
import { isMeantToRun } from '../packages/core/src/model/task-state.ts';
import { measurePauses, type PauseReport, type Pauses } from './harness/pauses.ts';
import { type Machine, thisMachine } from './harness/results.ts';
import { median } from './harness/statistics.ts';
import { type Assigned, BenchCluster } from './scheduler/cluster.ts';
import type { Shape } from './scheduler/shapes.ts';

/** How often a node is lost after each run. */
const LOSSES = 9;
/** Most tasks of the run that is thrown away. */
const WARM_UP_TASKS = 10_000;

/** What came of a shape: medians over the runs; of pauses the longest, over all runs. */
export interface SchedulerResult extends Shape {
  readonly machine: Machine;
  readonly runs: number;
  /** Pending to assigned, on the committed change feed. */
  readonly milliseconds: number;
  readonly tasksPerSecond: number;
  /** The same less the time for which other programs had the processor; on Linux. */
  readonly ownTasksPerSecond: number;
  /** The same by processor time, the garbage collector's threads included: what a busy machine says too. */
  readonly tasksPerCpuSecond: number;
  readonly decisionsPerSecond: number;
  /** Changes of objects received on the committed change feed. */
  readonly eventsPerSecond: number;
  readonly transactions: number;
  readonly longestDecisionMs: number;
  readonly pauses: PauseReport;
  readonly loss: LossResult;
}

/** One node of all goes down. */
export interface LossResult {
  /** Tasks that the node had. */
  readonly tasks: number;
  /** Until all have a replacement that is assigned: the median of all losses, and the worst. */
  readonly milliseconds: number;
  readonly worstMs: number;
  /** The median less the time for which other programs had the processor. */
  readonly ownMs: number;
}

interface Run extends Assigned {
  readonly cpuMs: number;
  readonly decideMs: number;
  readonly longestMs: number;
  readonly pauses: PauseReport;
  readonly losses: readonly Loss[];
}

interface Loss {
  readonly tasks: number;
  readonly milliseconds: number;
  readonly ownMilliseconds: number;
}

/** Runs the benchmark for one shape. */
export async function benchScheduler(shape: Shape, runs: number): Promise<SchedulerResult> {
  const machine = thisMachine();
  await runOnce(warmUp(shape));
  const all: Run[] = [];
  for (let run = 0; run < runs; run++) all.push(await runOnce(shape));
  const of = (pick: (run: Run) => number) => median(all.map(pick));
  const losses = all.flatMap((run) => run.losses);
  return {
    ...shape,
    machine,
    runs,
    milliseconds: of((run) => run.milliseconds),
    tasksPerSecond: Math.round(of((run) => (shape.tasks / run.milliseconds) * 1_000)),
    ownTasksPerSecond: Math.round(of((run) => (shape.tasks / run.ownMilliseconds) * 1_000)),
    tasksPerCpuSecond: Math.round(of((run) => (shape.tasks / run.cpuMs) * 1_000)),
    decisionsPerSecond: Math.round(of((run) => (shape.tasks / run.decideMs) * 1_000)),
    eventsPerSecond: Math.round(of((run) => (run.changes / run.milliseconds) * 1_000)),
    transactions: of((run) => run.transactions),
    longestDecisionMs: Math.max(...all.map((run) => run.longestMs)),
    pauses: together(all.map((run) => run.pauses)),
    loss: {
      tasks: median(losses.map(({ tasks }) => tasks)),
      milliseconds: median(losses.map(({ milliseconds }) => milliseconds)),
      ownMs: median(losses.map(({ ownMilliseconds }) => ownMilliseconds)),
      worstMs: Math.max(...losses.map(({ milliseconds }) => milliseconds)),
    },
  };
}

/** A smaller cluster with tasks that ask the same. */
function warmUp(shape: Shape): Shape {
  const share = Math.min(1, WARM_UP_TASKS / shape.tasks);
  const shrunk = (count: number) => Math.max(1, Math.round(count * share));
  return {
    ...shape,
    nodes: Math.min(shape.nodes, 1_000),
    tasks: shrunk(shape.tasks),
    services: shrunk(shape.services),
  };
}

/** One run on a cluster of its own. */
async function runOnce(shape: Shape): Promise<Run> {
  const cluster = await BenchCluster.open();
  try {
    const nodes = await cluster.addNodes(shape.nodes);
    const services = await cluster.addServices(shape);
    await cluster.runLoadedScheduler();
    await cluster.addPending(shape, services);
    const endPauses = measurePauses();
    const cpuBefore = process.cpuUsage();
    const stop = cluster.letSchedule();
    const assigned = await cluster.untilAssigned(shape.tasks, () => cluster.wake());
    const cpu = process.cpuUsage(cpuBefore);
    const { decideMs, longestMs } = stop();
    const pauses = endPauses();
    const losses = await loseNodes(cluster, nodes);
    return { ...assigned, cpuMs: (cpu.user + cpu.system) / 1_000, decideMs, longestMs, pauses, losses };
  } finally {
    await cluster.close();
  }
}

/** Loses one node after the other. The first loss is thrown away: by it the kept orders are made. */
async function loseNodes(cluster: BenchCluster, nodes: readonly NodeId[]): Promise<Loss[]> {
  const stop = cluster.letSchedule();
  await cluster.runAllLoops();
  const losses: Loss[] = [];
  const step = Math.max(1, Math.floor(nodes.length / (LOSSES + 1)));
  for (let loss = 0; loss <= LOSSES && loss * step < nodes.length - 1; loss++) {
    const id = nodes[loss * step];
    if (id === undefined) break;
    const tasks = [...cluster.ledger.head.tasksOfNode(id)].filter((task) => isMeantToRun(task.desiredState));
    if (tasks.length === 0) continue;
    const { milliseconds, ownMilliseconds } = await cluster.untilAssigned(tasks.length, () =>
      cluster.apply({ type: 'node.status', state: 'down', message: 'lost', ids: [id] }),
    );
    losses.push({ tasks: tasks.length, milliseconds, ownMilliseconds });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop();
  return losses.length > 1 ? losses.slice(1) : losses;
}

/** The longest of each. */
function together(reports: readonly PauseReport[]): PauseReport {
  const longest = (pick: (report: PauseReport) => Pauses | undefined): Pauses | undefined => {
    const all = reports.flatMap((report) => pick(report) ?? []);
    if (all.length === 0) return undefined;
    return {
      p50: median(all.map(({ p50 }) => p50)),
      p99: median(all.map(({ p99 }) => p99)),
      max: Math.max(...all.map(({ max }) => max)),
    };
  };
  return {
    wall: longest((report) => report.wall) ?? { p50: 0, p99: 0, max: 0 },
    own: longest((report) => report.own),
    gc: {
      total: median(reports.map(({ gc }) => gc.total)),
      longest: Math.max(...reports.map(({ gc }) => gc.longest)),
    },
  };
}
