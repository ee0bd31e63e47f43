/**
 * What changed lately of what passing traffic on takes, once for all nodes that have an endpoint feed: how a thing is
 * now is read off the state when a node is told, so a journal of names is enough, and a node costs no more than a place
 * in it.
 */

import type { NetworkId, NodeId, ServiceId, TaskId } from '../../model/ids.ts';
import type { Network, Node, Service, Task } from '../../model/objects.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { mayBeEndpoint, mayHaveEndpoints } from '../../state/endpoints.ts';
import { trafficNetworkOf, trafficNodeOf, trafficServiceOf } from '../../state/traffic.ts';
import type { ServiceEndpoint } from '../../worker/dispatcher-port.ts';
import { type Complete, defined, type Incremental, serviceEndpointOf, told } from './traffic-messages.ts';

/** Changes that are remembered. Whoever lags behind more is told everything. */
const CHANGES_REMEMBERED = 50_000;

type Noted =
  | { readonly kind: 'task'; readonly id: TaskId }
  | { readonly kind: 'service'; readonly id: ServiceId }
  | { readonly kind: 'network'; readonly id: NetworkId }
  | { readonly kind: 'node'; readonly id: NodeId };

/** Things that may have changed, in order. A place in it is the number of those before. */
export class TrafficJournal {
  #noted: Noted[] = [];
  /** How many were forgotten. */
  #forgotten = 0;

  /** The place behind the last one. */
  get end(): number {
    return this.#forgotten + this.#noted.length;
  }

  /** Notes what a committed transaction changed. @returns whether that was anything. */
  observe({ changes }: ChangeSet, state: ClusterState): boolean {
    const { end } = this;
    for (const change of changes) {
      if (change.kind === 'task') this.#noteTask(change.before, change.after);
      else if (change.kind === 'node') this.#noteNode(change.before, change.after, state);
      else if (change.kind === 'service') this.#noteService(change.before, change.after, state);
      else if (change.kind === 'network') this.#noteNetwork(change.before, change.after);
    }
    if (this.#noted.length > CHANGES_REMEMBERED) {
      const excess = this.#noted.length - CHANGES_REMEMBERED / 2;
      this.#noted = this.#noted.slice(excess);
      this.#forgotten += excess;
    }
    return this.end > end;
  }

  /** What whoever has read up to `place` has to be told; undefined: nothing. */
  since(place: number, state: ClusterState): Incremental | Complete | undefined {
    if (place < this.#forgotten) return allTraffic(state);
    if (place === this.end) return undefined;
    const tasks = new Set<TaskId>();
    const services = new Set<ServiceId>();
    const networks = new Set<NetworkId>();
    const nodes = new Set<NodeId>();
    for (const noted of this.#noted.slice(place - this.#forgotten)) {
      if (noted.kind === 'task') tasks.add(noted.id);
      else if (noted.kind === 'service') services.add(noted.id);
      else if (noted.kind === 'network') networks.add(noted.id);
      else nodes.add(noted.id);
    }
    const endpoints = told(tasks, (id) => {
      const task = state.task(id);
      return task && serviceEndpointOf(state, task);
    });
    return {
      ...{ kind: 'incremental', index: state.index },
      ...{ joined: endpoints.set, left: endpoints.removed },
      ...(services.size > 0 && { services: told(services, (id) => serviceIn(state, id)) }),
      ...(networks.size > 0 && { networks: told(networks, (id) => networkIn(state, id)) }),
      ...(nodes.size > 0 && { nodes: told(nodes, (id) => nodeIn(state, id)) }),
    };
  }

  #noteTask(before: Task | undefined, after: Task | undefined): void {
    const was = before !== undefined && mayBeEndpoint(before);
    const is = after !== undefined && mayBeEndpoint(after);
    const task = after ?? before;
    if (!task || (!was && !is)) return;
    const isSame =
      before?.status.runtime === after?.status.runtime && before?.attachments === after?.attachments;
    if (was !== is || !isSame) this.#noted.push({ kind: 'task', id: task.id });
  }

  /** It is to be found otherwise, or traffic is switched, or kept from some of its tasks no more. */
  #noteService(before: Service | undefined, after: Service | undefined, state: ClusterState): void {
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    const isSame =
      before?.spec === after?.spec && before?.endpoint === after?.endpoint && before?.vips === after?.vips;
    if (!isSame) this.#noted.push({ kind: 'service', id });
    if (!isSwitched(before, after)) return;
    for (const task of state.tasksOfService(id))
      if (mayBeEndpoint(task)) this.#noted.push({ kind: 'task', id: task.id });
  }

  #noteNetwork(before: Network | undefined, after: Network | undefined): void {
    const id = (after ?? before)?.id;
    if (id !== undefined && before?.allocation !== after?.allocation)
      this.#noted.push({ kind: 'network', id });
  }

  #noteNode(before: Node | undefined, after: Node | undefined, state: ClusterState): void {
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    const isMoved = before?.status.address !== after?.status.address;
    const isInNetworks = before?.attachments !== undefined || after?.attachments !== undefined;
    const isSame =
      !isMoved &&
      before?.attachments === after?.attachments &&
      before?.description.trafficKey === after?.description.trafficKey;
    if (isInNetworks && !isSame) this.#noted.push({ kind: 'node', id });
    if (!before || !after) return;
    if (mayHaveEndpoints(before) === mayHaveEndpoints(after) && !isMoved) return;
    for (const task of state.tasksOfNode(id))
      if (mayBeEndpoint(task)) this.#noted.push({ kind: 'task', id: task.id });
  }
}

/** All of it, for the whole cluster. */
export function allTraffic(state: ClusterState): Complete {
  const endpoints: ServiceEndpoint[] = [];
  for (const task of state.tasks()) {
    const endpoint = serviceEndpointOf(state, task);
    if (endpoint) endpoints.push(endpoint);
  }
  return {
    ...{ kind: 'complete', index: state.index, endpoints },
    services: defined(state.services(), (service) => trafficServiceOf(state, service)),
    networks: defined(state.networks(), trafficNetworkOf),
    nodes: defined(state.nodes(), trafficNodeOf),
    clients: [],
  };
}

function isSwitched(before: Service | undefined, after: Service | undefined): boolean {
  const [was, is] = [before?.updateStatus, after?.updateStatus];
  const isSame = was?.holdsBack === is?.holdsBack && was?.heldUntil === is?.heldUntil;
  return !isSame || was?.servesOnly !== is?.servesOnly;
}

function serviceIn(state: ClusterState, id: ServiceId) {
  const service = state.service(id);
  return service && trafficServiceOf(state, service);
}

function networkIn(state: ClusterState, id: NetworkId) {
  const network = state.network(id);
  return network && trafficNetworkOf(network);
}

function nodeIn(state: ClusterState, id: NodeId) {
  const node = state.node(id);
  return node && trafficNodeOf(node);
}
