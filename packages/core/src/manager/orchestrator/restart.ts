/**
 * The restart supervisor: whether, when and with which memory a task is replaced in its slot. Pure functions that
 * both orchestrators use. Everything derives from the rows of the tasks and the leader's time, so that a new leader
 * goes on with what is left of a delay and keeps count of attempts.
 *
 * Semantics are Swarm's (condition, delay, attempts, window, a minute for the old task to stop), with two additions:
 * the delay may back off exponentially, and what happens to a node (its loss, its draining, a change that makes it
 * unfit) is no failure of the task.
 */

import type { CreatedTask } from '../../events/event.ts';
import type { Node, RestartHistory, Service, Task, TaskStatus } from '../../model/objects.ts';
import type { RestartPolicy } from '../../model/task-spec.ts';
import { isTerminal } from '../../model/task-state.ts';
import { keepsPrevious } from '../../state/update-standing.ts';
import { isInvalidNode, mayBeAtWork, type NodeLookup } from './node-validity.ts';

/** How long a new task waits for the old one in its slot to stop, milliseconds. Swarm's `TaskTimeout`. */
export const OLD_TASK_TIMEOUT_MS = 60_000;

/** A new task before it has an id. */
export type Replacement = Omit<CreatedTask, 'id'>;

/** The task came to its end by itself: neither was it told to stop, nor did its node change under it or get lost. */
export function endedByItself({ state, cause }: TaskStatus): boolean {
  return cause === undefined && (state === 'complete' || state === 'failed' || state === 'rejected');
}

/** Its agent ended it, and nothing was wrong with it. */
function isAgentsDoing(cause: TaskStatus['cause']): boolean {
  return cause === 'node-left' || cause === 'lease';
}

/**
 * Whether the task's restart policy allows another task in its place. Attempts count only for a task that ended by
 * itself, up to the time at which its end was committed, so the answer does not change as time passes.
 */
export function mayRestart(task: Task): boolean {
  const policy = task.spec.restart;
  const { state, cause } = task.status;
  // Its agent took it along in leaving, or had to stop it: as with the loss of a node, the task itself has not ended.
  if (isAgentsDoing(cause)) return true;
  if (policy.condition === 'none') return false;
  // What a job's task is there for is to complete.
  if (state === 'complete' && (policy.condition === 'on-failure' || task.jobIteration !== undefined))
    return false;
  if (policy.maxAttempts === 0 || !endedByItself(task.status)) return true;
  return attemptsWithin(policy, task.restarts, task.statusAppliedAt).length < policy.maxAttempts;
}

/** The restarts that count against `maxAttempts` at this time, oldest first. */
function attemptsWithin(
  policy: RestartPolicy,
  history: RestartHistory | undefined,
  at: number,
): readonly number[] {
  const times = history?.times ?? [];
  return policy.windowMs === 0 ? times : times.filter((time) => time > at - policy.windowMs);
}

/**
 * Failures in a row, the end of this task included. Success ends the row, and so does having run for `resetAfterMs`;
 * the time before it ran does not count.
 */
function failuresInARow(task: Task): number {
  const before = task.restarts?.failures ?? 0;
  const { state } = task.status;
  if (state === 'complete') return 0;
  if (!endedByItself(task.status)) return before;
  const { runningSince, statusAppliedAt } = task;
  const reset =
    runningSince !== undefined && statusAppliedAt - runningSince >= task.spec.restart.resetAfterMs;
  return (reset ? 0 : before) + 1;
}

/**
 * The delay before a replacement starts, milliseconds. Exponential: `delayMs` doubled with each failure in a row
 * beyond the first, up to `maxDelayMs`, and never less than `delayMs`.
 */
function restartDelayMs(policy: RestartPolicy, failures: number): number {
  if (policy.backoff === 'fixed' || failures <= 1) return policy.delayMs;
  const doubled = policy.delayMs * 2 ** Math.min(failures - 1, 40);
  return Math.max(policy.delayMs, Math.min(doubled, policy.maxDelayMs));
}

/** After the first time that an image could not be fetched, milliseconds; then thrice as long each time. */
const PULL_DELAY_MS = 15_000;
const PULL_DELAY_FACTOR = 3;
/** The longest, unless the policy's own delay is longer. */
const PULL_DELAY_MS_MAX = 900_000;

/**
 * The delay after an image could not be fetched. It grows faster than after other failures, and under every policy:
 * registries shut out a whole address for a loop of pulls.
 */
function pullDelayMs({ delayMs }: RestartPolicy, failures: number): number {
  const grown = PULL_DELAY_MS * PULL_DELAY_FACTOR ** Math.min(Math.max(failures - 1, 0), 10);
  return Math.max(delayMs, Math.min(grown, PULL_DELAY_MS_MAX));
}

/**
 * Of a task that ended since its image could not be fetched: when another takes its place. That one is not made before,
 * since a node fetches the image of a task as soon as it has it. Undefined for all others.
 */
export function pullRetryAt(task: Task): { readonly at: number; readonly failures: number } | undefined {
  if (task.status.about !== 'image' || !endedByItself(task.status) || !mayRestart(task)) return undefined;
  const failures = failuresInARow(task);
  return { at: task.statusAppliedAt + pullDelayMs(task.spec.restart, failures), failures };
}

/**
 * The task that takes the place of one that ended or must leave its node; `undefined` when the policy says no.
 *
 * @param slot All tasks of the slot, oldest first.
 */
export function restartOf(
  old: Task,
  slot: readonly Task[],
  service: Service,
  nodes: NodeLookup,
  at: number,
): Replacement | undefined {
  if (!mayRestart(old)) return undefined;
  const failures = failuresInARow(old);
  const nodeLost = old.nodeId !== undefined && isInvalidNode(nodes.node(old.nodeId));
  const { state, cause } = old.status;
  const noFault = nodeLost || state === 'orphaned' || isAgentsDoing(cause);
  // Another node's turn comes at once after a loss; after a change of the node, when the first delay is over.
  const counted = cause === undefined ? failures : 0;
  // After a pull that failed, the delay was waited for already.
  const isWaited = noFault || old.status.about === 'image';
  const delayMs = isWaited ? 0 : restartDelayMs(old.spec.restart, counted);
  // What has not waited to its end goes on waiting in the new task.
  const startAfter = isTerminal(state) ? at + delayMs : Math.max(at, old.startAfter);
  const isPrevious = keepsPrevious(service) && old.specVersion === service.previousSpecVersion;
  const isOfVersion = isPrevious || old.specVersion === service.specVersion;
  const restarts = isOfVersion ? nextHistory(old, failures, at) : undefined;
  return {
    ...replacementOf(old, slot, nodes, at, startAfter),
    ...(restarts === undefined ? {} : { restarts }),
  };
}

function nextHistory(old: Task, failures: number, at: number): RestartHistory | undefined {
  const policy = old.spec.restart;
  if (!endedByItself(old.status)) return old.restarts;
  if (policy.maxAttempts === 0) return { failures, times: [] };
  return { failures, times: [...attemptsWithin(policy, old.restarts, at), at].slice(-policy.maxAttempts) };
}

/**
 * A task in the place of another, whatever the reason. It begins as `ready` when it has to wait: for its time, or
 * for tasks of the slot that may still be at work.
 *
 * @param slot Those of the slot that are not to run on beside it, oldest first.
 */
export function replacementOf(
  old: Task,
  slot: readonly Task[],
  nodes: NodeLookup,
  at: number,
  startAfter = at,
): Replacement {
  const mustWait = startAfter > at || slot.some((task) => mayBeAtWork(task, nodes));
  return {
    slot: old.slot,
    ...(old.slot === 0 && old.nodeId !== undefined ? { nodeId: old.nodeId } : {}),
    replaces: old.id,
    ...(old.jobIteration === undefined ? {} : { jobIteration: old.jobIteration }),
    ...(mustWait ? { startAfter } : {}),
  };
}

/**
 * When a task that was made as `ready` is to start: at once (`undefined`), or not before this time. It starts when
 * its delay is over and nothing older in the slot can be at work any more, or a minute after it was made, since
 * that is when the older ones were told to stop.
 */
export function startsAt(
  task: Task,
  slot: readonly Task[],
  nodes: NodeLookup,
  at: number,
): number | undefined {
  if (task.startAfter > at) return task.startAfter;
  const others = slot.filter((other) => other.id !== task.id && mayBeAtWork(other, nodes));
  if (others.length === 0) return undefined;
  // One that was prepared first: the old ones were told then, or once the service could spare them.
  const since = task.status.state === 'ready' ? task.statusAppliedAt : task.createdAt;
  const told = others.map(({ leaving }) => leaving?.since ?? 0);
  const patience = Math.max(since, ...told) + OLD_TASK_TIMEOUT_MS;
  return patience <= at ? undefined : patience;
}

/** A task that ended before its own delayed start: it is replaced only then, or the delay would be none. */
export function restartsAt(task: Task, at: number): number | undefined {
  return isTerminal(task.status.state) && task.desiredState === 'ready' && task.startAfter > at
    ? task.startAfter
    : undefined;
}

/** The node of a task, if it has one and the node is there. */
export function nodeOf(task: Task, nodes: NodeLookup): Node | undefined {
  return task.nodeId === undefined ? undefined : nodes.node(task.nodeId);
}
