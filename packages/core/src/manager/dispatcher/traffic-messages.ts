/** Pure: the parts that messages of an endpoint feed are put together from. */

import type { Task } from '../../model/objects.ts';
import { taskName } from '../../model/task-name.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { endpointOf } from '../../state/endpoints.ts';
import type { EndpointsMessage, ServiceEndpoint, Told } from '../../worker/dispatcher-port.ts';

/** A message that tells everything. */
export type Complete = Extract<EndpointsMessage, { kind: 'complete' }>;
/** A message that tells what changed. */
export type Incremental = Extract<EndpointsMessage, { kind: 'incremental' }>;

/** The task as an endpoint of its service, if it may receive traffic. */
export function serviceEndpointOf(
  state: Pick<ClusterState, 'node' | 'service'>,
  task: Task,
): ServiceEndpoint | undefined {
  const endpoint = endpointOf(state, task);
  const service = endpoint && state.service(task.serviceId);
  return service && { ...endpoint, serviceId: service.id, name: taskName(service.spec.name, task) };
}

/** How things are now that may have changed. */
export function told<T, Id>(ids: Iterable<Id>, find: (id: Id) => T | undefined): Told<T, Id> {
  const set: T[] = [];
  const removed: Id[] = [];
  for (const id of ids) {
    const row = find(id);
    if (row === undefined) removed.push(id);
    else set.push(row);
  }
  return { set, removed };
}

/** Those that there is something to tell of. */
export function defined<A, B>(items: Iterable<A>, find: (item: A) => B | undefined): B[] {
  const found: B[] = [];
  for (const item of items) {
    const row = find(item);
    if (row !== undefined) found.push(row);
  }
  return found;
}
