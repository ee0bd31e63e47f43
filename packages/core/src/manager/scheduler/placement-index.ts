/**
 * What placing needs to know of a cluster, folded from its changes: nodes with what is free on them, where each
 * service's tasks stand and failed, and what waits for a node. Built once from a state, then kept up by change
 * sets; it holds nothing that a state does not say. Placing reads it and never writes to it.
 */

import type { NodeId, ServiceId } from '../../model/ids.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import type { PlacementStrategy } from '../../model/task-spec.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { AffinityBook, NOBODY } from './affinity-book.ts';
import { noteFailure } from './failure-record.ts';
import { holdsPlace } from './holds-place.ts';
import { dropOldest, NodeNotes } from './node-notes.ts';
import { FAILURE_WINDOW_MS } from './node-order.ts';
import { isSameForPlacing, NodeTable } from './node-table.ts';
import { Nominations } from './preemption/nominations.ts';
import { PriorityUse } from './preemption/priority-use.ts';
import { compileRequirements, driversOf, hostPortsOf, needsOf, type Requirements } from './requirements.ts';
import { newServiceEntry, type ServiceEntry } from './service-entry.ts';
import { isFailure, waitsFor } from './waiting.ts';
import { WaitingTasks } from './waiting-tasks.ts';
import { YieldingTasks } from './yielding-tasks.ts';

/** Kinds of a service's tasks whose compiled requirements are kept: the present ones, and those of an update. */
const COMPILED_KEPT = 2;

/** The index. */
export class PlacementIndex {
  readonly nodes = new NodeTable();
  readonly services = new Map<ServiceId, ServiceEntry>();
  readonly notes = new NodeNotes(() => ({ nodes: this.nodes.size, services: this.services.size }));
  readonly affinity = new AffinityBook(this.nodes, this.services);
  /** Priorities of services, and what their tasks hold. */
  readonly priorities = new PriorityUse();
  /** Room that is kept. */
  readonly nominations = new Nominations(this.nodes, this.affinity);
  readonly waiting = new WaitingTasks(this, this.nominations);
  /** Nodes that lost a task since this was emptied last. */
  readonly relieved = new Set<number>();
  // Nodes that went while tasks were on them: if one came back, what it holds could only be had from the state.
  readonly #departed = new Set<string>();
  readonly #yielding = new YieldingTasks();
  #lastService: ServiceEntry | undefined;
  /** How nodes are taken where services don't say. */
  #strategy: PlacementStrategy | undefined;

  /** Builds the index of a state, in one go. */
  static of(state: ClusterState): PlacementIndex {
    const index = PlacementIndex.withoutTasks(state);
    index.loadTasks(state, 0, state.roots.tasks.rows.length);
    return index;
  }

  /** Begins the index of a state: {@link loadTasks} is to add all of its tasks. */
  static withoutTasks(state: ClusterState): PlacementIndex {
    const index = new PlacementIndex();
    for (const [row, node] of state.roots.nodes.rows.entries()) index.nodes.add(node, row);
    for (const [row, service] of state.roots.services.rows.entries()) {
      const entry = newServiceEntry(service.id, row, true, NOBODY);
      index.services.set(service.id, entry);
      index.affinity.foldService(undefined, service);
      index.priorities.fold(entry, undefined, service);
    }
    index.#foldCluster(state);
    return index;
  }

  /** Adds the tasks of the rows from `from` up to but without `to`. */
  loadTasks(state: ClusterState, from: number, to: number): void {
    const { rows } = state.roots.tasks;
    const load = (task: Task) => this.#load(task, state);
    rows.forEach(load, from, Math.min(to, rows.length));
    if (to >= rows.length) this.#settleYielding(state);
  }

  /**
   * Folds in what a transaction changed.
   *
   * @param state - the state with that transaction.
   * @returns false when the changes can't be folded, and the index is to be built anew: a node came back under the
   *   id of one that went with tasks on it, which no part of the manager does.
   */
  fold(changes: ChangeSet, state: ClusterState): boolean {
    let folded = true;
    for (const change of changes.changes) {
      switch (change.kind) {
        case 'task':
          this.#foldTask(change.before, change.after, state);
          break;
        case 'node':
          this.waiting.leases.noteOther();
          folded = this.#foldNode(change.before, change.after, state) && folded;
          break;
        case 'service':
          this.#foldService(change.before, change.after, state);
          break;
        case 'cluster':
          this.#foldCluster(state);
          break;
        case 'network':
          this.#foldNetwork();
          break;
        default:
      }
    }
    if (changes.volumes !== undefined) {
      this.waiting.leases.noteOther();
      this.waiting.volumesMoved(changes.volumes, state);
    }
    this.#settleYielding(state);
    this.priorities.settle(state, this.nodes);
    return folded;
  }

  /** What the tasks of a group ask, compiled when first asked for. */
  requirementsOf(
    service: ServiceEntry,
    key: string,
    sample: Task,
    state: ClusterState,
    homes: readonly NodeId[] = [],
  ): Requirements {
    if (service.compiledUnder !== this.affinity.version) service.compiled.clear();
    service.compiledUnder = this.affinity.version;
    const known = service.compiled.get(key);
    if (known) return known;
    const affinity = this.affinity.compile(sample, state);
    const compiled = compileRequirements(sample, driversOf(state), {
      affinity,
      strategy: this.#strategy,
      homes: homes.flatMap((id) => state.node(id) ?? []),
    });
    service.compiled.set(key, compiled);
    dropOldest(service.compiled, COMPILED_KEPT);
    return compiled;
  }

  #load(task: Task, state: ClusterState): void {
    this.#yielding.note(undefined, task);
    if (isFailure(task)) {
      if (task.statusAppliedAt > state.at - FAILURE_WINDOW_MS) this.#noteFailure(task, state);
      return;
    }
    if (holdsPlace(task)) {
      this.#hold(task, 1);
      if (isMeantToRun(task.desiredState)) this.#countActive(task, 1, state);
      return;
    }
    const waiting = waitsFor(task);
    if (waiting !== 'nothing') this.waiting.begin(task, waiting, state);
  }

  #foldTask(before: Task | undefined, after: Task | undefined, state: ClusterState): void {
    const changed = after ?? before;
    if (changed) this.waiting.leases.noteTask(changed);
    this.#yielding.note(before, after);
    const held = before !== undefined && holdsPlace(before);
    const holds = after !== undefined && holdsPlace(after);
    const wasActive = held && isMeantToRun(before.desiredState);
    const isActive = holds && isMeantToRun(after.desiredState);
    if (held && !holds) this.#hold(before, -1);
    if (holds && !held) this.#hold(after, 1);
    if (wasActive && !isActive) this.#countActive(before, -1, state);
    if (isActive && !wasActive) this.#countActive(after, 1, state);
    if ((held && !holds) || (wasActive && !isActive)) this.#relieve(before.nodeId);
    if (held && !holds && after && isFailure(after)) this.#noteFailure(after, state);
    const waited = before === undefined ? 'nothing' : waitsFor(before);
    const waits = after === undefined ? 'nothing' : waitsFor(after);
    // Ports come with the allocation, and host ports make another group.
    if (waited === waits && (waits !== 'node' || before?.ports === after?.ports)) return;
    if (waited === 'room') this.#relieve(before?.nomination?.nodeId);
    if (before) this.waiting.end(before, waited, state);
    if (after) this.waiting.begin(after, waits, state);
  }

  #foldNode(before: Node | undefined, after: Node | undefined, state: ClusterState): boolean {
    if (!after) {
      if (before) this.#removeNode(before);
      return true;
    }
    const slot = before === undefined ? -1 : this.nodes.slotOf(before.id);
    if (before === undefined || slot === -1) {
      this.nodes.add(after, state.roots.nodes.ids.get(after.id) ?? 0);
      if (this.#departed.has(after.id)) return false;
    } else {
      this.nodes.update(slot, before, after);
      this.notes.forget(slot);
      this.affinity.foldNode(slot, before, after);
      if (isSameForPlacing(before, after)) return true;
    }
    // A node that takes nothing any more helps nobody, and changes what those who wait are told.
    this.waiting.retryBlocked();
    this.waiting.preassigned.retry(after.id);
    this.nominations.retry(this.nodes.slotOf(after.id));
    return true;
  }

  #removeNode(node: Node): void {
    const slot = this.nodes.slotOf(node.id);
    if (slot === -1) return;
    if ((this.nodes.holding[slot] as number) > 0) this.#departed.add(node.id);
    for (const service of this.services.values()) {
      service.active.clear(slot, this.nodes.length);
      service.yielding.clear(slot, this.nodes.length);
      for (const record of service.failures.values()) record.clear(slot);
      this.forgetIfGone(service);
    }
    this.affinity.removeNode(slot, node);
    this.nominations.removeNode(slot);
    this.priorities.removeNode(slot);
    this.notes.forget(slot);
    this.relieved.delete(slot);
    this.nodes.remove(slot);
    this.waiting.retryBlocked();
    this.waiting.preassigned.retry(node.id);
  }

  #foldService(before: Service | undefined, after: Service | undefined, state: ClusterState): void {
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    const { version } = this.affinity;
    this.affinity.foldService(before, after);
    if (this.affinity.version !== version) this.waiting.retryBlocked();
    const service = this.#service(id, state);
    if (this.priorities.fold(service, before, after)) {
      this.waiting.retryBlocked();
      this.waiting.preassigned.retryAll();
    }
    service.exists = after !== undefined;
    if (service.exists) return;
    for (const group of service.groups.values()) this.waiting.dirty.delete(group);
    service.compiled.clear();
    service.failures.clear();
    this.forgetIfGone(service);
  }

  /** A network's driver may be another now, so what asks for it is compiled again. Networks change rarely. */
  #foldNetwork(): void {
    for (const service of this.services.values()) service.compiled.clear();
    this.waiting.retryBlocked();
    this.waiting.preassigned.retryAll();
  }

  #foldCluster(state: ClusterState): void {
    const strategy = state.cluster?.spec.placement?.strategy;
    if (strategy === this.#strategy) return;
    this.#strategy = strategy;
    for (const service of this.services.values()) service.compiled.clear();
  }

  #hold(task: Task, sign: 1 | -1): void {
    const slot = task.nodeId === undefined ? -1 : this.nodes.slotOf(task.nodeId);
    if (slot === -1) return;
    const { spec, ports, assignedGeneric } = task;
    this.nodes.book(
      slot,
      { needs: needsOf(spec), hostPorts: hostPortsOf(ports), generic: assignedGeneric },
      sign,
    );
    this.affinity.count(task.serviceId, slot, sign, 'holding');
  }

  #countActive(task: Task, sign: 1 | -1, state: ClusterState): void {
    const slot = task.nodeId === undefined ? -1 : this.nodes.slotOf(task.nodeId);
    if (slot === -1) return;
    const service = this.#service(task.serviceId, state);
    this.nodes.countActive(slot, sign);
    const counts = this.#yielding.has(task.id) ? service.yielding : service.active;
    counts.add(slot, sign, this.nodes.length);
    if (service.isPrioritised) this.priorities.count(slot, service, needsOf(task.spec), sign);
    this.affinity.count(task.serviceId, slot, sign, 'active');
    if (sign > 0) return;
    this.#yielding.forget(task.id);
    this.forgetIfGone(service);
  }

  #settleYielding(state: ClusterState): void {
    this.#yielding.settle(state, (task, yields) => {
      const slot = task.nodeId === undefined ? -1 : this.nodes.slotOf(task.nodeId);
      if (slot === -1 || !isMeantToRun(task.desiredState) || !holdsPlace(task)) return;
      const { active, yielding } = this.#service(task.serviceId, state);
      active.add(slot, yields ? -1 : 1, this.nodes.length);
      yielding.add(slot, yields ? 1 : -1, this.nodes.length);
    });
  }

  #relieve(nodeId: NodeId | undefined): void {
    const slot = nodeId === undefined ? -1 : this.nodes.slotOf(nodeId);
    if (slot === -1 || nodeId === undefined) return;
    if (this.waiting.blocked.size > 0) this.relieved.add(slot);
    this.nominations.retry(slot);
    this.waiting.preassigned.retry(nodeId);
  }

  #noteFailure(task: Task, state: ClusterState): void {
    const slot = task.nodeId === undefined ? -1 : this.nodes.slotOf(task.nodeId);
    // A global service's task has no choice of node, so its failures say nothing about choosing.
    if (slot === -1 || task.slot === 0) return;
    const service = this.#service(task.serviceId, state);
    if (!service.exists) {
      this.forgetIfGone(service);
      return;
    }
    noteFailure(service.failures, task, slot, state.at);
  }

  /** What is kept of the service of a task. */
  entryOf({ serviceId }: Pick<Task, 'serviceId'>, state: ClusterState): ServiceEntry {
    return this.#service(serviceId, state);
  }

  #service(id: ServiceId, state: ClusterState): ServiceEntry {
    // Changes come service by service, so the last one is mostly the next.
    const last = this.#lastService;
    if (last?.id === id) return last;
    let service = this.services.get(id);
    if (!service) {
      const row = state.roots.services.ids.get(id) ?? 0;
      service = newServiceEntry(id, row, state.service(id) !== undefined, this.affinity.watchersOf(id));
      this.services.set(id, service);
    }
    this.#lastService = service;
    return service;
  }

  /** Drops a service that is gone, with all its tasks. */
  forgetIfGone(service: ServiceEntry): void {
    if (service.exists || occupants(service) > 0) return;
    this.services.delete(service.id);
    if (this.#lastService === service) this.#lastService = undefined;
  }
}

function occupants({ active, yielding, groups, nominees }: ServiceEntry): number {
  return active.size + yielding.size + groups.size + nominees;
}
