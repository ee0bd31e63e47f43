/** Why the allocator can't give what is asked for, in words. */

import type { NetworkId } from '../../model/ids.ts';
import type { Service } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type MissingNetwork, networkName } from './network-lookup.ts';
import { DYNAMIC_PORT_FIRST, DYNAMIC_PORT_LAST, type PortConflict } from './port-space.ts';

/** A service can't have its ports. */
export function conflictInWords(conflict: PortConflict, service: Service, state: ClusterState): string {
  if (conflict.kind === 'exhausted') {
    return `no ${conflict.protocol} port from ${DYNAMIC_PORT_FIRST} to ${DYNAMIC_PORT_LAST} is free`;
  }
  const port = `port ${conflict.port}/${conflict.protocol}`;
  if (conflict.by === service.id) return `${port} is published twice by the service`;
  return `${port} is already published by service ${state.service(conflict.by)?.spec.name ?? conflict.by}`;
}

/** A network has no address for somebody. */
export function lackInWords(
  { lack, reason }: { readonly lack: NetworkId; readonly reason: 'no-subnet' | 'full' },
  state: ClusterState,
): string {
  const name = networkName(state, lack);
  if (reason === 'full') return `no address is free in network ${name}`;
  const why = state.network(lack)?.allocationError;
  return `network ${name} has no subnet${why === undefined ? '' : `: ${why}`}`;
}

/** A network that is named is not there. */
export function missingInWords({ missing }: MissingNetwork): string {
  return `network ${missing} does not exist`;
}
