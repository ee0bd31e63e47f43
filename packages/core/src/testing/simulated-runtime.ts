/**
 * One runtime on a simulated host: all that the host keeps of it, and what tests get to see. It does nothing; the host
 * changes it.
 */

import type { LogChunk, RuntimeTask, TaskExit } from '../driver/runtime-driver.ts';
import type { ClusterId, NodeId, TaskId } from '../model/ids.ts';
import type { TaskPort } from '../model/objects.ts';
import type { SimulatedBehaviour } from './simulated-behaviour.ts';

/** A task's runtime as tests look at it. */
export interface SimulatedRuntime {
  readonly id: TaskId;
  readonly task: RuntimeTask;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly state: 'created' | 'running' | 'ended';
  readonly ports: readonly TaskPort[];
  /** How often it was really started. More than 1 is a broken promise. */
  readonly starts: number;
  /** Monotonic, by the host's clock. */
  readonly startedAt?: number;
  /** Stop signals that reached it. */
  readonly stopSignals: number;
  readonly exit?: TaskExit;
}

/** The whole inside of one runtime. */
export interface RuntimeRecord {
  readonly task: RuntimeTask;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly behaviour: SimulatedBehaviour;
  readonly ports: readonly TaskPort[];
  readonly logs: LogChunk[];
  readonly cancels: (() => void)[];
  state: 'created' | 'running' | 'ended';
  starts: number;
  startedAt: number | undefined;
  stopSignals: number;
  exit: TaskExit | undefined;
  healthy: boolean | undefined;
}

/** The runtime as it is now; later changes do not show in it. */
export function viewOf(runtime: RuntimeRecord): SimulatedRuntime {
  const { task, clusterId, nodeId, state, ports, starts, stopSignals, startedAt, exit } = runtime;
  return {
    id: task.id,
    task,
    clusterId,
    nodeId,
    state,
    ports,
    starts,
    stopSignals,
    ...(startedAt !== undefined && { startedAt }),
    ...(exit !== undefined && { exit }),
  };
}
