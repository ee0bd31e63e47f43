/** Which published ports of the cluster are taken, and by which service. One space per protocol, ingress mode only. */

import type { ServiceId } from '../../model/ids.ts';
import type { AllocatedPort, Service } from '../../model/objects.ts';
import type { PortSpec } from '../../model/service-spec.ts';

/** First and last port that is given where a spec leaves it open. */
export const DYNAMIC_PORT_FIRST = 30_000;
export const DYNAMIC_PORT_LAST = 32_767;

/** What came of asking for ports: all of them, or the reason why not. */
type PortAllocation = { readonly ports: readonly AllocatedPort[] } | { readonly conflict: PortConflict };

/** Why a service can't have its ports. */
export type PortConflict =
  | {
      readonly kind: 'taken';
      readonly port: number;
      readonly protocol: PortSpec['protocol'];
      readonly by: ServiceId;
    }
  | { readonly kind: 'exhausted'; readonly protocol: PortSpec['protocol'] };

type PortKey = `${number}/${PortSpec['protocol']}`;

/** The published ports in use: an index over the endpoints of all services. */
export class PortSpace {
  readonly #holders = new Map<PortKey, ServiceId>();

  clear(): void {
    this.#holders.clear();
  }

  /** Notes that a service's endpoint is now another. Returns true when a port was freed. */
  move(before: Service | undefined, after: Service | undefined): boolean {
    if (before?.endpoint === after?.endpoint) return false;
    const kept = new Set<PortKey>();
    for (const key of ingressKeys(after)) {
      kept.add(key);
      if (after) this.#holders.set(key, after.id);
    }
    let freed = false;
    for (const key of ingressKeys(before)) {
      if (kept.has(key) || this.#holders.get(key) !== before?.id) continue;
      this.#holders.delete(key);
      freed = true;
    }
    return freed;
  }

  /**
   * Finds ports for a service: those that its spec names, and for the others the ones that it had, or the lowest
   * free. Takes them at once, so that services asking in turn never get the same. All or none.
   *
   * @param previous Ports that tasks of the service were given before.
   */
  allocate(service: Service, previous: readonly AllocatedPort[]): PortAllocation {
    const taken = new Set<PortKey>();
    const giveBack = (conflict: PortConflict): PortAllocation => {
      for (const key of taken) this.#holders.delete(key);
      return { conflict };
    };
    const claim = (key: PortKey): boolean => {
      const holder = this.#holders.get(key);
      if (holder !== undefined && (holder !== service.id || taken.has(key))) return false;
      this.#holders.set(key, service.id);
      taken.add(key);
      return true;
    };
    const ports: AllocatedPort[] = [...service.spec.ports];
    // Named ones first: a port left open must not take what the same spec names further down.
    for (const { mode, published, protocol } of ports) {
      if (mode !== 'ingress' || published === undefined) continue;
      const key: PortKey = `${published}/${protocol}`;
      const by = this.#holders.get(key) ?? service.id;
      if (!claim(key)) return giveBack({ kind: 'taken', port: published, protocol, by });
    }
    // What was not free for one port is not free for the next, so the search for the lowest goes on from there.
    const lowest = new Map<PortSpec['protocol'], number>();
    for (const [index, port] of ports.entries()) {
      if (port.mode !== 'ingress' || port.published !== undefined) continue;
      const { protocol } = port;
      let published = dynamicBefore(port, previous).find((number) => claim(`${number}/${protocol}`));
      if (published === undefined) {
        published = lowest.get(protocol) ?? DYNAMIC_PORT_FIRST;
        while (published <= DYNAMIC_PORT_LAST && !claim(`${published}/${protocol}`)) published++;
        if (published > DYNAMIC_PORT_LAST) return giveBack({ kind: 'exhausted', protocol });
        lowest.set(protocol, published + 1);
      }
      ports[index] = { ...port, published };
    }
    return { ports };
  }
}

/** Ports that were given to this port before. */
function dynamicBefore(port: PortSpec, previous: readonly AllocatedPort[]): number[] {
  return previous.flatMap((other) =>
    other.target === port.target &&
    other.protocol === port.protocol &&
    other.mode === 'ingress' &&
    other.published !== undefined &&
    isDynamic(other.published)
      ? [other.published]
      : [],
  );
}

const isDynamic = (port: number) => port >= DYNAMIC_PORT_FIRST && port <= DYNAMIC_PORT_LAST;

function ingressKeys(service: Service | undefined): PortKey[] {
  return (service?.endpoint?.ports ?? []).flatMap((port): PortKey[] =>
    port.mode === 'ingress' && port.published !== undefined ? [`${port.published}/${port.protocol}`] : [],
  );
}
