/** Which networks services and tasks are in. */

import type { NetworkId } from '../../model/ids.ts';
import { isClusterWide } from '../../model/network.ts';
import type { Network, NetworkAttachment, Service, Task } from '../../model/objects.ts';
import type { PortSpec } from '../../model/service-spec.ts';
import type { TaskSpec } from '../../model/task-spec.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

/** Finds networks. `ingress` is the one that published ports come in by, if there is one. */
export interface NetworkLookup {
  readonly state: ClusterState;
  readonly ingress: NetworkId | undefined;
}

/** What stands in the way: a network that is named and does not exist. */
export interface MissingNetwork {
  readonly missing: string;
}

const NONE: readonly NetworkId[] = [];

/** Networks in which a service has a virtual address. */
export function networksOfService(
  { spec }: Pick<Service, 'spec'>,
  lookup: NetworkLookup,
): readonly NetworkId[] | MissingNetwork {
  return spec.endpointMode === 'dnsrr' ? NONE : networksOf(spec.task, spec.ports, lookup);
}

/** Networks in which a task has an address. */
export function networksOfTask(
  { spec, ports }: Pick<Task, 'spec' | 'ports'>,
  lookup: NetworkLookup,
): readonly NetworkId[] | MissingNetwork {
  return networksOf(spec, ports, lookup);
}

/** Whether a service has its virtual addresses, no fewer and no more. */
export function hasVips(service: Service, lookup: NetworkLookup): boolean {
  const wanted = networksOfService(service, lookup);
  return !('missing' in wanted) && isIn(service.vips ?? [], wanted);
}

/** Whether these are places in these networks, one in each. */
export function isIn(places: readonly NetworkAttachment[], networks: readonly NetworkId[]): boolean {
  return (
    places.length === networks.length && networks.every((id) => places.some((each) => each.networkId === id))
  );
}

/** A network's name, for people. */
export function networkName(state: ClusterState, id: NetworkId): string {
  return state.network(id)?.spec.name ?? id;
}

function networksOf(
  { networks }: Pick<TaskSpec, 'networks'>,
  ports: readonly PortSpec[],
  { state, ingress }: NetworkLookup,
): readonly NetworkId[] | MissingNetwork {
  const comesIn = ingress !== undefined && ports.some(({ mode }) => mode === 'ingress');
  // Most tasks are in none, and there may be a million of them.
  if (networks.length === 0) return comesIn ? [ingress] : NONE;
  const ids = new Set<NetworkId>(comesIn ? [ingress] : []);
  for (const { name } of networks) {
    const network = byName(state, name);
    if (!network) return { missing: name };
    if (isClusterWide(network.spec)) ids.add(network.id);
  }
  return [...ids];
}

function byName(state: ClusterState, name: string): Network | undefined {
  const id = state.idByName('network', name);
  return state.network((id ?? name) as NetworkId);
}
