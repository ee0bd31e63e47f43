/** Whose the published ports of a node are: each is one service's, as long as no other program has it. */

import type { ServiceId } from '@skep/core';
import type { MeshPort, MeshProblem, MeshService, Protocol } from '../data-plane.ts';
import { PortHolder } from './port-holder.ts';

interface Owned {
  readonly protocol: Protocol;
  readonly port: number;
  readonly serviceId: ServiceId;
}

/** The ports of one node. */
export class PublishedPorts {
  readonly #holder: PortHolder;
  #owned: ReadonlyMap<string, Owned> = new Map();
  #taken: ReadonlySet<string> = new Set();
  #problems: readonly MeshProblem[] = [];

  /** @param address - the one that ports are published at. Absent: all of the machine's */
  constructor(address?: string) {
    this.#holder = new PortHolder(address);
  }

  /** Services that can't have what they publish here. */
  get problems(): readonly MeshProblem[] {
    return this.#problems;
  }

  /** Takes what these services publish. @returns those for which something is different now */
  async take(services: Iterable<MeshService>): Promise<ReadonlySet<ServiceId>> {
    const owned = new Map<string, Owned>();
    const problems: MeshProblem[] = [];
    for (const { id, name, ports } of services) {
      for (const port of ports) {
        if (port.mode !== 'ingress') continue;
        const { protocol, published } = port;
        const other = owned.get(keyOf(port));
        if (other === undefined) owned.set(keyOf(port), { protocol, port: published, serviceId: id });
        else if (other.serviceId !== id)
          problems.push(
            inUse(id, `${published}/${protocol} of service ${name} is published by another service`),
          );
      }
    }
    const taken = await this.#holder.hold(owned);
    for (const key of taken) {
      const { serviceId, port, protocol } = owned.get(key) ?? {};
      if (serviceId === undefined) continue;
      const words = `${port}/${protocol} is taken by another program on this node, so it does not lead to the service here`;
      problems.push(inUse(serviceId, `${words}: stop that program, or publish another port`));
    }
    const changed = new Set<ServiceId>();
    for (const [key, { serviceId }] of [...this.#owned, ...owned]) {
      const isSame = this.#owned.get(key)?.serviceId === owned.get(key)?.serviceId;
      if (!isSame || this.#taken.has(key) !== taken.has(key)) changed.add(serviceId);
    }
    this.#owned = owned;
    this.#taken = taken;
    this.#problems = problems;
    return changed;
  }

  /** The service, with the ports that lead to it here. */
  grant(service: MeshService): MeshService {
    const isGranted = (port: MeshPort) =>
      this.#owned.get(keyOf(port))?.serviceId === service.id && !this.#taken.has(keyOf(port));
    return service.ports.every(isGranted) ? service : { ...service, ports: service.ports.filter(isGranted) };
  }

  close(): void {
    this.#holder.close();
  }
}

function keyOf({ protocol, published }: MeshPort): string {
  return `${protocol}/${published}`;
}

function inUse(id: ServiceId, words: string): MeshProblem {
  return { subject: { kind: 'service', id }, code: 'port-in-use', message: `port ${words}` };
}
