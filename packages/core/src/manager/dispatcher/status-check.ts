/** Which reported statuses count, as pure functions: a node's word is taken for its own tasks, and only forward. */

import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Task, TaskPort, TaskStatus } from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import { isTerminal, TASK_STATES, type TaskState } from '../../model/task-state.ts';
import { workerCanMove } from '../../task/task-transitions.ts';

/** Longest text that a status may carry. */
const TEXT_MAX = 2_000;
/** Most ports that a status may carry. */
const PORTS_MAX = 1_000;

/** Why a report does not count. */
type RefusedReport = 'unknown-task' | 'not-its-task' | 'backwards' | 'nothing-new';

/** Whether this status, reported by this node, is news about the task. */
export function checkReport(
  nodeId: NodeId,
  task: Task | undefined,
  status: TaskStatus,
): 'news' | RefusedReport {
  if (!task) return 'unknown-task';
  if (task.nodeId !== nodeId) return 'not-its-task';
  if (status.state === task.status.state) return saysMore(task.status, status) ? 'news' : 'nothing-new';
  return workerCanMove(task.status.state, status.state) ? 'news' : 'backwards';
}

/** Another message in the same state is news; another time alone is not. */
function saysMore(before: TaskStatus, after: TaskStatus): boolean {
  return !plainEqual({ ...before, at: 0 }, { ...after, at: 0 });
}

const isText = (value: unknown): value is string => typeof value === 'string';
const shorten = (text: string) => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text);

/**
 * A report as it comes from a node, with nothing in it but what a status may hold, so that no agent can put into
 * state what others could not read.
 *
 * @returns undefined when it is no status at all.
 */
export function cleanStatus(status: TaskStatus): TaskStatus | undefined {
  const { state, at, message, error, exitCode, about, retryAt, runtime, cause } = status;
  if (!TASK_STATES.includes(state satisfies TaskState) || !Number.isFinite(at) || !isText(message))
    return undefined;
  if (error !== undefined && !isText(error)) return undefined;
  if (exitCode !== undefined && !Number.isInteger(exitCode)) return undefined;
  if (runtime !== undefined && !(isText(runtime.id) && Array.isArray(runtime.ports))) return undefined;
  const ports = runtime?.ports
    .slice(0, PORTS_MAX)
    .map(({ target, protocol, port }): TaskPort => ({ target, protocol, port }));
  return {
    state,
    at,
    message: shorten(message),
    ...(error === undefined ? {} : { error: shorten(error) }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(about === 'image' ? { about } : {}),
    ...(Number.isFinite(retryAt) ? { retryAt } : {}),
    // Any other cause is the managers' own to give.
    ...((cause === 'node-left' || cause === 'lease') && isTerminal(state) ? { cause } : {}),
    ...(runtime && ports ? { runtime: { id: shorten(runtime.id), ports } } : {}),
  };
}

/** About how many bytes a status takes in the log. */
export function statusBytes(_id: TaskId, status: TaskStatus): number {
  const { message, error = '', runtime } = status;
  // At worst three bytes a letter; a port is three short fields.
  return (
    80 + 3 * (message.length + error.length + (runtime?.id.length ?? 0)) + 40 * (runtime?.ports.length ?? 0)
  );
}
