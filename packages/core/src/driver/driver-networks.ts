/**
 * The port between whoever makes a node's networks and the driver that lets tasks into them: the one says which networks
 * there are on the node, and on which bridge, the other keeps them in step in its runtime.
 */

import type { NetworkId } from '../model/ids.ts';

/** A network of the node, as its driver is told of it. */
export interface DriverNetwork {
  readonly id: NetworkId;
  readonly name: string;
  /** The bridge that it is on, made already. Absent: the driver makes one. */
  readonly bridge?: string;
  /** Largest packet, in bytes. Absent: the runtime's own default. */
  readonly mtu?: number;
  /** With what stands for the network on this node, which tasks reach the outside by. IPv4 first. */
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string }[];
  readonly isInternal: boolean;
  /** Where tasks ask for names. Empty: the runtime's own way. */
  readonly resolvers: readonly string[];
}

/** Keeps the networks of a node's runtime. Whatever it makes carries the network's id, and it touches nothing else. */
export interface DriverNetworks {
  /**
   * Makes it, or finds it made; one that is not as it should be and that nobody is in is made anew.
   *
   * @throws DriverError
   */
  ensure(network: DriverNetwork, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Removes it. @returns false: somebody is still in it, so it is there yet @throws DriverError */
  remove(id: NetworkId, options: { readonly signal: AbortSignal }): Promise<boolean>;
  /** Those that there are, of this node or of others that share the runtime. @throws DriverError */
  list(options: { readonly signal: AbortSignal }): Promise<readonly NetworkId[]>;
}
