/**
 * Networks of tasks on the engine: bridge networks of Docker's, each on the bridge that the node's overlay has made for
 * it. Addresses are the cluster's to give, so the engine is left none to give by itself: its own range is the one address
 * that the node has, and whoever joins without an address is refused rather than given somebody else's.
 */

import type { NetworkAttachment, NetworkId } from '@skep/core';
import { type DriverContext, DriverError, type DriverNetwork } from '@skep/core/driver';
import type { CallOptions, Engine } from './engine.ts';
import { hasStatus, toDriverError } from './engine-error.ts';
import { CLUSTER_LABEL } from './labels.ts';
import { pause } from './pause.ts';

/** Names of the labels that a network carries beside its cluster's. */
const NETWORK_LABEL = 'skep.network.id';
const NETWORK_NAME_LABEL = 'skep.network.name';

/** How long a task waits for its networks, and how often it looks, in milliseconds. */
const WAIT_MS = 60_000;
const POLL_MS = 50;

interface InspectedNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Internal: boolean;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly IPAM: {
    readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null;
  };
}

/** The networks of one node's engine. */
export class EngineNetworks {
  readonly #engine: Engine;
  readonly #context: DriverContext;
  /** As they were told last. */
  readonly #known = new Map<NetworkId, DriverNetwork>();

  constructor(engine: Engine, context: DriverContext) {
    this.#engine = engine;
    this.#context = context;
  }

  async ensure(network: DriverNetwork, signal: AbortSignal): Promise<void> {
    await asDriverError(async () => {
      const found = await this.#inspect(network.id, signal);
      if (found !== undefined && !isAsTold(found, network)) {
        if (!(await this.#removeUnused(network.id, signal)))
          throw new DriverError(
            `the network ${found.Name} of the engine is another one than it should be, and containers are in it: remove them`,
            { temporary: true },
          );
        await this.#create(network, signal);
      }
      if (found === undefined) await this.#create(network, signal);
    });
    this.#known.set(network.id, network);
  }

  remove(id: NetworkId, signal: AbortSignal): Promise<boolean> {
    this.#known.delete(id);
    return asDriverError(() => this.#removeUnused(id, signal));
  }

  list(signal: AbortSignal): Promise<readonly NetworkId[]> {
    return asDriverError(async () => {
      const filters = JSON.stringify({
        label: [`${CLUSTER_LABEL}=${this.#context.clusterId}`, NETWORK_LABEL],
      });
      const found = await this.#engine.get<readonly InspectedNetwork[]>(
        { what: 'list networks', signal },
        '/networks',
        { filters },
      );
      return found.flatMap(({ Labels }) => {
        const id = Labels?.[NETWORK_LABEL];
        return id === undefined ? [] : [id as NetworkId];
      });
    });
  }

  /** Waits until all of them are there. @throws DriverError when one does not come, the signal's reason on abort */
  async await(
    attachments: readonly NetworkAttachment[],
    signal: AbortSignal,
  ): Promise<readonly DriverNetwork[]> {
    const { clock } = this.#context;
    const until = clock.monotonic() + WAIT_MS;
    for (;;) {
      const missing = attachments.find(({ networkId }) => !this.#known.has(networkId));
      if (missing === undefined) break;
      if (clock.monotonic() >= until)
        throw new DriverError(
          `network ${missing.networkId} is not there on this node after ${WAIT_MS / 1000} s: see what the node says of its networks`,
          { temporary: true },
        );
      await pause(clock, POLL_MS, signal);
    }
    return attachments.flatMap(({ networkId }) => this.#known.get(networkId) ?? []);
  }

  /** Connects a container to a network beside its first one. One that is connected already stays so. */
  async connect(
    container: string,
    attachment: NetworkAttachment,
    options: Omit<CallOptions, 'what'> = {},
  ): Promise<void> {
    try {
      await this.#engine.call({ what: 'connect', ...options }, (docker) =>
        docker
          .getNetwork(networkName(attachment.networkId))
          .connect({ Container: container, EndpointConfig: endpointConfig(attachment) }),
      );
    } catch (error) {
      if (!hasStatus(error, 403) || !/already exists/i.test(error.message)) throw error;
    }
  }

  async #inspect(id: NetworkId, signal: AbortSignal): Promise<InspectedNetwork | undefined> {
    try {
      return await this.#engine.get({ what: 'inspect network', signal }, `/networks/${networkName(id)}`);
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async #create({ id, name, bridge, mtu, subnets, isInternal }: DriverNetwork, signal: AbortSignal) {
    const isIPv6 = subnets.some(({ subnet }) => subnet.includes(':'));
    try {
      await this.#engine.call({ what: 'create network', signal }, (docker) =>
        docker.createNetwork({
          Name: networkName(id),
          CheckDuplicate: true,
          Driver: 'bridge',
          Internal: isInternal,
          EnableIPv6: isIPv6,
          IPAM: {
            Driver: 'default',
            Config: subnets.map(({ subnet, gateway }) => ({
              Subnet: subnet,
              Gateway: gateway,
              IPRange: `${gateway}/${gateway.includes(':') ? 128 : 32}`,
            })),
          },
          Options: {
            ...(bridge !== undefined && { [BRIDGE_OPTION]: bridge }),
            ...(mtu !== undefined && { [MTU_OPTION]: String(mtu) }),
          },
          Labels: {
            [CLUSTER_LABEL]: this.#context.clusterId,
            [NETWORK_LABEL]: id,
            [NETWORK_NAME_LABEL]: name,
          },
        }),
      );
    } catch (error) {
      // Another node that shares the engine was faster.
      if (!hasStatus(error, 409)) throw error;
    }
  }

  /** The engine lets a network go that only stopped containers are in, which would never start again. */
  async #removeUnused(id: NetworkId, signal: AbortSignal): Promise<boolean> {
    const filters = { network: [networkName(id)] };
    const users = await this.#engine.call({ what: 'list', signal }, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    if (users.some(({ State }) => State !== 'exited' && State !== 'dead')) return false;
    try {
      await this.#engine.call({ what: 'remove network', signal }, (docker) =>
        docker.getNetwork(networkName(id)).remove(),
      );
    } catch (error) {
      if (hasStatus(error, 403)) return false;
      if (!hasStatus(error, 404)) throw error;
    }
    return true;
  }
}

const BRIDGE_OPTION = 'com.docker.network.bridge.name';
const MTU_OPTION = 'com.docker.network.driver.mtu';

/** The engine's name of a network: names of the cluster's networks may be taken on an engine. */
export function networkName(id: NetworkId): string {
  return `skep-${id}`;
}

/** A place in a network, in the engine's words. */
export function endpointConfig({ addresses }: NetworkAttachment) {
  const ipv4 = addresses.find((address) => !address.includes(':'));
  const ipv6 = addresses.find((address) => address.includes(':'));
  return {
    IPAMConfig: {
      ...(ipv4 !== undefined && { IPv4Address: ipv4 }),
      ...(ipv6 !== undefined && { IPv6Address: ipv6 }),
    },
  };
}

/** Nodes that share an engine differ in their gateways, and the first one's is the engine's. */
function isAsTold(found: InspectedNetwork, { bridge, mtu, subnets, isInternal }: DriverNetwork): boolean {
  const present = new Set((found.IPAM.Config ?? []).map(({ Subnet }) => Subnet));
  return (
    found.Internal === isInternal &&
    found.Options?.[BRIDGE_OPTION] === bridge &&
    found.Options?.[MTU_OPTION] === (mtu === undefined ? undefined : String(mtu)) &&
    subnets.every(({ subnet }) => present.has(subnet))
  );
}

async function asDriverError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDriverError(error, 'network');
  }
}
