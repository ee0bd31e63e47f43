/** What a data plane was told, by id, and which services a step concerns: work follows the step, not the whole. */

import type { NetworkId, ServiceId, TaskId } from '@skep/core';
import type {
  MeshChange,
  MeshClient,
  MeshEndpoint,
  MeshNetwork,
  MeshService,
  MeshState,
  MeshStep,
} from './data-plane.ts';

/** What a step concerns. */
export interface Touched {
  /** Services whose rules may differ. */
  readonly services: ReadonlySet<ServiceId>;
  /** Endpoints that are no more, as they were. */
  readonly left: readonly MeshEndpoint[];
  readonly networks: boolean;
  readonly clients: boolean;
}

/** The state, folded from changes. */
export class MeshIndex {
  readonly networks = new Map<NetworkId, MeshNetwork>();
  readonly services = new Map<ServiceId, MeshService>();
  readonly clients = new Map<TaskId, MeshClient>();
  readonly #endpoints = new Map<TaskId, MeshEndpoint>();
  readonly #ofService = new Map<ServiceId, Map<TaskId, MeshEndpoint>>();

  /** The ingress network. Undefined: there is none here. */
  get ingress(): NetworkId | undefined {
    for (const network of this.networks.values()) if (network.isIngress) return network.id;
    return undefined;
  }

  endpointsOf(id: ServiceId): readonly MeshEndpoint[] {
    return [...(this.#ofService.get(id)?.values() ?? [])];
  }

  take(change: MeshChange): Touched {
    const ingress = this.ingress;
    const step = change.kind === 'complete' ? this.#stepTo(change.state) : change;
    const services = new Set<ServiceId>();
    const left: MeshEndpoint[] = [];
    for (const id of step.networks?.removed ?? []) this.networks.delete(id);
    for (const network of step.networks?.set ?? []) this.networks.set(network.id, network);
    for (const id of step.clients?.removed ?? []) this.clients.delete(id);
    for (const client of step.clients?.set ?? []) this.clients.set(client.taskId, client);
    for (const id of step.endpoints?.removed ?? []) {
      const endpoint = this.#remove(id);
      if (endpoint === undefined) continue;
      left.push(endpoint);
      services.add(endpoint.serviceId);
    }
    for (const endpoint of step.endpoints?.set ?? []) {
      const before = this.#remove(endpoint.taskId);
      if (before !== undefined) services.add(before.serviceId);
      this.#put(endpoint);
      services.add(endpoint.serviceId);
    }
    for (const id of step.services?.removed ?? []) {
      this.services.delete(id);
      services.add(id);
    }
    for (const service of step.services?.set ?? []) {
      this.services.set(service.id, service);
      services.add(service.id);
    }
    // Published ports lead through that network.
    if (this.ingress !== ingress) for (const id of this.services.keys()) services.add(id);
    return {
      services,
      left,
      networks: step.networks !== undefined,
      clients: step.clients !== undefined,
    };
  }

  #stepTo({ networks, services, endpoints, clients }: MeshState): Required<MeshStep> {
    const idOf = <Id>({ id }: { readonly id: Id }) => id;
    const taskOf = ({ taskId }: { readonly taskId: TaskId }) => taskId;
    return {
      networks: { set: networks, removed: missing(this.networks, networks.map(idOf)) },
      services: { set: services, removed: missing(this.services, services.map(idOf)) },
      endpoints: { set: endpoints, removed: missing(this.#endpoints, endpoints.map(taskOf)) },
      clients: { set: clients, removed: missing(this.clients, clients.map(taskOf)) },
    };
  }

  #put(endpoint: MeshEndpoint): void {
    this.#endpoints.set(endpoint.taskId, endpoint);
    const same = this.#ofService.get(endpoint.serviceId);
    if (same) same.set(endpoint.taskId, endpoint);
    else this.#ofService.set(endpoint.serviceId, new Map([[endpoint.taskId, endpoint]]));
  }

  #remove(id: TaskId): MeshEndpoint | undefined {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return undefined;
    this.#endpoints.delete(id);
    const same = this.#ofService.get(endpoint.serviceId);
    same?.delete(id);
    if (same?.size === 0) this.#ofService.delete(endpoint.serviceId);
    return endpoint;
  }
}

function missing<Id>(known: ReadonlyMap<Id, unknown>, listed: readonly Id[]): readonly Id[] {
  const present = new Set(listed);
  return [...known.keys()].filter((id) => !present.has(id));
}
