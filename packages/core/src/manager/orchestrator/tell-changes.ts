/** What orchestrators hear of a transaction: what became of services, tasks and nodes, one after the other. */

import type { ChangeOf, ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

/** Somebody who marks what a change makes worth looking at. */
export interface ChangeListener {
  service(change: ChangeOf<'service'>, state: ClusterState): void;
  task(change: ChangeOf<'task'>, state: ClusterState): void;
  node(change: ChangeOf<'node'>, state: ClusterState): void;
}

/** Tells of each change, in order. Whatever else changed is left out. */
export function tellChanges({ changes }: ChangeSet, state: ClusterState, listener: ChangeListener): void {
  for (const change of changes) {
    if (change.kind === 'service') listener.service(change, state);
    else if (change.kind === 'task') listener.task(change, state);
    else if (change.kind === 'node') listener.node(change, state);
  }
}
