/** What a node needs to know beside the endpoints to pass traffic on: services, networks, and the nodes in them. */

import type { NetworkId, NodeId, ServiceId, TaskId } from './ids.ts';
import type { NetworkAllocation } from './network.ts';
import type { AllocatedPort, NetworkAttachment } from './objects.ts';
import type { ServiceSpec } from './service-spec.ts';

/** A service as those see it who look for it. */
export interface TrafficService {
  readonly id: ServiceId;
  readonly name: string;
  /** Its virtual addresses. None in networks where its names stand for its tasks. */
  readonly vips: readonly NetworkAttachment[];
  /** Networks that it is known in, with its other names there. */
  readonly networks: readonly { readonly networkId: NetworkId; readonly aliases: readonly string[] }[];
  /** Only those that people can connect to: in ingress mode, once they have a number. */
  readonly ports: readonly AllocatedPort[];
  /** As its spec has it. */
  readonly balancing?: NonNullable<ServiceSpec['balancing']>;
}

/** A network that spans nodes, once it has what the allocator gives it. */
export interface TrafficNetwork {
  readonly id: NetworkId;
  readonly name: string;
  readonly allocation: NetworkAllocation;
  /** Nothing in it reaches what is outside. */
  readonly isInternal: boolean;
  /** Nobody on the way between nodes may read what is in it. */
  readonly isEncrypted: boolean;
  readonly isIngress: boolean;
  /** Containers that are no tasks may be in it, too. */
  readonly isAttachable: boolean;
  /** Largest packet, in bytes. Absent: what the way between the nodes leaves. */
  readonly mtu?: number;
}

/** A node that is in networks. */
export interface TrafficNode {
  readonly id: NodeId;
  /** Under which other nodes reach it, outside of all networks. */
  readonly address: string;
  /** What stands for the networks on that node. */
  readonly attachments: readonly NetworkAttachment[];
  /** Of the key that what is sent to it is encrypted for, as it told it; base64. */
  readonly trafficKey?: string;
}

/** A task of the node itself that is in networks, whether it runs yet or not. */
export interface TrafficClient {
  readonly taskId: TaskId;
  readonly serviceId: ServiceId;
  readonly attachments: readonly NetworkAttachment[];
}
