/** What the tasks of a service use, asked of the agents that run them. */

import type { TaskStats } from '../../driver/runtime-driver.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Service, Task } from '../../model/objects.ts';
import { type WaitOptions, withDeadline } from '../../runtime/abort.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isHeldBack } from '../../state/update-standing.ts';
import { errorText } from '../../worker/bounded.ts';
import type { WorkerCalls } from '../../worker/dispatcher-port.ts';

/** Most agents' answers that are waited for at once, for one service. */
const ASKED_AT_ONCE = 64;

/** An agent that has not answered by then is not heard of, milliseconds. Docker's answer takes a second or two. */
const ANSWER_MS = 5_000;

/** What is asked with. */
export interface UsageParts {
  readonly clock: Clock;
  /** The agent of a node, where it has a session. */
  readonly worker: (nodeId: NodeId) => Pick<WorkerCalls, 'stats'> | undefined;
}

/** What was heard. */
export interface ServiceUsage {
  /** Of the average task that was heard of; undefined when none was. */
  readonly value: number | undefined;
  readonly heard: number;
  /** Why one was not heard of, in words: that of the first. */
  readonly problem: string | undefined;
}

/** Asks for what the serving tasks of a service use. Never rejects but by the signal. */
export async function serviceUsage(
  { clock, worker }: UsageParts,
  state: ClusterState,
  service: Service,
  metric: 'cpu' | 'memory',
  signal: AbortSignal,
): Promise<ServiceUsage> {
  const waiting = [...servingTasks(state, service)];
  let sum = 0;
  let heard = 0;
  let problem = waiting.length === 0 ? 'none of its tasks runs' : undefined;
  const ask = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { id, nodeId } = next;
      try {
        const calls = worker(nodeId);
        if (!calls) throw new Error(`node ${nodeId} is not connected now`);
        const value = usedOf(await within(clock, { signal, timeout: ANSWER_MS }, calls, id), metric);
        if (!(Number.isFinite(value) && value >= 0))
          throw new Error(`the driver told ${value} of task ${id}`);
        sum += value;
        heard += 1;
      } catch (error) {
        signal.throwIfAborted();
        problem ??= errorText(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, waiting.length) }, ask));
  return { value: heard === 0 ? undefined : sum / heard, heard, problem };
}

function within(
  clock: Clock,
  options: WaitOptions,
  calls: Pick<WorkerCalls, 'stats'>,
  id: TaskId,
): Promise<TaskStats> {
  return withDeadline(clock, options, `what task ${id} uses`, (signal) => calls.stats(id, signal));
}

function usedOf({ cpus, memoryBytes }: TaskStats, metric: 'cpu' | 'memory'): number {
  return metric === 'cpu' ? cpus : memoryBytes;
}

/** Those that run, are to run on, and may have traffic. */
function* servingTasks(
  state: ClusterState,
  service: Service,
): Generator<Task & { readonly nodeId: NodeId }, undefined, undefined> {
  for (const task of state.tasksOfService(service.id)) {
    const { nodeId } = task;
    if (task.status.state !== 'running' || task.desiredState !== 'running' || nodeId === undefined) continue;
    if (!isHeldBack(service, task.specVersion)) yield { ...task, nodeId };
  }
  return undefined;
}
