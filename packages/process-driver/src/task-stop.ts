/**
 * Waiting for a task, stopping it and removing it, by its id alone: so the same for a task that the worker holds and
 * for one that nobody wants any more.
 */

import type { ChildProcess } from 'node:child_process';
import { DriverError, type TaskExit } from '@skep/core/driver';
import type { TaskId } from './core-types.ts';
import type { OpenNode } from './open-node.ts';
import { isAlive } from './process-table.ts';
import { inWords } from './shell-words.ts';
import { lookAtTask, type TaskLook } from './task-end.ts';
import { isProgramRunning, signalGroup } from './task-process.ts';
import { releaseEnded, releaseGiven } from './task-release.ts';
import { Wakeup } from './wakeup.ts';

/** How often an end is looked for where no event tells it: of own children, of adopted tasks. */
const POLL_OWN_MS = 10_000;
const POLL_ADOPTED_MS = 1_000;
/** How often a dying group is looked at. */
export const POLL_ENDING_MS = 10;
/** Longest wait for the program under a wrapper to show; on a machine busier than that, the claim must do. */
const PROGRAM_SHOWS_MS = 10_000;

/** Resolves when the program itself runs, or has ended. */
export async function untilProgramRuns(node: OpenNode, id: TaskId, signal: AbortSignal): Promise<void> {
  const { clock } = node.context;
  const deadline = clock.monotonic() + PROGRAM_SHOWS_MS;
  const wakeup = new Wakeup(clock, signal);
  try {
    for (let pollMs = 1; clock.monotonic() < deadline; pollMs = Math.min(pollMs * 2, 50)) {
      const claim = await node.store.claim(id);
      if (claim === undefined || claim === 'stopped' || !(await isAlive(claim))) return;
      if ((await node.store.exitCode(id)) !== undefined || (await isProgramRunning(claim))) return;
      await wakeup.wait(pollMs);
    }
  } finally {
    wakeup.close();
  }
}

/** Resolves with a task's exit. Wakes by the event of an own child, by its exit file, and at long intervals. */
export async function untilEnded(node: OpenNode, id: TaskId, signal: AbortSignal): Promise<TaskExit> {
  const { store, children, context } = node;
  const wakeup = new Wakeup(context.clock, signal);
  let child: ChildProcess | undefined;
  try {
    wakeup.watchFiles(store.path(id), ['claim', 'exit']);
    for (;;) {
      const look = await lookAtTask(store, id);
      if (typeof look === 'object') {
        await releaseEnded(node, id);
        return inWords(node, id, look);
      }
      if ((await store.meta(id)) === undefined) throw new DriverError(`task ${id} was removed`);
      child ??= await ownChild(node, id, wakeup);
      const own = child !== undefined && children.has(child.pid ?? 0);
      await wakeup.wait(look === 'ending' ? POLL_ENDING_MS : own ? POLL_OWN_MS : POLL_ADOPTED_MS);
    }
  } finally {
    wakeup.close();
    child?.off('exit', wakeup.wake);
  }
}

/** The task's wrapper when this process started it; wakes at its end. */
async function ownChild(node: OpenNode, id: TaskId, wakeup: Wakeup): Promise<ChildProcess | undefined> {
  const claim = await node.store.claim(id);
  const child = claim === undefined || claim === 'stopped' ? undefined : node.children.get(claim.pid);
  child?.once('exit', wakeup.wake);
  return child;
}

/** Asks a task to end, kills it after its grace, and resolves when no process of it is left. */
export async function stopTask(
  node: OpenNode,
  id: TaskId,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { store, context } = node;
  const meta = await store.meta(id);
  if (meta === undefined) return;
  let look: TaskLook = await lookAtTask(store, id);
  if (look === 'unstarted') {
    await store.claimStopped(id);
    look = await lookAtTask(store, id);
  }
  if (typeof look === 'object') return releaseEnded(node, id);
  const claim = await store.claim(id);
  if (claim === undefined || claim === 'stopped') return;
  const graceOver = new AbortController();
  const wakeup = new Wakeup(context.clock, signal);
  let cancel: (() => void) | undefined;
  try {
    if (graceMs > 0 && meta.stopSignal !== 'SIGKILL') {
      await untilProgramRuns(node, id, signal);
      await signalGroup(claim, meta.stopSignal);
      cancel = context.clock.setTimer(graceMs, () => {
        graceOver.abort();
        wakeup.wake();
      });
    } else graceOver.abort();
    const child = await ownChild(node, id, wakeup);
    if (child === undefined) wakeup.watchFiles(store.path(id), ['exit']);
    for (let pollMs = POLL_ENDING_MS; ; pollMs = Math.min(pollMs * 2, POLL_ADOPTED_MS)) {
      look = await lookAtTask(store, id);
      if (typeof look === 'object' || look === 'unstarted') return;
      // Again and again: between two looks a new member may have been forked.
      if (graceOver.signal.aborted) await signalGroup(claim, 'SIGKILL');
      await wakeup.wait(look === 'ending' || graceOver.signal.aborted ? POLL_ENDING_MS : pollMs);
    }
  } finally {
    cancel?.();
    wakeup.close();
    if (typeof look === 'object') await releaseEnded(node, id);
  }
}

/** Removes every trace of a task of this node, after stopping it. */
export async function removeTask(node: OpenNode, id: TaskId, signal: AbortSignal): Promise<void> {
  const { store, logs } = node;
  const meta = await store.meta(id);
  if (meta === undefined) return;
  await stopTask(node, id, meta.stopGraceMs, signal);
  logs.forget(id);
  await store.remove(id);
  releaseGiven(node, id, meta);
}
