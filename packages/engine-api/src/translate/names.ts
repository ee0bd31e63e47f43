/** What specs refer to by name and the engine by id, and the other way round. */

import type { Cluster, Network } from '@skep/core';

/** Finds ids and names. Undefined: there is none. */
export interface Names {
  network(id: string): Network | undefined;
  /** The name of the network with this id or name. */
  networkName(target: string): string | undefined;
  networkId(name: string): string | undefined;
  secretId(name: string): string | undefined;
  configId(name: string): string | undefined;
}

/** The names of a cluster, as they are while it is asked. */
export function namesOf({
  networks,
  secrets,
  configs,
}: Pick<Cluster, 'networks' | 'secrets' | 'configs'>): Names {
  return {
    network: (id) => found(() => networks.inspect(id)),
    networkName: (target) => found(() => networks.inspect(target).spec.name),
    networkId: (name) => found(() => networks.inspect(name).id),
    secretId: (name) => found(() => secrets.inspect(name).id),
    configId: (name) => found(() => configs.inspect(name).id),
  };
}

function found<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
