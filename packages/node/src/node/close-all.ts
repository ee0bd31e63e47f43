/** The end of several nodes of one cluster, as their embedding program wants it: all of them, in the right order. */

import type { TasksAtClose } from './options.ts';
import type { SkepNode } from './skep-node.ts';

/**
 * Ends nodes that belong together, such as all members that a program embeds. With `tasks: 'stop'` all tasks end first,
 * without a drain delay, since their traffic has nowhere to go, and while all managers are there to take note of it; then all nodes close at once, so that no manager waits for others, and
 * none is elected in vain. What they keep stays, and `start` takes each up again. Safe to call twice.
 *
 * @param options.tasks - `leave` (default): they run on, and are taken up again with the nodes; `stop`: they are stopped,
 *   each with its own grace.
 * @throws AggregateError of what went wrong, once every other node is closed.
 */
export async function closeAll(
  nodes: Iterable<SkepNode>,
  options: { readonly tasks?: TasksAtClose } = {},
): Promise<void> {
  const all = [...nodes];
  if (options.tasks === 'stop') await Promise.all(all.map((node) => node.stopTasks({ drainDelay: false })));
  const ends = await Promise.allSettled(all.map((node) => node.close(options)));
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  if (failures.length > 0) throw new AggregateError(failures, 'not every node could be closed in order');
}
