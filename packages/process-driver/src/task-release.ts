/**
 * Giving back what a task holds on the machine beyond its own directory: secrets in memory and reserved ports. It goes
 * as soon as the task's end is seen, not only when the task is removed, which may be long after.
 */

import { removeMemoryFiles, tasksWithMemoryFiles } from '@skep/core/node';
import type { TaskId } from './core-types.ts';
import type { OpenNode } from './open-node.ts';
import { releasePort, sweepPorts } from './port-book.ts';
import { lookAtTask } from './task-end.ts';
import type { TaskMeta } from './task-store.ts';

/** What giving back works with. */
type Parts = Pick<OpenNode, 'context' | 'options' | 'store' | 'logs'>;

/** Gives back what this task was given. Again is fine. */
export function releaseGiven(
  { store }: Pick<Parts, 'store'>,
  id: TaskId,
  { filesDir, ports }: Pick<TaskMeta, 'filesDir' | 'ports'>,
): void {
  if (filesDir !== undefined) removeMemoryFiles(filesDir);
  const holder = store.path(id);
  for (const { port } of ports) releasePort({ port, holder });
}

/** The task has ended: one last look at its output, and what it held is given back. Never rejects. */
export async function releaseEnded(node: Parts, id: TaskId): Promise<void> {
  const { store, logs, context } = node;
  logs.ended(id);
  try {
    const meta = await store.meta(id);
    if (meta) releaseGiven(node, id, meta);
  } catch (error) {
    // How the task ended is known all the same; its removal tries again.
    context.logger.warn({ taskId: id, error: String(error) }, 'what an ended task held was not given back');
  }
}

/** Gives back what tasks of this node held that ended, or went, while nobody looked. */
export async function releaseLeftovers({ context, options, store }: Parts): Promise<void> {
  for (const { id, dir } of tasksWithMemoryFiles(context, options.memoryDir)) {
    const known = (await store.meta(id)) !== undefined;
    // Files are written after the task was written down, so that unknown means removed.
    if (!known || typeof (await lookAtTask(store, id)) === 'object') removeMemoryFiles(dir);
  }
  sweepPorts();
}
