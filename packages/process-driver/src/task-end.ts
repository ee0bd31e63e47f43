/** Whether a task runs, and how it ended: read from what the wrapper left and from the process table. */

import { constants } from 'node:os';
import type { TaskExit } from '@skep/core/driver';
import type { TaskId } from './core-types.ts';
import { groupMembers, hasVariable, isAlive, type ProcessIdentity } from './process-table.ts';
import type { TaskStore } from './task-store.ts';

/**
 * - `unstarted`: prepared, and nobody has claimed it
 * - `ending`: its end is certain, but not all of its processes are gone
 */
export type TaskLook = 'unstarted' | 'running' | 'ending' | TaskExit;

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** A shell's exit code as an exit: from 129 on it tells a signal. */
export function exitOf(exitCode: number): TaskExit {
  const signal = exitCode > 128 ? signalNames.get(exitCode - 128) : undefined;
  return signal === undefined ? { exitCode } : { exitCode, signal };
}

/** Looks. Kills what is left of a task whose wrapper is dead: without it there is no task any more. */
export async function lookAtTask(store: TaskStore, id: TaskId): Promise<TaskLook> {
  const claim = await store.claim(id);
  if (claim === undefined) return 'unstarted';
  if (claim === 'stopped') return { exitCode: 143, message: 'stopped before it was started' };
  if (await isAlive(claim)) return (await store.exitCode(id)) === undefined ? 'running' : 'ending';
  if (await killOrphans(claim, id)) return 'ending';
  const exitCode = await store.exitCode(id);
  if (exitCode !== undefined) return exitOf(exitCode);
  return {
    exitCode: 137,
    signal: 'SIGKILL',
    message: 'ended without telling an exit code: it was killed, or the machine went down',
  };
}

/** Kills the processes of a group whose leader is dead, those alone that were started for this task. */
async function killOrphans(leader: ProcessIdentity, id: TaskId): Promise<boolean> {
  let found = false;
  for (const { pid } of await groupMembers(leader.pid)) {
    if (!(await hasVariable(pid, 'SKEP_TASK_ID', id))) continue;
    found = true;
    signalProcess(pid, 'SIGKILL');
  }
  return found;
}

/** Signals a process, or with a negative number a group, that may be gone by now. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone, or a zombie, which some systems refuse to signal.
  }
}
