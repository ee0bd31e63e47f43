/**
 * What changed of the endpoints lately, once for all nodes that have an endpoint feed: which tasks joined or left is
 * read off the state when a node is told, so a journal of names is enough, and a node costs no more than a place in it.
 */

import type { TaskId } from '../../model/ids.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { endpointOf, mayBeEndpoint, mayHaveEndpoints } from '../../state/endpoints.ts';
import type { EndpointsMessage, ServiceEndpoint } from '../../worker/dispatcher-port.ts';

/** Tasks that are remembered. Whoever lags behind more is told everything. */
const TASKS_REMEMBERED = 50_000;

/** Tasks that may have joined or left, in order. A place in it is the number of those before. */
export class EndpointJournal {
  #tasks: TaskId[] = [];
  /** How many were forgotten. */
  #forgotten = 0;

  /** The place behind the last one. */
  get end(): number {
    return this.#forgotten + this.#tasks.length;
  }

  /** Notes what a committed transaction changed. @returns whether that was anything. */
  observe({ changes }: ChangeSet, state: ClusterState): boolean {
    const { end } = this;
    for (const change of changes) {
      if (change.kind === 'task') this.#noteTask(change.before, change.after);
      else if (change.kind === 'node') this.#noteNode(change.before, change.after, state);
      else if (change.kind === 'service') this.#noteService(change.before, change.after, state);
    }
    if (this.#tasks.length > TASKS_REMEMBERED) {
      const excess = this.#tasks.length - TASKS_REMEMBERED / 2;
      this.#tasks = this.#tasks.slice(excess);
      this.#forgotten += excess;
    }
    return this.end > end;
  }

  /** What whoever has read up to `place` has to be told; undefined: nothing. */
  since(place: number, state: ClusterState): EndpointsMessage | undefined {
    if (place < this.#forgotten) return allEndpoints(state);
    if (place === this.end) return undefined;
    const joined: ServiceEndpoint[] = [];
    const left: TaskId[] = [];
    for (const id of new Set(this.#tasks.slice(place - this.#forgotten))) {
      const task = state.task(id);
      const endpoint = task && serviceEndpointOf(state, task);
      if (endpoint) joined.push(endpoint);
      else left.push(id);
    }
    return { kind: 'incremental', index: state.index, joined, left };
  }

  #noteTask(before: Task | undefined, after: Task | undefined): void {
    const was = before !== undefined && mayBeEndpoint(before);
    const is = after !== undefined && mayBeEndpoint(after);
    const task = after ?? before;
    if (!task || (!was && !is)) return;
    if (was !== is || before?.status.runtime !== after?.status.runtime) this.#tasks.push(task.id);
  }

  /** Traffic is switched, or kept from some of its tasks no more. */
  #noteService(before: Service | undefined, after: Service | undefined, state: ClusterState): void {
    const [was, is] = [before?.updateStatus, after?.updateStatus];
    const isSame = was?.holdsBack === is?.holdsBack && was?.heldUntil === is?.heldUntil;
    if (isSame && was?.servesOnly === is?.servesOnly) return;
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    for (const task of state.tasksOfService(id)) if (mayBeEndpoint(task)) this.#tasks.push(task.id);
  }

  #noteNode(before: Node | undefined, after: Node | undefined, state: ClusterState): void {
    if (!before || !after) return;
    const same = mayHaveEndpoints(before) === mayHaveEndpoints(after);
    if (same && before.status.address === after.status.address) return;
    for (const task of state.tasksOfNode(after.id)) if (mayBeEndpoint(task)) this.#tasks.push(task.id);
  }
}

/** Every endpoint of the cluster. */
export function allEndpoints(state: ClusterState): EndpointsMessage {
  const endpoints: ServiceEndpoint[] = [];
  for (const task of state.tasks()) {
    const endpoint = serviceEndpointOf(state, task);
    if (endpoint) endpoints.push(endpoint);
  }
  return { kind: 'complete', index: state.index, endpoints };
}

function serviceEndpointOf(state: ClusterState, task: Task): ServiceEndpoint | undefined {
  const endpoint = endpointOf(state, task);
  return endpoint && { ...endpoint, serviceId: task.serviceId };
}
