/**
 * Gives networks their subnets, services their published ports and virtual addresses, tasks and nodes their places in
 * networks, and moves tasks on from `new` to `pending` once they and their service have what they need. It is the
 * authority on ports and addresses: what the API let in may still collide here. Ports in host mode are a matter of the
 * scheduler.
 *
 * A service without ports and networks needs nothing, and gets nothing. What can't be had is told, as the service's
 * reason or the task's, and is tried again whenever anything of its kind is freed; tasks stay `new` until then.
 */

import type { ClusterEvent } from '../../events/event.ts';
import type { NetworkId, ServiceId } from '../../model/ids.ts';
import { isClusterWide } from '../../model/network.ts';
import type {
  AllocatedPort,
  ClusterObject,
  Network,
  NetworkAttachment,
  Service,
} from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ControlLoop, type Decision, ROWS_PER_TRANSACTION } from '../control-loop.ts';
import { AddressBook } from './address-book.ts';
import { conflictInWords, lackInWords, missingInWords } from './allocation-in-words.ts';
import { hasVips, type NetworkLookup, networksOfService } from './network-lookup.ts';
import { isToAllocate, NewTasks } from './new-tasks.ts';
import { NodePlaces } from './node-places.ts';
import { PortSpace } from './port-space.ts';
import { SubnetSpace } from './subnet-space.ts';
import { TaskPlaces } from './task-places.ts';

/** Name of the loop, and the actor of its transactions. */
export const ALLOCATOR = 'allocator';

/** Slots that one turn looks at when it has to look at whole services. */
const SLOTS_PER_TURN = 20_000;

/** Most services, and most networks, that one turn gives something. */
const OBJECTS_PER_TURN = ROWS_PER_TRANSACTION / 10;

/**
 * The allocator's control loop.
 *
 * @param slotsPerTurn Most slots that one decision looks at because whole services are to be looked at.
 * @param book Where it notes which addresses are taken.
 */
export function createAllocator(slotsPerTurn = SLOTS_PER_TURN, book = new AddressBook()): ControlLoop {
  return new Allocator(slotsPerTurn, book);
}

class Allocator implements ControlLoop {
  readonly name = ALLOCATOR;
  readonly #ports = new PortSpace();
  readonly #subnets = new SubnetSpace();
  readonly #book: AddressBook;
  readonly #nodes: NodePlaces;
  readonly #places: TaskPlaces;
  readonly #tasks: NewTasks;
  /** Networks that are to be looked at, and those that could not have what they need. */
  readonly #networks = new Set<NetworkId>();
  readonly #waitingNetworks = new Set<NetworkId>();
  /** Services that are to be looked at, and those that could not have what they need. */
  readonly #services = new Set<ServiceId>();
  readonly #waiting = new Set<ServiceId>();
  #ingress: NetworkId | undefined;

  constructor(slotsPerTurn: number, book: AddressBook) {
    this.#book = book;
    this.#nodes = new NodePlaces(book);
    this.#places = new TaskPlaces(book);
    this.#tasks = new NewTasks(slotsPerTurn);
  }

  begin(state: ClusterState): void {
    for (const each of [this.#ports, this.#subnets, this.#book, this.#nodes, this.#places, this.#tasks])
      each.clear();
    for (const each of [this.#networks, this.#waitingNetworks, this.#services, this.#waiting]) each.clear();
    this.#ingress = undefined;
    let hasNetworks = false;
    for (const network of state.networks()) {
      this.#observeNetwork(undefined, network);
      hasNetworks = true;
    }
    for (const service of state.services()) {
      this.#ports.move(undefined, service);
      this.#book.move(undefined, service.vips);
      this.#services.add(service.id);
      this.#tasks.release(service.id);
    }
    if (!hasNetworks) return;
    for (const node of state.nodes()) this.#nodes.noteNode(undefined, node);
    for (const task of state.tasks()) if (task.attachments) this.#places.noteTask(undefined, task);
    for (const task of state.tasks()) if (task.attachments) this.#nodes.noteTask(undefined, task);
    this.#book.takeFreed();
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    const own = changes.actor.kind === 'loop' && changes.actor.name === this.name;
    for (const change of changes.changes) {
      switch (change.kind) {
        case 'task': {
          const { before, after } = change;
          if (before?.attachments || after?.attachments) {
            this.#places.noteTask(before, after);
            this.#nodes.noteTask(before, after);
          }
          if (before === undefined && after && isToAllocate(after)) this.#tasks.add(after.id);
          break;
        }
        case 'service':
          this.#observeService(change.before, change.after, own, state);
          break;
        case 'node':
          this.#nodes.noteNode(change.before, change.after);
          break;
        case 'network':
          this.#observeNetwork(change.before, change.after);
          break;
        case 'cluster':
          this.#observeCluster(change.before, change.after);
          break;
        default:
      }
    }
  }

  decide(state: ClusterState): Decision {
    this.#retryFreed();
    const events: ClusterEvent[] = [];
    const ready = new Set<ServiceId>();
    const lookup: NetworkLookup = { state, ingress: this.#ingress };
    this.#allocateNetworks(state, events);
    this.#allocateServices(lookup, events, ready);
    const isReady = (id: ServiceId) => {
      const service = state.service(id);
      return service !== undefined && (ready.has(id) || hasWhatItNeeds(service, lookup));
    };
    events.push(...this.#places.decide(this.#tasks.take(state, isReady), lookup));
    const rows = this.#nodes.decide(state, this.#ingress);
    if (rows.length > 0) events.push({ type: 'node.attached', rows });
    const more =
      this.#networks.size > 0 || this.#services.size > 0 || this.#tasks.isMarked || this.#nodes.isMarked;
    return { events, more };
  }

  /** Whoever waits for an address in a network that has one is looked at again. */
  #retryFreed(): void {
    const freed = this.#book.takeFreed();
    if (freed.length === 0) return;
    this.#retryServices();
    this.#nodes.retry();
    for (const networkId of freed) for (const id of this.#places.retry(networkId)) this.#tasks.add(id);
  }

  #retryServices(): void {
    for (const id of this.#waiting) this.#services.add(id);
  }

  #observeService(
    before: Service | undefined,
    after: Service | undefined,
    own: boolean,
    state: ClusterState,
  ): void {
    this.#book.move(before?.vips, after?.vips);
    if (this.#ports.move(before, after)) this.#retryServices();
    if (after === undefined) {
      if (before) this.#forget(before.id);
    } else if (before?.spec !== after.spec || before.endpoint !== after.endpoint) {
      this.#waiting.delete(after.id);
      this.#services.add(after.id);
      const lookup = { state, ingress: this.#ingress };
      // Where tasks could go on before, none is left behind; and what the loop gave, it has released itself.
      if (!own && before && !hasWhatItNeeds(before, lookup) && hasWhatItNeeds(after, lookup))
        this.#tasks.release(after.id);
    }
  }

  #observeNetwork(before: Network | undefined, after: Network | undefined): void {
    this.#book.note(before, after);
    if (!before) {
      this.#retryServices();
      for (const id of this.#places.retryLost()) this.#tasks.add(id);
    }
    if (this.#subnets.note(before, after)) {
      for (const id of this.#waitingNetworks) this.#networks.add(id);
      this.#waitingNetworks.clear();
    }
    if (after?.spec.ingress) this.#ingress = after.id;
    else if (before && this.#ingress === before.id) this.#ingress = undefined;
    if (after) {
      if (after.allocation === undefined && !this.#waitingNetworks.has(after.id))
        this.#networks.add(after.id);
    } else if (before) {
      this.#networks.delete(before.id);
      this.#waitingNetworks.delete(before.id);
    }
  }

  /** Other pools may have room for what waits. */
  #observeCluster(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    if (before?.spec.addressPools === after?.spec.addressPools) return;
    for (const id of this.#waitingNetworks) this.#networks.add(id);
    this.#waitingNetworks.clear();
  }

  #forget(id: ServiceId): void {
    this.#services.delete(id);
    this.#waiting.delete(id);
    this.#tasks.forget(id);
  }

  #allocateNetworks(state: ClusterState, events: ClusterEvent[]): void {
    for (const id of this.#networks) {
      if (events.length >= OBJECTS_PER_TURN) return;
      this.#networks.delete(id);
      const network = state.network(id);
      if (!network || network.allocation || !isClusterWide(network.spec)) continue;
      const result = this.#subnets.allocate(network, state);
      if ('subnets' in result) events.push({ type: 'network.allocated', id, allocation: result });
      else {
        this.#waitingNetworks.add(id);
        if (network.allocationError !== result.error)
          events.push({ type: 'network.unallocated', id, error: result.error });
      }
    }
  }

  #allocateServices(lookup: NetworkLookup, events: ClusterEvent[], ready: Set<ServiceId>): void {
    const { state } = lookup;
    const most = events.length + OBJECTS_PER_TURN;
    for (const id of this.#services) {
      if (events.length >= most) return;
      this.#services.delete(id);
      const service = state.service(id);
      if (service === undefined || hasWhatItNeeds(service, lookup)) continue;
      const result = this.#allocateService(service, lookup);
      if ('ports' in result) {
        const { ports, vips } = result;
        const given = vips.length === 0 ? {} : { vips };
        events.push({ type: 'service.allocated', id, endpoint: { ports }, ...given });
        this.#waiting.delete(id);
        ready.add(id);
        this.#tasks.release(id);
      } else {
        const { error, about } = result;
        this.#waiting.add(id);
        if (service.allocationError !== error)
          events.push({ type: 'service.unallocated', id, error, ...(about ? { about } : {}) });
      }
    }
  }

  /** All that a service needs, or why it can't have it. */
  #allocateService(service: Service, lookup: NetworkLookup): ServiceAllocation {
    const { state } = lookup;
    const networks = networksOfService(service, lookup);
    if ('missing' in networks) return { error: missingInWords(networks), about: 'addresses' };
    const present = service.vips ?? [];
    const kept = present.filter(({ networkId }) => networks.includes(networkId));
    const places = this.#book.allocate(
      networks.filter((id) => !kept.some(({ networkId }) => networkId === id)),
    );
    if ('lack' in places) return { error: lackInWords(places, state), about: 'addresses' };
    const vips = [...kept, ...places.attachments];
    if (service.endpoint) return { ports: service.endpoint.ports, vips };
    const result = this.#ports.allocate(service, previousPorts(service, state));
    if ('ports' in result) return { ports: result.ports, vips };
    this.#book.release(places.attachments);
    return { error: conflictInWords(result.conflict, service, state) };
  }
}

type ServiceAllocation =
  | { readonly ports: readonly AllocatedPort[]; readonly vips: readonly NetworkAttachment[] }
  | { readonly error: string; readonly about?: 'addresses' };

function hasWhatItNeeds(service: Service, lookup: NetworkLookup): boolean {
  if (service.spec.ports.length > 0 && service.endpoint === undefined) return false;
  return hasVips(service, lookup);
}

/** Ports that a task of the service still has from an earlier endpoint: users keep the port that they know. */
function previousPorts(service: Service, state: ClusterState): readonly AllocatedPort[] {
  if (service.spec.ports.every((port) => port.mode === 'host' || port.published !== undefined)) return [];
  for (const task of state.tasksOfService(service.id)) {
    if (task.status.state !== 'new' && isMeantToRun(task.desiredState)) return task.ports;
  }
  return [];
}
