/**
 * Which moves of an observed state are allowed, as a table derived once from the task machine, since managers check
 * many reports and a table is some hundred times as fast as the machine.
 *
 * Reports are coalesced to the newest, so a move may skip states: allowed is whatever the machine can reach.
 */

import { TASK_STATES, type TaskState, taskStateRank } from '../model/task-state.ts';
import { type TaskEvent, taskMachine } from './task-machine.ts';

/** For each state, by rank: the states that can be reached from it, one bit a rank. */
type Table = readonly number[];

/**
 * The table of everything that events of this kind can lead to.
 *
 * Exported for the test that holds table and machine together.
 */
export function deriveTable(allows: (event: TaskEvent['type']) => boolean): Table {
  const table: number[] = TASK_STATES.map(() => 0);
  // Moves only lead forward, so going from the last state to the first each successor's reach is complete.
  for (const state of [...TASK_STATES].reverse()) {
    let reach = 0;
    for (const [event, transitions] of taskMachine.getStateNodeById(`task.${state}`).transitions) {
      if (!allows(event as TaskEvent['type'])) continue;
      for (const target of transitions.flatMap((transition) => transition.target ?? [])) {
        const rank = taskStateRank(target.key as TaskState);
        reach |= (1 << rank) | (table[rank] ?? 0);
      }
    }
    table[taskStateRank(state)] = reach;
  }
  return table;
}

const ANYONE = deriveTable(() => true);
const WORKER = deriveTable((event) => event.startsWith('worker.'));

const allowed = (table: Table, from: TaskState, to: TaskState) =>
  ((table[taskStateRank(from)] ?? 0) & (1 << taskStateRank(to))) !== 0;

/** True when a task that was observed in `from` may next be observed in `to`, another state. */
export function canMove(from: TaskState, to: TaskState): boolean {
  return allowed(ANYONE, from, to);
}

/** True when a worker may say so: managers' own moves are left out. */
export function workerCanMove(from: TaskState, to: TaskState): boolean {
  return allowed(WORKER, from, to);
}
