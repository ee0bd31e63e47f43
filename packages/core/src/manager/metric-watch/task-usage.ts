/** What the tasks of a service use, asked of the agents that run them. */

import type { TaskStats } from '../../driver/runtime-driver.ts';
import { AbortedError } from '../../errors.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Service } from '../../model/objects.ts';
import { withDeadline } from '../../runtime/abort.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Lifetime } from '../../runtime/lifetime.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isHeldBack } from '../../state/update-standing.ts';
import { errorText } from '../../worker/bounded.ts';
import type { WorkerCalls } from '../../worker/dispatcher-port.ts';

/** Most tasks of one service that are asked about; of more, so many stand for all. */
export const ASKED_MAX = 500;

/** Most answers that are waited for at once, for one service. */
const ASKED_AT_ONCE = 64;

/** A task about which nothing was told by then is not heard of, milliseconds. Docker's answer takes a second or two. */
const ANSWER_MS = 5_000;

/** A task that is asked about. */
interface ServingTask {
  readonly id: TaskId;
  readonly nodeId: NodeId;
}

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
  /** How many were heard of; where some stood for all, how many those stand for. */
  readonly heard: number;
  /** Why one was not heard of, in words: that of the first. */
  readonly problem: string | undefined;
}

/** Asks for what the serving tasks of a service use. @throws the signal's reason, and nothing else */
export async function serviceUsage(
  parts: UsageParts,
  state: ClusterState,
  service: Service,
  metric: 'cpu' | 'memory',
  signal: AbortSignal,
): Promise<ServiceUsage> {
  signal.throwIfAborted();
  const lifetime = new Lifetime();
  const onAbort = () => lifetime.end(new AbortedError(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  // One listener on the signal, however many are asked: hosts take more for a leak.
  const found = await usageOf([...servingTasks(state, service)], metric, { ...parts, lifetime });
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  return found;
}

/** Never rejects. */
async function usageOf(
  serving: readonly ServingTask[],
  metric: 'cpu' | 'memory',
  { clock, worker, lifetime }: UsageParts & { readonly lifetime: Lifetime },
): Promise<ServiceUsage> {
  const waiting = spreadOver(serving, ASKED_MAX);
  const asked = waiting.length;
  let sum = 0;
  let heard = 0;
  let problem = asked === 0 ? 'none of its tasks runs' : undefined;
  const statsOf = ({ id, nodeId }: ServingTask): Promise<TaskStats> => {
    const calls = worker(nodeId);
    if (!calls) throw new Error(`node ${nodeId} is not connected now`);
    const ask = (signal: AbortSignal) => calls.stats(id, signal);
    return withDeadline(clock, { timeout: ANSWER_MS }, `what task ${id} uses`, ask, { lifetime });
  };
  const ask = async (): Promise<void> => {
    for (let task = waiting.pop(); task !== undefined && !lifetime.ended; task = waiting.pop()) {
      try {
        const value = usedOf(await statsOf(task), metric);
        if (!(Number.isFinite(value) && value >= 0))
          throw new Error(`the driver told ${value} of task ${task.id}`);
        sum += value;
        heard += 1;
      } catch (error) {
        problem ??= errorText(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, asked) }, ask));
  if (heard === 0) return { value: undefined, heard, problem };
  return { value: sum / heard, heard: Math.round((serving.length * heard) / asked), problem };
}

/** As many of them, all along. */
function spreadOver<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return items.filter(
    (_, at) => Math.floor((at * most) / items.length) !== Math.floor(((at - 1) * most) / items.length),
  );
}

function usedOf({ cpus, memoryBytes }: TaskStats, metric: 'cpu' | 'memory'): number {
  return metric === 'cpu' ? cpus : memoryBytes;
}

/** Those that run, are to run on, and may have traffic. */
function* servingTasks(state: ClusterState, service: Service): Generator<ServingTask, undefined, undefined> {
  for (const task of state.tasksOfService(service.id)) {
    const { nodeId } = task;
    if (task.status.state !== 'running' || task.desiredState !== 'running' || nodeId === undefined) continue;
    if (!isHeldBack(service, task.specVersion)) yield { id: task.id, nodeId };
  }
  return undefined;
}
