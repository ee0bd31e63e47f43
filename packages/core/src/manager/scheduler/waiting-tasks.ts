/**
 * What waits for the scheduler: groups of tasks that any node will do for, tasks that were made for one node, those for
 * which room is being made, those whose lease is not free yet, and those that are to be told that they are not wanted.
 */

import type { TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { LeaseGate } from './lease-gate.ts';
import { PendingGroup } from './pending-group.ts';
import { PreassignedTasks } from './preassigned-tasks.ts';
import type { Nominations } from './preemption/nominations.ts';
import { hostPortsOf } from './requirements.ts';
import { groupKey, type ServiceEntry, type ServiceGroup } from './service-entry.ts';
import { VolumeFollowers } from './volume-followers.ts';
import type { Waiting } from './waiting.ts';

/** Where services are had, and dropped again. */
export interface ServiceEntries {
  entryOf(task: Task, state: ClusterState): ServiceEntry;
  forgetIfGone(service: ServiceEntry): void;
}

/** All that waits. */
export class WaitingTasks {
  /** Groups to be tried. */
  readonly dirty = new Set<ServiceGroup>();
  /** Groups of which no more could be placed, until something helps. */
  readonly blocked = new Set<ServiceGroup>();
  readonly preassigned = new PreassignedTasks();
  /** Pending tasks that are not wanted any more. */
  readonly unwanted = new Set<TaskId>();
  /** Tasks with a lease that may not be placed yet. */
  readonly leases = new LeaseGate();
  readonly nominations: Nominations;
  readonly #followers = new VolumeFollowers();
  readonly #services: ServiceEntries;

  constructor(services: ServiceEntries, nominations: Nominations) {
    this.#services = services;
    this.nominations = nominations;
  }

  /** Something may be decided at this time. */
  isAnythingToDo(at: number): boolean {
    const { dirty, preassigned, unwanted, leases, nominations } = this;
    const due = dirty.size + preassigned.dirty.size + unwanted.size + nominations.dirty.size;
    return due + nominations.homeless.size > 0 || (leases.wakeAt ?? Number.POSITIVE_INFINITY) <= at;
  }

  /** A task begins to wait. */
  begin(task: Task, waiting: Waiting, state: ClusterState): void {
    switch (waiting) {
      case 'nothing':
        return;
      case 'end':
        this.unwanted.add(task.id);
        return;
      case 'room':
        this.nominations.begin(task, this.#services.entryOf(task, state), state);
        return;
      case 'own-node':
        this.preassigned.begin(task);
        return;
      case 'node':
        if (task.leaseMs === undefined) this.admit(task, state);
        else this.leases.begin(task);
    }
  }

  /** A task may be placed. */
  admit(task: Task, state: ClusterState): void {
    this.leases.end(task.id);
    const service = this.#services.entryOf(task, state);
    const homes = this.#followers.begin(task, state);
    const key = groupKey(task.specVersion, hostPortsOf(task.ports), homes);
    const group = service.groups.get(key) ?? new PendingGroup(service, key, task, homes);
    service.groups.set(key, group);
    group.add(task.id);
    this.retry(group);
  }

  /** A task waits for that no more. */
  end(task: Task, waited: Waiting, state: ClusterState): void {
    switch (waited) {
      case 'nothing':
        return;
      case 'end':
        this.unwanted.delete(task.id);
        return;
      case 'room':
        this.nominations.end(task);
        this.#services.forgetIfGone(this.#services.entryOf(task, state));
        return;
      case 'own-node':
        this.preassigned.end(task);
        return;
      case 'node': {
        if (this.leases.end(task.id)) return;
        const service = this.#services.entryOf(task, state);
        const homes = this.#followers.end(task.id);
        const group = service.groups.get(groupKey(task.specVersion, hostPortsOf(task.ports), homes));
        if (!group) return;
        group.remove(task.id);
        if (group.size > 0) return;
        service.groups.delete(group.key);
        this.dirty.delete(group);
        this.blocked.delete(group);
        this.#services.forgetIfGone(service);
      }
    }
  }

  /** Volumes live elsewhere now: who follows them waits for another node. */
  volumesMoved(names: readonly string[], state: ClusterState): void {
    for (const id of this.#followers.of(names)) {
      const task = state.task(id);
      if (!task) continue;
      this.end(task, 'node', state);
      this.begin(task, 'node', state);
    }
  }

  /** A group is to be tried again. One of a removed service is not: its tasks are being told to go. */
  retry(group: ServiceGroup): void {
    this.blocked.delete(group);
    if (group.service.exists) this.dirty.add(group);
  }

  /** All groups of which no more could be placed are to be tried again. */
  retryBlocked(): void {
    for (const group of this.blocked) this.retry(group);
  }

  /** No more of a group can be placed. `relievable`: the end of a task on some node may help. */
  block(group: ServiceGroup, relievable: boolean): void {
    group.relievable = relievable;
    this.dirty.delete(group);
    this.blocked.add(group);
  }
}
