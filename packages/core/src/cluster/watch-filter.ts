/** Which objects a watch is about. */

import type { ServiceId } from '../model/ids.ts';
import type { ChangeSet, ObjectByKind, ObjectKind } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** What to watch. All that is given must hold. */
export interface WatchFilter<K extends ObjectKind = ObjectKind> {
  /** Only objects of this kind. Default: every kind. */
  readonly kind?: K;
  /** Only the object with this id. */
  readonly id?: string;
  /** Only this service, or tasks of it: an id or a name. A name also matches a service that is created later. */
  readonly service?: string;
  /** Only this node, or tasks on it: an id or a hostname. */
  readonly node?: string;
}

/** Every kind, in the order in which a watch gives the current objects. */
export const OBJECT_KINDS: readonly ObjectKind[] = [
  'cluster',
  'node',
  'network',
  'secret',
  'config',
  'service',
  'task',
];

/** Decides which objects pass a filter. It learns which ids a service's name had, so that the last words of a removed one still pass. */
export class WatchMatcher {
  readonly #filter: WatchFilter;
  readonly #serviceIds = new Set<string>();
  readonly #nodeIds = new Set<string>();

  constructor(filter: WatchFilter) {
    this.#filter = filter;
    if (filter.service !== undefined) this.#serviceIds.add(filter.service);
    if (filter.node !== undefined) this.#nodeIds.add(filter.node);
  }

  /** Learns names from a state before its objects are matched. */
  learnFrom(state: ClusterState): void {
    const { service } = this.#filter;
    const id = service === undefined ? undefined : state.idByName('service', service);
    if (id !== undefined) this.#serviceIds.add(id);
    if (this.#filter.node === undefined) return;
    for (const node of state.nodes()) this.#learnNode(node);
  }

  /** Learns names from a change set before its changes are matched. */
  learnFromChanges(changes: ChangeSet): void {
    const wanted = this.#filter.service?.toLowerCase();
    if (wanted === undefined && this.#filter.node === undefined) return;
    for (const { kind, before, after } of changes.changes) {
      const object = after ?? before;
      if (kind === 'node' && object) this.#learnNode(object as ObjectByKind['node']);
      if (kind !== 'service' || !object) continue;
      const service = object as ObjectByKind['service'];
      if (service.spec.name.toLowerCase() === wanted) this.#serviceIds.add(service.id);
    }
  }

  #learnNode(node: ObjectByKind['node']): void {
    if (node.description.hostname === this.#filter.node) this.#nodeIds.add(node.id);
  }

  /** Whether an object passes. */
  matches<K extends ObjectKind>(kind: K, object: ObjectByKind[K]): boolean {
    const { kind: wanted, id, service, node } = this.#filter;
    if (wanted !== undefined && wanted !== kind) return false;
    if (id !== undefined && object.id !== id) return false;
    const task = kind === 'task' ? (object as ObjectByKind['task']) : undefined;
    if (service !== undefined) {
      const of = task ? task.serviceId : kind === 'service' ? object.id : undefined;
      if (of === undefined || !this.#serviceIds.has(of)) return false;
    }
    if (node !== undefined) {
      const of = task ? task.nodeId : kind === 'node' ? object.id : undefined;
      if (of === undefined || !this.#nodeIds.has(of)) return false;
    }
    return true;
  }

  /** The objects of a state that pass, lazily. */
  *current(state: ClusterState): Generator<CurrentObject, undefined, undefined> {
    this.learnFrom(state);
    for (const kind of OBJECT_KINDS) {
      if (this.#filter.kind !== undefined && this.#filter.kind !== kind) continue;
      for (const object of this.#objects(kind, state)) {
        if (this.matches(kind, object)) yield { kind, object } as CurrentObject;
      }
    }
  }

  #objects(kind: ObjectKind, state: ClusterState): Iterable<ObjectByKind[ObjectKind]> {
    switch (kind) {
      case 'cluster':
        return state.cluster ? [state.cluster] : [];
      case 'node':
        return state.nodes();
      case 'service':
        return state.services();
      case 'task':
        return this.#filter.service === undefined ? state.tasks() : this.#tasksOfServices(state);
      case 'network':
        return state.networks();
      case 'secret':
        return state.secrets();
      case 'config':
        return state.configs();
    }
  }

  *#tasksOfServices(state: ClusterState): Generator<ObjectByKind['task'], undefined, undefined> {
    for (const id of this.#serviceIds) yield* state.tasksOfService(id as ServiceId);
  }
}

/** An object with its kind. */
export type CurrentObject = {
  readonly [K in ObjectKind]: { readonly kind: K; readonly object: ObjectByKind[K] };
}[ObjectKind];
