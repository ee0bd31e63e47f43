/** Parts of a mesh's state, as short as a test wants to say them. */

import type { NetworkId, NodeId, ServiceId, TaskId } from '@skep/core';
import type { MeshEndpoint, MeshNetwork, MeshService } from '../data-plane.ts';

export const networkId = (text: string) => text as NetworkId;
export const serviceId = (text: string) => text as ServiceId;
export const taskId = (text: string) => text as TaskId;
export const nodeId = (text: string) => text as NodeId;

/** A network of `10.0.1.0/24`, unless it says otherwise. */
export function aNetwork(id: string, change: Partial<MeshNetwork> = {}): MeshNetwork {
  return {
    id: networkId(id),
    name: id,
    subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }],
    vni: 4097,
    isInternal: false,
    isEncrypted: false,
    isIngress: false,
    isAttachable: false,
    addresses: ['10.0.1.2'],
    peers: [],
    ...change,
  };
}

/** A service with one virtual address, in one network. */
export function aService(id: string, network: string, vip: string, change: Partial<MeshService> = {}) {
  return {
    id: serviceId(id),
    name: id,
    vips: [{ networkId: networkId(network), addresses: [vip] }],
    networks: [{ networkId: networkId(network), aliases: [] }],
    ports: [],
    ...change,
  } satisfies MeshService;
}

/** A task with addresses in networks. */
export function anEndpoint(
  id: string,
  service: string,
  attachments: Readonly<Record<string, readonly string[]>>,
  change: Partial<MeshEndpoint> = {},
): MeshEndpoint {
  return {
    taskId: taskId(id),
    serviceId: serviceId(service),
    name: `${service}.1.${id}`,
    nodeId: nodeId('n1'),
    nodeAddress: '192.168.7.1',
    attachments: Object.entries(attachments).map(([network, addresses]) => ({
      networkId: networkId(network),
      addresses,
    })),
    ports: [],
    ...change,
  };
}
