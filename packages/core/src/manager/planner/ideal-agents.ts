/**
 * Agents as a plan takes them: every task comes to where it should be, at once and without a fault. They stand in for
 * the nodes in a rehearsal, where orchestrators wait for a task's start or end. Nobody waits for the start of a task
 * that replaces none, so nothing is told of those.
 */

import type { ClusterEvent } from '../../events/event.ts';
import type { TaskId } from '../../model/ids.ts';
import type { Task, TaskStatus } from '../../model/objects.ts';
import { isMeantToRun, isTerminal, type TaskState, taskStateRank } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { ROWS_PER_TRANSACTION } from '../control-loop.ts';

/** Rows that one look at a state passes by. */
const ROWS_PER_LOOK = 8_192;

/** All agents of a cluster. */
export class IdealAgents {
  readonly #due = new Set<TaskId>();

  /** Takes over what was under way. @yields after each piece of work */
  *begin({ roots }: ClusterState): Generator<undefined, undefined, undefined> {
    const { rows } = roots.tasks;
    for (let from = 0; from < rows.length; from += ROWS_PER_LOOK) {
      const note = (task: Task): void => this.#note(task);
      rows.forEach(note, from, Math.min(rows.length, from + ROWS_PER_LOOK));
      yield;
    }
  }

  observe(changes: ChangeSet): void {
    for (const change of changes.changes)
      if (change.kind === 'task' && change.after) this.#note(change.after);
  }

  /** What agents tell next; `undefined` when they have nothing to tell. */
  report(state: ClusterState, at: number): ClusterEvent | undefined {
    const rows: { readonly id: TaskId; readonly status: TaskStatus }[] = [];
    for (const id of this.#due) {
      if (rows.length === ROWS_PER_TRANSACTION) break;
      this.#due.delete(id);
      const task = state.task(id);
      const node = task?.nodeId === undefined ? undefined : state.node(task.nodeId);
      // An agent that can't be heard tells nothing. Its node's return would be told of by an event.
      if (!task || node?.status.state !== 'ready') continue;
      const next = nextState(task);
      if (next !== undefined)
        rows.push({ id, status: { state: next, at, message: `planned to be ${next}` } });
    }
    return rows.length === 0 ? undefined : { type: 'task.status', rows };
  }

  #note(task: Task): void {
    if (nextState(task) !== undefined) this.#due.add(task.id);
  }
}

/** Where a task's agent brings it; `undefined` where it is already, or where nobody waits for it. */
function nextState(task: Task): TaskState | undefined {
  const { state } = task.status;
  if (isTerminal(state) || taskStateRank(state) < taskStateRank('assigned')) return undefined;
  if (!isMeantToRun(task.desiredState)) return 'shutdown';
  if (task.replaces === undefined && task.desiredState !== 'ready') return undefined;
  const wanted = task.desiredState === 'ready' ? 'ready' : 'running';
  return taskStateRank(wanted) > taskStateRank(state) ? wanted : undefined;
}
