/** Names of services and tasks, and whose addresses they stand for, kept in step with what a data plane was told. */

import type { NetworkId, ServiceId } from '@skep/core';
import type { MeshEndpoint, MeshService } from '../data-plane.ts';
import type { MeshIndex } from '../mesh-index.ts';

/** Networks that whoever asks is in, the first one first; `all` for the node itself. */
export type Scope = 'all' | ReadonlySet<NetworkId>;

/** Where things are reached, as the data plane has it. */
export interface NameAddresses {
  /** Virtual addresses. None: the name stands for the tasks. */
  ofService(service: MeshService, network: NetworkId | undefined): readonly string[];
  ofTask(endpoint: MeshEndpoint, network: NetworkId | undefined): readonly string[];
}

/** Addresses out of the networks' own subnets: where packets reach them. */
export const networkAddresses: NameAddresses = {
  ofService: ({ vips }, network) => addressesIn(vips, network),
  ofTask: ({ attachments }, network) => addressesIn(attachments, network),
};

/** Where something is known by a name. `undefined`: in no network, and so only to the node itself. */
type Place = NetworkId | undefined;

interface Entry {
  readonly service: MeshService;
  readonly endpoints: readonly MeshEndpoint[];
  /** All that it is found by. */
  readonly names: readonly string[];
  readonly pointers: readonly string[];
}

/** Which names there are. Look-ups cost what they find, and a change what it changes. */
export class NameTable {
  readonly #index: MeshIndex;
  readonly #addresses: NameAddresses;
  readonly #entries = new Map<ServiceId, Entry>();
  readonly #services = new Map<string, Set<ServiceId>>();
  readonly #tasks = new Map<string, MeshEndpoint>();
  readonly #pointers = new Map<string, { readonly name: string; readonly network: Place }>();

  constructor(index: MeshIndex, addresses: NameAddresses = networkAddresses) {
    this.#index = index;
    this.#addresses = addresses;
  }

  /** Takes in what has changed of these services and their tasks. */
  take(ids: Iterable<ServiceId>): void {
    for (const id of ids) {
      this.#remove(id);
      const service = this.#index.services.get(id);
      if (service) this.#put(service, this.#index.endpointsOf(id));
    }
  }

  /** Addresses that a name stands for, in no particular order. Undefined: there is no such name in that scope. */
  addressesOf(name: string, scope: Scope): readonly string[] | undefined {
    const wanted = name.toLowerCase();
    const task = this.#tasks.get(wanted);
    if (task) return this.#ofTask(task, scope);
    const isOfTasks = wanted.startsWith('tasks.');
    const ids = this.#services.get(isOfTasks ? wanted.slice('tasks.'.length) : wanted);
    let found: string[] | undefined;
    for (const id of ids ?? []) {
      const place = this.#placeOf(id, isOfTasks ? wanted.slice('tasks.'.length) : wanted, scope);
      if (place === 'hidden') continue;
      found ??= [];
      found.push(...this.#ofService(id, place, isOfTasks));
    }
    return found && [...new Set(found)];
  }

  /** The name that an address has. Undefined: none in that scope. */
  nameOf(address: string, scope: Scope): string | undefined {
    const pointer = this.#pointers.get(address);
    if (!pointer) return undefined;
    return scope === 'all' || (pointer.network && scope.has(pointer.network)) ? pointer.name : undefined;
  }

  #ofService(id: ServiceId, place: Place, isOfTasks: boolean): readonly string[] {
    const entry = this.#entries.get(id);
    if (!entry) return [];
    const vips = isOfTasks ? [] : this.#addresses.ofService(entry.service, place);
    if (vips.length > 0) return vips;
    return entry.endpoints.flatMap((endpoint) => this.#addresses.ofTask(endpoint, place));
  }

  #ofTask(endpoint: MeshEndpoint, scope: Scope): readonly string[] | undefined {
    const { service } = this.#entries.get(endpoint.serviceId) ?? {};
    const place = service && this.#placeOf(service.id, service.name.toLowerCase(), scope);
    return place === 'hidden' ? undefined : this.#addresses.ofTask(endpoint, place);
  }

  /** The first network of the asker that the service goes by this name in. */
  #placeOf(id: ServiceId, name: string, scope: Scope): Place | 'hidden' {
    const service = this.#entries.get(id)?.service;
    if (!service) return 'hidden';
    const isNamed = (aliases: readonly string[]) =>
      service.name.toLowerCase() === name || aliases.some((alias) => alias.toLowerCase() === name);
    const places = service.networks.filter(({ aliases }) => isNamed(aliases));
    if (scope === 'all') return places[0]?.networkId;
    for (const network of scope) if (places.some(({ networkId }) => networkId === network)) return network;
    return 'hidden';
  }

  #put(service: MeshService, endpoints: readonly MeshEndpoint[]): void {
    const aliases = service.networks.flatMap((network) => network.aliases);
    const names = [...new Set([service.name, ...aliases].map((name) => name.toLowerCase()))];
    for (const name of names) {
      const same = this.#services.get(name);
      if (same) same.add(service.id);
      else this.#services.set(name, new Set([service.id]));
    }
    for (const endpoint of endpoints) this.#tasks.set(endpoint.name.toLowerCase(), endpoint);
    const pointers: string[] = [];
    const point = (address: string, name: string, network: Place) => {
      pointers.push(address);
      this.#pointers.set(address, { name, network });
    };
    const places: readonly Place[] =
      service.networks.length > 0 ? service.networks.map(({ networkId }) => networkId) : [undefined];
    for (const place of places) {
      for (const address of this.#addresses.ofService(service, place)) point(address, service.name, place);
    }
    for (const { name, attachments } of endpoints) {
      for (const { addresses, networkId } of attachments) {
        for (const address of addresses) point(address, name, networkId);
      }
    }
    this.#entries.set(service.id, { service, endpoints, names, pointers });
  }

  #remove(id: ServiceId): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    for (const name of entry.names) {
      const same = this.#services.get(name);
      same?.delete(id);
      if (same?.size === 0) this.#services.delete(name);
    }
    for (const { name } of entry.endpoints) this.#tasks.delete(name.toLowerCase());
    for (const address of entry.pointers) this.#pointers.delete(address);
  }
}

function addressesIn(
  places: readonly { readonly networkId: NetworkId; readonly addresses: readonly string[] }[],
  network: NetworkId | undefined,
): readonly string[] {
  return places.find(({ networkId }) => networkId === network)?.addresses ?? [];
}
