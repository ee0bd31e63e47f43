/**
 * Weighs a cluster of many tasks: what the state with its indexes takes, what the scheduler's index takes beside it,
 * and what the log in memory would take, which is counted apart.
 *
 * Weighed is what is alive after full collections: the heap and the array buffers outside of it. The log keeps
 * nothing while the state is weighed; its share is the bytes of all payloads that were appended for the tasks.
 */

import { type Machine, thisMachine } from './harness/results.ts';
import { type Table, whole } from './harness/table.ts';
import { BenchCluster } from './scheduler/cluster.ts';
import { kindInWords, type Shape, sizeInWords } from './scheduler/shapes.ts';

/** Bytes a task, of a cluster in which all tasks are assigned. */
export interface MemoryResult extends Shape {
  readonly machine: Machine;
  /** State with its indexes, once all tasks are pending. */
  readonly pending: number;
  /** State with its indexes, once all tasks are assigned. */
  readonly assigned: number;
  /** The scheduler's index beside it. */
  readonly schedulerIndex: number;
  /** Payloads in the log, from the creation of the tasks on. */
  readonly log: number;
  /** The most memory that the process had, bytes: set-up, garbage and Node itself included. */
  readonly peakResidentBytes: number;
}

/** Weighs one shape. Needs `node --expose-gc`. */
export async function benchMemory(shape: Shape): Promise<MemoryResult> {
  const machine = thisMachine();
  const cluster = await BenchCluster.open(1);
  await cluster.addNodes(shape.nodes);
  const services = await cluster.addServices(shape);
  const empty = await aliveBytes();
  const loggedBefore = cluster.loggedBytes;
  await cluster.addPending(shape, services);
  const pending = await aliveBytes();
  cluster.runScheduler();
  await scheduleAll(cluster, shape.tasks);
  const withIndex = await aliveBytes();
  cluster.stopLoops();
  const assigned = await aliveBytes();
  const logged = cluster.loggedBytes - loggedBefore;
  const { maxRSS } = process.resourceUsage();
  const perTask = (bytes: number) => Math.round(bytes / shape.tasks);
  await cluster.close();
  return {
    ...shape,
    machine,
    pending: perTask(pending - empty),
    assigned: perTask(assigned - empty),
    schedulerIndex: perTask(withIndex - assigned),
    log: perTask(logged),
    peakResidentBytes: maxRSS * 1024,
  };
}

/** On its own, so that nothing of the scheduler is held when it is stopped. */
async function scheduleAll(cluster: BenchCluster, tasks: number): Promise<void> {
  const stop = cluster.letSchedule();
  await cluster.untilAssigned(tasks, () => cluster.wake());
  stop();
}

/** All results as one table. */
export function memoryTable(results: readonly MemoryResult[]): Table {
  return {
    headings: [
      'bytes a task',
      'asks',
      'state, pending',
      'state, assigned',
      'scheduler index',
      'both',
      'log payloads',
      'peak RSS MB',
    ],
    rows: results.map((result) => [
      sizeInWords(result),
      kindInWords(result),
      whole(result.pending),
      whole(result.assigned),
      whole(result.schedulerIndex),
      whole(result.assigned + result.schedulerIndex),
      whole(result.log),
      whole(result.peakResidentBytes / 1e6),
    ]),
  };
}

/** What is alive. Several times and a turn apart, since what one collection frees may be all that keeps another. */
async function aliveBytes(): Promise<number> {
  const collect = globalThis.gc;
  if (typeof collect !== 'function') throw new Error('weighing needs node --expose-gc');
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
