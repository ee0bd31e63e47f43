/** What passing traffic on takes beside the endpoints, read off the state. */

import type { NetworkId } from '../model/ids.ts';
import { isClusterWide, isEncrypted, mtuOf } from '../model/network.ts';
import type { Network, Node, Service, Task } from '../model/objects.ts';
import { isTerminal } from '../model/task-state.ts';
import type { TrafficClient, TrafficNetwork, TrafficNode, TrafficService } from '../model/traffic.ts';
import type { ClusterState } from './cluster-state.ts';

/** A service as it is looked for. Nothing for one that can be found by nobody: it has neither networks nor ports. */
export function trafficServiceOf(
  state: Pick<ClusterState, 'idByName' | 'network'>,
  service: Service,
): TrafficService | undefined {
  const { spec, endpoint, vips = [], id } = service;
  const ports = (endpoint?.ports ?? []).filter(({ mode, published }) => mode === 'ingress' && published);
  const networks = spec.task.networks.flatMap(({ name, aliases }) => {
    const networkId = (state.idByName('network', name) ?? name) as NetworkId;
    const network = state.network(networkId);
    return network && isClusterWide(network.spec) ? [{ networkId, aliases }] : [];
  });
  if (ports.length === 0 && networks.length === 0) return undefined;
  const { name, balancing } = spec;
  return { id, name, vips, networks, ports, ...(balancing && { balancing }) };
}

/** A network that tasks can be in. */
export function trafficNetworkOf({ id, spec, allocation }: Network): TrafficNetwork | undefined {
  if (!allocation) return undefined;
  const mtu = mtuOf(spec);
  return {
    ...{ id, name: spec.name, allocation },
    isInternal: spec.internal,
    isEncrypted: isEncrypted(spec),
    isIngress: spec.ingress,
    isAttachable: spec.attachable,
    ...(mtu !== undefined && { mtu }),
  };
}

/** A node that is in networks. One that is down stays: what is in its networks may run on. */
export function trafficNodeOf({ id, attachments, status, description }: Node): TrafficNode | undefined {
  if (!attachments) return undefined;
  const { trafficKey } = description;
  return { id, address: status.address, attachments, ...(trafficKey !== undefined && { trafficKey }) };
}

/** A task that is in networks, until it has ended. */
export function trafficClientOf({ id, serviceId, attachments, status }: Task): TrafficClient | undefined {
  if (!attachments || isTerminal(status.state)) return undefined;
  return { taskId: id, serviceId, attachments };
}
