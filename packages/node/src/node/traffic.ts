/** From what the managers tell of traffic to what a data plane is told: networks come with the nodes that are in them. */

import type { Logger, NetworkId, NodeId, TrafficNetwork, TrafficNode, TrafficService } from '@skep/core';
import type { DataPlane, EndpointsMessage, ServiceEndpoint } from '@skep/core/member';
import type { MeshChange, MeshDataPlane, MeshEndpoint, MeshNetwork, MeshPeer, MeshService } from '@skep/mesh';
import { parseAddress } from '../rpc/address.ts';
import type { OpenDataPlane } from './options.ts';

/** What a node's own part in networks is read off. */
export class TrafficFold {
  readonly #self: NodeId;
  readonly #networks = new Map<NetworkId, TrafficNetwork>();
  readonly #nodes = new Map<NodeId, TrafficNode>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** What a message changes. */
  take(message: EndpointsMessage): MeshChange {
    if (message.kind === 'complete') {
      const { networks, nodes, services, endpoints, clients } = message;
      this.#networks.clear();
      this.#nodes.clear();
      for (const network of networks) this.#networks.set(network.id, network);
      for (const node of nodes) this.#nodes.set(node.id, node);
      const state = {
        networks: networks.flatMap(({ id }) => this.#networkAt(id) ?? []),
        services: services.map(meshService),
        endpoints: endpoints.map(meshEndpoint),
        clients,
      };
      return { kind: 'complete', state };
    }
    const touched = this.#fold(message);
    const { services, clients, joined, left } = message;
    const set = [...touched].flatMap((id) => this.#networkAt(id) ?? []);
    const present = new Set(set.map(({ id }) => id));
    const removed = [...touched].filter((id) => !present.has(id));
    return {
      kind: 'incremental',
      endpoints: { set: joined.map(meshEndpoint), removed: left },
      ...(services && { services: { set: services.set.map(meshService), removed: services.removed } }),
      ...(touched.size > 0 && { networks: { set, removed } }),
      ...(clients && { clients }),
    };
  }

  /** @returns networks that differ, or have other nodes in them */
  #fold({ networks, nodes }: Pick<EndpointsMessage & { kind: 'incremental' }, 'networks' | 'nodes'>) {
    const touched = new Set<NetworkId>();
    const touch = (node: TrafficNode | undefined) => {
      for (const { networkId } of node?.attachments ?? []) touched.add(networkId);
    };
    for (const id of networks?.removed ?? []) {
      this.#networks.delete(id);
      touched.add(id);
    }
    for (const network of networks?.set ?? []) {
      this.#networks.set(network.id, network);
      touched.add(network.id);
    }
    for (const id of nodes?.removed ?? []) {
      touch(this.#nodes.get(id));
      this.#nodes.delete(id);
    }
    for (const node of nodes?.set ?? []) {
      touch(this.#nodes.get(node.id));
      touch(node);
      this.#nodes.set(node.id, node);
    }
    return touched;
  }

  /** Undefined: this node has no part in it. */
  #networkAt(id: NetworkId): MeshNetwork | undefined {
    const network = this.#networks.get(id);
    const placeOf = (node: TrafficNode | undefined) =>
      node?.attachments.find(({ networkId }) => networkId === id);
    const own = placeOf(this.#nodes.get(this.#self));
    if (!network || !own) return undefined;
    const peers = [...this.#nodes.values()].flatMap((node): MeshPeer[] => {
      const place = placeOf(node);
      if (!place || node.id === this.#self) return [];
      const { id: nodeId, address, trafficKey: publicKey } = node;
      return [{ nodeId, address, addresses: place.addresses, ...(publicKey !== undefined && { publicKey }) }];
    });
    const { allocation, ...rest } = network;
    return { ...rest, ...allocation, addresses: own.addresses, peers };
  }
}

/** A node's data plane, and how its agent tells it. */
export interface NodeTraffic {
  readonly dataPlane: DataPlane;
  close: MeshDataPlane['close'];
}

/** Opens a node's data plane, if it is to have one; what that can't bring about is logged. */
export async function openTraffic(
  open: OpenDataPlane | undefined,
  {
    nodeId,
    hostname,
    advertise,
  }: {
    readonly nodeId: NodeId;
    readonly hostname: string;
    readonly advertise: string;
  },
  logger: Logger,
): Promise<NodeTraffic | undefined> {
  if (!open) return undefined;
  const plane = await open({ id: nodeId, hostname, address: parseAddress(advertise).host });
  plane.onStatus(({ problems }) => {
    for (const { code, message } of problems) logger.warn({ code }, message);
  });
  const fold = new TrafficFold(nodeId);
  return {
    dataPlane: {
      ...(plane.publicKey !== undefined && { trafficKey: plane.publicKey }),
      apply: (message, signal) => plane.apply(fold.take(message), signal),
    },
    close: (options) => plane.close(options),
  };
}

function meshService({ ports, balancing = {}, ...service }: TrafficService): MeshService {
  const { algorithm, stickiness } = balancing;
  return {
    ...service,
    ports: ports.flatMap(({ published, proxyProtocol, ...port }) =>
      published === undefined ? [] : [{ ...port, published, ...(proxyProtocol && { proxyProtocol }) }],
    ),
    ...(algorithm && { balance: algorithm }),
    ...(stickiness && { stickiness }),
  };
}

function meshEndpoint({ address, attachments = [], ...endpoint }: ServiceEndpoint): MeshEndpoint {
  return { ...endpoint, nodeAddress: address, attachments };
}
