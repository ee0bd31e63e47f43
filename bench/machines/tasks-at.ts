/** Waiting for tasks by the change feed, as a user would: nothing is asked again and again meanwhile. */

import type { Cluster, Task, TaskId } from '@skep/core';
import { sharedNow } from '../harness/prober.ts';

/** Resolves to when so many tasks of the cluster were seen in a state. */
export function tasksAt(cluster: Cluster, state: Task['status']['state'], count: number): Promise<number> {
  return new Promise((resolve) => {
    const there = new Set<TaskId>();
    const watch = cluster.watch({ kind: 'task' }).subscribe((event) => {
      if (!('object' in event)) return;
      const { id, status } = event.object;
      if (event.type !== 'removed' && status.state === state) there.add(id);
      else there.delete(id);
      if (there.size < count) return;
      resolve(sharedNow());
      setImmediate(() => watch.unsubscribe());
    });
  });
}
