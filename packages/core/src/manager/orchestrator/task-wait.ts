/**
 * Why a task that is to live has not been started (again) yet, in words and as a code, with when it will be tried next.
 * Pure, and always of now: it is read off the state, not kept. What waits for a node is explained by the scheduler.
 */

import type { Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { mayBeAtWork } from './node-validity.ts';
import { pullRetryAt } from './restart.ts';
import { type StartWait, startWaits } from './start-order/conditions.ts';

const PULL_REMEDY = 'the image can be fetched: check its name, the registry and the credentials';

/** Why a task waits. */
export interface TaskWait {
  readonly code:
    | StartWait['code']
    /** Its predecessor failed: the restart policy's delay. */
    | 'restart-back-off'
    /** Its image could not be fetched. */
    | 'pull-back-off'
    /** Its agent tries a step again that failed. */
    | 'step-back-off'
    /** The task before it in its slot may still be at work. */
    | 'predecessor-stopping';
  /** In words. */
  readonly message: string;
  /** When it is tried next; milliseconds since 1970. Absent: when what it waits for comes about. */
  readonly retryAt?: number;
  /** Failures in a row that led to it. */
  readonly failures?: number;
  /** What would end the wait. */
  readonly remedy: string;
}

/** Why the task waits; undefined: it does not, or for a node, or it has ended for good. */
export function taskWait(state: ClusterState, task: Task): TaskWait | undefined {
  if (!isMeantToRun(task.desiredState)) return undefined;
  if (isTerminal(task.status.state)) return pullWait(task);
  return stepWait(task) ?? (task.desiredState === 'ready' ? startWait(state, task) : undefined);
}

function startWait(state: ClusterState, task: Task): TaskWait | undefined {
  const before = task.replaces === undefined ? undefined : state.task(task.replaces);
  if (before && mayBeAtWork(before, state)) {
    return {
      code: 'predecessor-stopping',
      message: 'task waits for the one before it to stop',
      remedy: `task ${before.id} stops; it is waited for a minute at most`,
    };
  }
  if (task.startAfter > state.at) return backOff(task, before);
  if (!task.awaitsDependencies) return undefined;
  const service = state.service(task.serviceId);
  const [wait] = service ? startWaits(state, service) : [];
  return wait && { code: wait.code, message: wait.message, remedy: wait.remedy };
}

/** Its image could not be fetched: another task takes its place in time. */
function pullWait(task: Task): TaskWait | undefined {
  const retry = pullRetryAt(task);
  if (!retry) return undefined;
  return {
    code: 'pull-back-off',
    message: `image pull waits until ${untilInWords(retry.at, retry.failures)} after: ${endInWords(task)}`,
    retryAt: retry.at,
    failures: retry.failures,
    remedy: PULL_REMEDY,
  };
}

function backOff({ startAfter, restarts }: Task, before: Task | undefined): TaskWait {
  const failures = restarts?.failures ?? 0;
  const after = before ? ` after: ${endInWords(before)}` : '';
  return {
    code: 'restart-back-off',
    message: `restart waits until ${untilInWords(startAfter, failures)}${after}`,
    retryAt: startAfter,
    ...(failures > 0 ? { failures } : {}),
    remedy: 'the task stays up: see its output for why it ended',
  };
}

function untilInWords(at: number, failures: number): string {
  return `${new Date(at).toISOString()}${failures > 1 ? ` (${failures} failures in a row)` : ''}`;
}

function endInWords({ status: { state, error, message } }: Task): string {
  return `task ${state}: ${error ?? message}`;
}

/** A step that its agent tries again. */
function stepWait({ status }: Task): TaskWait | undefined {
  const { retryAt, about, message, error } = status;
  if (retryAt === undefined || status.state === 'running') return undefined;
  return {
    code: about === 'image' ? 'pull-back-off' : 'step-back-off',
    message: error === undefined ? message : `${message}: ${error}`,
    retryAt,
    remedy: about === 'image' ? PULL_REMEDY : 'the node can do it: see the error',
  };
}
