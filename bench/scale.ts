/**
 * Scales one service that has all of the tasks to nothing, or removes it, with every control loop of a leader running:
 * from the command until each task's desired state is `remove`, on the committed change feed. What counts is how long
 * the event loop is held up meanwhile.
 */

import type { ClusterEvent } from '../packages/core/src/events/event.ts';
import {
  removeService,
  scaledSpec,
  updateService,
} from '../packages/core/src/manager/api/service-commands.ts';
import type { Service } from '../packages/core/src/model/objects.ts';
import type { ChangeSet } from '../packages/core/src/state/change.ts';
import type { ClusterState } from '../packages/core/src/state/cluster-state.ts';
import { measurePauses, type PauseReport } from './harness/pauses.ts';
import { type Machine, thisMachine } from './harness/results.ts';
import { milliseconds, type Table, whole } from './harness/table.ts';
import { BenchCluster } from './scheduler/cluster.ts';

/** What is done to the service. */
export type ScaleDown = 'scaled to nothing' | 'removed';

/** What came of it. */
export interface ScaleResult {
  readonly machine: Machine;
  readonly nodes: number;
  readonly tasks: number;
  readonly how: ScaleDown;
  readonly milliseconds: number;
  readonly pauses: PauseReport;
}

/** Runs the benchmark. */
export async function benchScale(nodes: number, tasks: number, how: ScaleDown): Promise<ScaleResult> {
  const machine = thisMachine();
  const kinds = { constraints: false, reservations: false, preferences: false };
  const shape = { nodes, tasks, services: 1, ...kinds };
  const cluster = await BenchCluster.open();
  try {
    await cluster.addNodes(nodes);
    const [id] = await cluster.addServices(shape);
    const service = id === undefined ? undefined : cluster.ledger.head.service(id);
    if (!service) throw new Error('there is a service');
    cluster.runScheduler();
    await cluster.addPending(shape, [service.id]);
    cluster.letSchedule();
    await cluster.untilAssigned(tasks, () => cluster.wake());
    await cluster.runAllLoops();
    const { promise, stop } = untilRemoved(cluster, tasks);
    const endPauses = measurePauses();
    const start = performance.now();
    await cluster.apply(...eventsOf(how, service, cluster.ledger.head));
    await promise;
    const took = performance.now() - start;
    stop();
    return { machine, nodes, tasks, how, milliseconds: took, pauses: endPauses() };
  } finally {
    await cluster.close();
  }
}

function eventsOf(how: ScaleDown, service: Service, head: ClusterState): readonly ClusterEvent[] {
  return how === 'removed'
    ? removeService(head, service).events
    : updateService(head, service, { spec: scaledSpec(service.spec, 0) }).events;
}

function untilRemoved(cluster: BenchCluster, tasks: number): { promise: Promise<void>; stop: () => void } {
  let left = tasks;
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  const stop = cluster.ledger.onCommitted(({ changes }: ChangeSet) => {
    for (const { kind, before, after } of changes) {
      if (kind !== 'task' || before?.desiredState === 'remove') continue;
      if (after?.desiredState === 'remove') left -= 1;
    }
    if (left === 0) resolve();
  });
  return { promise, stop };
}

/** The result for people. */
export function scaleTable({ nodes, tasks, how, milliseconds: took, pauses }: ScaleResult): Table {
  const row = (name: string, { p50, p99, max }: PauseReport['wall']) => [
    name,
    ...[p50, p99, max].map(milliseconds),
  ];
  return {
    headings: [
      `${whole(tasks)} tasks on ${whole(nodes)} nodes, ${how}: ${whole(took)} ms; pauses of the event loop`,
      'p50 ms',
      'p99 ms',
      'max ms',
    ],
    rows: [
      row('by the clock', pauses.wall),
      ...(pauses.own ? [row('without the time for which others had the processor', pauses.own)] : []),
      ['the garbage collector, its longest piece', '', '', milliseconds(pauses.gc.longest)],
    ],
  };
}
