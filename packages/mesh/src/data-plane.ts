/**
 * The port between a node and what passes traffic on there. The control side says what should be, step by step; a data
 * plane brings it about and says what it could not. Two are in this package: one in userspace that needs no
 * privileges, and one of the kernel's own parts on Linux.
 */

import type { NetworkId, NodeId, ServiceId, TaskId } from '@skep/core';

/** `sctp` is carried by the kernel alone. */
export type Protocol = 'tcp' | 'udp' | 'sctp';

/** The node that the data plane is on. */
export interface MeshNode {
  readonly id: NodeId;
  readonly hostname: string;
  /** Under which other nodes reach it, and under which its published ports answer. */
  readonly address: string;
}

/** Addresses of something in one network, one of each family that the network has. */
export interface MeshAttachment {
  readonly networkId: NetworkId;
  readonly addresses: readonly string[];
}

/** A node that is in a network too. */
export interface MeshPeer {
  readonly nodeId: NodeId;
  /** Outside of all overlay networks. */
  readonly address: string;
  /** What stands for the network on that node. */
  readonly addresses: readonly string[];
  /** Of its WireGuard key, base64. Absent: nothing encrypted goes there. */
  readonly publicKey?: string;
}

/** A network that this node takes part in: it has tasks here, or is the ingress network. */
export interface MeshNetwork {
  readonly id: NetworkId;
  readonly name: string;
  /** `10.0.1.0/24`. IPv4 first. */
  readonly subnets: readonly {
    readonly subnet: string;
    readonly range?: string;
    readonly gateway: string;
  }[];
  /** Tells it from the other networks on the wire (VXLAN, RFC 7348). */
  readonly vni: number;
  /** Nothing in it reaches what is outside. */
  readonly isInternal: boolean;
  /** Nobody on the way may read what is in it. */
  readonly isEncrypted: boolean;
  readonly isIngress: boolean;
  readonly isAttachable: boolean;
  /** Largest packet in bytes. Absent: what the way between the nodes leaves. */
  readonly mtu?: number;
  /** What stands for the network on this node. */
  readonly addresses: readonly string[];
  readonly peers: readonly MeshPeer[];
}

/** Whom the next connection goes to. */
export type Balance = 'round-robin' | 'least-connections';

/** What makes connections of one client go to one task, as long as that task takes traffic. */
export type Stickiness = 'client-address' | 'cookie';

/** A port of a service. */
export interface MeshPort {
  readonly target: number;
  /** The port that people connect to. */
  readonly published: number;
  readonly protocol: Protocol;
  /** `ingress`: on every node. `host`: on the task's node alone, where the driver publishes it. */
  readonly mode: 'ingress' | 'host';
  /** The task is told the client's address by this version of the PROXY protocol. Absent: it is not told. */
  readonly proxyProtocol?: 'v1' | 'v2';
}

/** A service whose name or ports anything on this node may use. */
export interface MeshService {
  readonly id: ServiceId;
  readonly name: string;
  /** Its virtual addresses. None in a network where names stand for tasks (`dnsrr`). */
  readonly vips: readonly MeshAttachment[];
  /** Networks that it is known in, with its other names there. */
  readonly networks: readonly { readonly networkId: NetworkId; readonly aliases: readonly string[] }[];
  readonly ports: readonly MeshPort[];
  /** Default: `least-connections` where connections are seen to end, else round robin. */
  readonly balance?: Balance;
  readonly stickiness?: Stickiness;
}

/** A task that may receive traffic. One that may not, since it is unhealthy or about to stop, is no endpoint. */
export interface MeshEndpoint {
  readonly taskId: TaskId;
  readonly serviceId: ServiceId;
  /** `web.1.<id>`. */
  readonly name: string;
  readonly nodeId: NodeId;
  /** Address of the task's node. */
  readonly nodeAddress: string;
  /** Where it is reached in its networks. Empty: only by its node's address. */
  readonly attachments: readonly MeshAttachment[];
  /**
   * Where its target ports are reached on its node's address, if they are: those of a process, which shares the node's
   * addresses with others, and published ones of a container.
   */
  readonly ports: readonly { readonly target: number; readonly protocol: Protocol; readonly port: number }[];
}

/** A task that runs on this node, or is about to: the one who asks for names, and connects. */
export interface MeshClient {
  readonly taskId: TaskId;
  readonly serviceId: ServiceId;
  readonly attachments: readonly MeshAttachment[];
}

/** All that a node's data plane is to bring about. */
export interface MeshState {
  readonly networks: readonly MeshNetwork[];
  readonly services: readonly MeshService[];
  readonly endpoints: readonly MeshEndpoint[];
  readonly clients: readonly MeshClient[];
}

/** What is to be different. Things are named by their ids; one that is told again replaces what was told of it. */
export interface MeshStep {
  readonly networks?: { readonly set: readonly MeshNetwork[]; readonly removed: readonly NetworkId[] };
  readonly services?: { readonly set: readonly MeshService[]; readonly removed: readonly ServiceId[] };
  readonly endpoints?: { readonly set: readonly MeshEndpoint[]; readonly removed: readonly TaskId[] };
  readonly clients?: { readonly set: readonly MeshClient[]; readonly removed: readonly TaskId[] };
}

/** What a data plane is told. */
export type MeshChange =
  /** All of it: what is not listed is to be gone. The first thing that is told, and again after a gap. */
  { readonly kind: 'complete'; readonly state: MeshState } | ({ readonly kind: 'incremental' } & MeshStep);

/** What something that is wrong is about. */
export type MeshSubject =
  | { readonly kind: 'node' }
  | { readonly kind: 'network'; readonly id: NetworkId }
  | { readonly kind: 'service'; readonly id: ServiceId };

/** Something that should be and is not. */
export interface MeshProblem {
  readonly subject: MeshSubject;
  /** Stable: `port-in-use`, `subnet-in-use`, `no-privileges`, `tool-missing`, `mtu-too-small`, … */
  readonly code: string;
  /** What is wrong and what to do about it, in words. */
  readonly message: string;
}

/** What is, as the data plane last saw it. */
export interface MeshStatus {
  /** Of everything that is wrong now. Empty: all is as it should be. */
  readonly problems: readonly MeshProblem[];
}

/** Passes traffic on at a node. */
export interface MeshDataPlane {
  /** `userspace`, `kernel`. */
  readonly name: string;
  /** Key that other nodes encrypt for, base64. Absent: nothing encrypted comes here. */
  readonly publicKey?: string | undefined;
  /**
   * Takes in what should be. Resolves once nothing new is sent to endpoints that are gone; what is under way to them
   * goes on. What can't be brought about becomes a problem in {@link MeshDataPlane.status} and is tried again; nothing
   * half-made is left of it. Called in order, one after the other.
   */
  apply(change: MeshChange, signal: AbortSignal): Promise<void>;
  status(): MeshStatus;
  /** Calls the listener after each change of the status. @returns what ends that */
  onStatus(listener: (status: MeshStatus) => void): () => void;
  /**
   * Lets go. With `keep`, traffic goes on where it can without this process, as for a restart of the agent; else all that
   * was made is removed. Safe to call twice.
   */
  close(options?: { readonly keep?: boolean }): Promise<void>;
}
