/**
 * Gives services their published ports, and moves tasks on from `new` to `pending` once their service has what it
 * needs. It is the authority on ports: what the API let in may still collide here. Ports in host mode are a matter of
 * the scheduler; addresses come with networks.
 *
 * A service without ports needs nothing, and gets no endpoint. A service that can't have its ports says why, and is
 * tried again whenever a port is freed; its tasks stay `new` until then.
 */

import type { ClusterEvent } from '../../events/event.ts';
import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { AllocatedPort, Service, Task } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ControlLoop, type Decision, ROWS_PER_TRANSACTION } from '../control-loop.ts';
import { DYNAMIC_PORT_FIRST, DYNAMIC_PORT_LAST, type PortConflict, PortSpace } from './port-space.ts';

/** Name of the loop, and the actor of its transactions. */
export const ALLOCATOR = 'allocator';

/** Slots that one turn looks at when it has to look at whole services. */
const SLOTS_PER_TURN = 20_000;

/**
 * The allocator's control loop.
 *
 * @param slotsPerTurn Most slots that one decision looks at because whole services are to be looked at.
 */
export function createAllocator(slotsPerTurn = SLOTS_PER_TURN): ControlLoop {
  return new Allocator(slotsPerTurn);
}

/** A search of a whole service, made in slices, for tasks that are `new`. Those made meanwhile are known already. */
interface Search {
  /** The slot to go on from. */
  next: number;
  /** The service was released once more: when this search is over, another begins. */
  again: boolean;
}

class Allocator implements ControlLoop {
  readonly name = ALLOCATOR;
  readonly #ports = new PortSpace();
  /** Services whose ports are to be looked at. */
  readonly #services = new Set<ServiceId>();
  /** Services that could not have their ports. */
  readonly #waiting = new Set<ServiceId>();
  /** Services whose `new` tasks are to be looked for. */
  readonly #released = new Map<ServiceId, Search>();
  /** Tasks that are `new`. */
  #fresh: TaskId[] = [];
  readonly #slotsPerTurn: number;

  constructor(slotsPerTurn: number) {
    this.#slotsPerTurn = slotsPerTurn;
  }

  begin(state: ClusterState): void {
    this.#ports.clear();
    this.#services.clear();
    this.#waiting.clear();
    this.#released.clear();
    this.#fresh = [];
    for (const service of state.services()) {
      this.#ports.move(undefined, service);
      this.#services.add(service.id);
      this.#release(service.id);
    }
  }

  observe(changes: ChangeSet): void {
    const own = changes.actor.kind === 'loop' && changes.actor.name === this.name;
    for (const change of changes.changes) {
      if (change.kind === 'task') {
        if (change.before === undefined && change.after && isToAllocate(change.after)) {
          this.#fresh.push(change.after.id);
        }
      } else if (change.kind === 'service') {
        this.#observeService(change.before, change.after, own);
      }
    }
  }

  decide(state: ClusterState): Decision {
    const events: ClusterEvent[] = [];
    const ready = new Set<ServiceId>();
    this.#allocateServices(state, events, ready);
    const ids = this.#takeTasks(state, ready);
    if (ids.length > 0) events.push({ type: 'task.allocated', ids });
    const more = this.#services.size > 0 || this.#released.size > 0 || this.#fresh.length > 0;
    return { events, more };
  }

  #observeService(before: Service | undefined, after: Service | undefined, own: boolean): void {
    const freed = this.#ports.move(before, after);
    if (freed) {
      for (const id of this.#waiting) this.#services.add(id);
    }
    if (after === undefined) {
      if (before) this.#forget(before.id);
    } else if (before?.spec !== after.spec || before.endpoint !== after.endpoint) {
      this.#waiting.delete(after.id);
      this.#services.add(after.id);
      // Where tasks could go on before, none is left behind; and what the loop gave, it has released itself.
      if (!own && before && !hasWhatItNeeds(before) && hasWhatItNeeds(after)) this.#release(after.id);
    }
  }

  #release(id: ServiceId): void {
    const search = this.#released.get(id);
    if (search) search.again = search.next > 0;
    else this.#released.set(id, { next: 0, again: false });
  }

  #forget(id: ServiceId): void {
    this.#services.delete(id);
    this.#waiting.delete(id);
    this.#released.delete(id);
  }

  #allocateServices(state: ClusterState, events: ClusterEvent[], ready: Set<ServiceId>): void {
    for (const id of this.#services) {
      if (events.length >= ROWS_PER_TRANSACTION / 10) return;
      this.#services.delete(id);
      const service = state.service(id);
      if (service === undefined || hasWhatItNeeds(service)) continue;
      const result = this.#ports.allocate(service, previousPorts(service, state));
      if ('ports' in result) {
        events.push({ type: 'service.allocated', id, endpoint: { ports: result.ports } });
        this.#waiting.delete(id);
        ready.add(id);
        this.#release(id);
      } else {
        const error = reason(result.conflict, service, state);
        this.#waiting.add(id);
        if (service.allocationError !== error) events.push({ type: 'service.unallocated', id, error });
      }
    }
  }

  /** Tasks that may go on, as many as one transaction holds. */
  #takeTasks(state: ClusterState, ready: ReadonlySet<ServiceId>): TaskId[] {
    const ids = new Set<TaskId>();
    const isReady = (id: ServiceId) => {
      const service = state.service(id);
      return service !== undefined && (ready.has(id) || hasWhatItNeeds(service));
    };
    const fresh = this.#fresh;
    let taken = 0;
    for (; taken < fresh.length && ids.size < ROWS_PER_TRANSACTION; taken++) {
      const id = fresh[taken];
      const task = id === undefined ? undefined : state.task(id);
      // Without its ports the service calls for its tasks when it has them.
      if (task && isToAllocate(task) && isReady(task.serviceId)) ids.add(task.id);
    }
    this.#fresh = taken < fresh.length ? fresh.slice(taken) : [];
    let left = this.#slotsPerTurn;
    for (const [id, search] of this.#released) {
      if (ids.size >= ROWS_PER_TRANSACTION || left <= 0) break;
      if (isReady(id)) left = this.#search(id, search, state, ids, left);
      else this.#released.delete(id);
    }
    return [...ids];
  }

  /** Goes on with a search for as many slots as are left, and returns how many are left then. */
  #search(id: ServiceId, search: Search, state: ClusterState, ids: Set<TaskId>, most: number): number {
    let left = most;
    for (const [slot, tasks] of state.slots(id, search.next)) {
      if (left === 0 || ids.size >= ROWS_PER_TRANSACTION) return left;
      for (const task of tasks) if (isToAllocate(task)) ids.add(task.id);
      search.next = slot + 1;
      left--;
    }
    this.#released.delete(id);
    if (search.again) this.#release(id);
    return left;
  }
}

/** A task that the allocator has to move on. One that is not to run any more is left to the task reaper. */
function isToAllocate(task: Task): boolean {
  return task.status.state === 'new' && isMeantToRun(task.desiredState);
}

function hasWhatItNeeds(service: Service): boolean {
  return service.spec.ports.length === 0 || service.endpoint !== undefined;
}

/** Ports that a task of the service still has from an earlier endpoint: users keep the port that they know. */
function previousPorts(service: Service, state: ClusterState): readonly AllocatedPort[] {
  if (service.spec.ports.every((port) => port.mode === 'host' || port.published !== undefined)) return [];
  for (const task of state.tasksOfService(service.id)) {
    if (task.status.state !== 'new' && isMeantToRun(task.desiredState)) return task.ports;
  }
  return [];
}

function reason(conflict: PortConflict, service: Service, state: ClusterState): string {
  if (conflict.kind === 'exhausted') {
    return `no ${conflict.protocol} port from ${DYNAMIC_PORT_FIRST} to ${DYNAMIC_PORT_LAST} is free`;
  }
  const port = `port ${conflict.port}/${conflict.protocol}`;
  if (conflict.by === service.id) return `${port} is published twice by the service`;
  return `${port} is already published by service ${state.service(conflict.by)?.spec.name ?? conflict.by}`;
}
