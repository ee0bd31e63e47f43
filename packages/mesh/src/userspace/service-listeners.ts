/** Pure: where a node is to listen for a service, and where what comes in goes to. */

import type { Target } from '../balancer/target-pool.ts';
import type { Balance, MeshEndpoint, MeshService, Stickiness } from '../data-plane.ts';

/** What the balancers of userspace carry. */
export type UserspaceProtocol = 'tcp' | 'udp';

/** Traffic for one port of a service's tasks. */
export interface ServicePool {
  /** `tcp 80`. */
  readonly key: string;
  readonly protocol: UserspaceProtocol;
  readonly balance: Balance;
  readonly targets: readonly Target[];
}

/** One place to listen at. */
export interface ServiceListener {
  /** `tcp 127.5.70.3 80`. */
  readonly key: string;
  readonly protocol: UserspaceProtocol;
  readonly host: string;
  readonly port: number;
  /** Key of the pool. */
  readonly pool: string;
  readonly use: 'published' | 'virtual';
  readonly proxyProtocol?: 'v1' | 'v2';
  readonly stickiness?: Stickiness;
}

/** Places of a node. */
export interface ListeningPlaces {
  /** Addresses of the node that published ports answer at. */
  readonly publishOn: readonly string[];
  /** The service's address on this node. */
  readonly vip?: string;
}

/** Pools and listeners of a service. */
export interface ServicePlan {
  readonly pools: readonly ServicePool[];
  readonly listeners: readonly ServiceListener[];
}

/**
 * Published ports in ingress mode are listened for at the node's address, and every port that tasks of the service have
 * at its virtual address.
 */
export function planService(
  service: MeshService,
  endpoints: readonly MeshEndpoint[],
  { publishOn, vip }: ListeningPlaces,
): ServicePlan {
  const { stickiness } = service;
  const sticky = stickiness === undefined ? {} : { stickiness };
  const pools = new Map<string, ServicePool>();
  const listeners = new Map<string, ServiceListener>();
  const listen = (listener: Omit<ServiceListener, 'key'>) => {
    const key = `${listener.protocol} ${listener.host} ${listener.port}`;
    if (!listeners.has(key)) listeners.set(key, { key, ...listener });
  };
  const use = (protocol: string, target: number) => {
    if (protocol === 'sctp') return;
    const known = protocol as UserspaceProtocol;
    const pool = `${protocol} ${target}`;
    if (!pools.has(pool)) pools.set(pool, poolOf(service, endpoints, known, target));
    if (vip !== undefined) {
      listen({ protocol: known, host: vip, port: target, pool, use: 'virtual', ...sticky });
    }
  };
  for (const { protocol, target, published, mode, proxyProtocol } of service.ports) {
    use(protocol, target);
    if (mode !== 'ingress' || protocol === 'sctp') continue;
    const proxied = proxyProtocol === undefined ? {} : { proxyProtocol };
    const pool = `${protocol} ${target}`;
    for (const host of publishOn) {
      listen({ protocol, host, port: published, pool, use: 'published', ...proxied, ...sticky });
    }
  }
  for (const { ports } of endpoints) for (const { protocol, target } of ports) use(protocol, target);
  return { pools: [...pools.values()], listeners: [...listeners.values()] };
}

function poolOf(
  { balance }: MeshService,
  endpoints: readonly MeshEndpoint[],
  protocol: UserspaceProtocol,
  target: number,
): ServicePool {
  const targets = endpoints.flatMap((endpoint) => targetOf(endpoint, protocol, target) ?? []);
  // A datagram has no end, so there is nothing to count.
  const otherwise = protocol === 'tcp' ? 'least-connections' : 'round-robin';
  return { key: `${protocol} ${target}`, protocol, balance: balance ?? otherwise, targets };
}

/** At its node's address, where it has a port there; else in its own network, which this node must have a way to. */
function targetOf(
  { taskId, nodeAddress, ports, attachments }: MeshEndpoint,
  protocol: UserspaceProtocol,
  target: number,
): Target | undefined {
  const own = ports.find((port) => port.target === target && port.protocol === protocol);
  if (own) return { id: taskId, host: nodeAddress, port: own.port };
  const address = attachments.flatMap(({ addresses }) => addresses)[0];
  return address === undefined ? undefined : { id: taskId, host: address, port: target };
}
