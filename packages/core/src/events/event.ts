/**
 * What can happen in a cluster, in the words of the field. State is what these events say and nothing else; whoever
 * wants a change proposes events. Ids, times and choices are made before and ride in them, so that applying one
 * reads no clock and draws no lot.
 *
 * Bulk happenings are one event with many rows, so that the log costs bytes, not objects.
 *
 * These are the newest versions. What older versions looked like, and how they are read, stands in `versions.ts`.
 */

import type {
  ClusterId,
  CommandId,
  ConfigId,
  NetworkId,
  NodeId,
  SecretId,
  ServiceId,
  TaskId,
} from '../model/ids.ts';
import type { NetworkAllocation, NetworkSpec } from '../model/network.ts';
import type {
  MissedRuns,
  NetworkAttachment,
  NodeDescription,
  NodeState,
  Preemptor,
  Rebalance,
  RestartHistory,
  ServiceEndpoint,
  TaskEviction,
  TaskStatus,
  UpdateStatus,
} from '../model/objects.ts';
import type { ClusterSpec, ConfigSpec, NodeSpec, SecretSpec } from '../model/other-specs.ts';
import type { PlacementChoice, PlacementFinding } from '../model/placement.ts';
import type { AssignedGeneric } from '../model/resources.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import type { DesiredState } from '../model/task-state.ts';

/** Who asked for a transaction. */
export type Actor =
  | { readonly kind: 'user'; readonly name?: string }
  /** A control loop: `orchestrator/replicated`, `scheduler`. */
  | { readonly kind: 'loop'; readonly name: string }
  | { readonly kind: 'node'; readonly id: NodeId };

/** One task as the orchestrator makes it. */
export interface CreatedTask {
  readonly id: TaskId;
  /** From 1 in a replicated service; 0 in a global one. */
  readonly slot: number;
  /** Given for global services, whose slot is the node. */
  readonly nodeId?: NodeId;
  /** The task whose place it takes. */
  readonly replaces?: TaskId;
  /** Not to be started before; milliseconds since 1970. Absent: at once. A delayed task begins with desired `ready`. */
  readonly startAfter?: number;
  /** The slot's restarts up to and with this one, when this task is a restart. */
  readonly restarts?: RestartHistory;
  /** The run of the job that it is of. */
  readonly jobIteration?: number;
}

/** A node's places in networks. */
export interface AttachedNode {
  readonly nodeId: NodeId;
  readonly attachments: readonly NetworkAttachment[];
}

/** Tasks given to one node. */
export interface AssignedTasks {
  readonly nodeId: NodeId;
  readonly tasks: readonly TaskId[];
  /** Named generic resources, for those tasks that asked for any. */
  readonly generic?: Readonly<Record<string, AssignedGeneric>>;
}

/** A task that has to leave its node for another one. */
export interface PreemptedTask {
  readonly id: TaskId;
  readonly by: Preemptor;
}

/** A task that waits for room on a node, and the tasks that are stopped for it. */
export interface NominatedTask {
  readonly id: TaskId;
  readonly nodeId: NodeId;
  readonly victims: readonly TaskId[];
}

/** Why those tasks of an assignment that are of this service and spec version got the nodes that they got. */
export interface ServiceChoice extends PlacementChoice {
  readonly serviceId: ServiceId;
  readonly specVersion: number;
}

/** Everything that can happen. */
export type ClusterEvent =
  | {
      readonly type: 'cluster.created';
      readonly id: ClusterId;
      readonly spec: ClusterSpec;
      /** Key of the digests that stand for secret values. Never shown. */
      readonly digestKey: Uint8Array;
    }
  | { readonly type: 'cluster.updated'; readonly spec: ClusterSpec }
  /** Tasks are to be moved so that the cluster is spread better; or what is to be moved has changed. */
  | { readonly type: 'cluster.rebalancing'; readonly rebalance: Rebalance }
  /** It is over. */
  | {
      readonly type: 'cluster.rebalanced';
      readonly moved: number;
      readonly kept: number;
      /** A user stopped it. */
      readonly stopped?: true;
    }
  | {
      readonly type: 'node.joined';
      readonly id: NodeId;
      readonly spec: NodeSpec;
      readonly description: NodeDescription;
      readonly address: string;
    }
  /** A user changed the spec. */
  | { readonly type: 'node.updated'; readonly id: NodeId; readonly spec: NodeSpec }
  /** The agent told something new of the node. */
  | {
      readonly type: 'node.described';
      readonly id: NodeId;
      readonly description: NodeDescription;
      readonly address: string;
    }
  | {
      readonly type: 'node.status';
      readonly state: NodeState;
      readonly message: string;
      readonly ids: readonly NodeId[];
      /** With `down`: their tasks are not to be replaced yet. */
      readonly tasksKept?: true;
    }
  | { readonly type: 'node.removed'; readonly id: NodeId }
  /** The allocator gave nodes their places in networks: all that each has now. */
  | { readonly type: 'node.attached'; readonly rows: readonly AttachedNode[] }
  | { readonly type: 'service.created'; readonly id: ServiceId; readonly spec: ServiceSpec }
  | {
      readonly type: 'service.updated';
      readonly id: ServiceId;
      readonly spec: ServiceSpec;
      /** The tasks would differ: the service gets a new spec version. */
      readonly tasksChanged: boolean;
      /** The ports differ: the allocator must look again. */
      readonly portsChanged: boolean;
      /** Another run of the job begins; those before it end. */
      readonly beginsRun?: true;
    }
  /** An update of the service has come so far. */
  | { readonly type: 'service.update-status'; readonly id: ServiceId; readonly status: UpdateStatus }
  /** The service goes back to its previous spec. */
  | {
      readonly type: 'service.rolled-back';
      readonly id: ServiceId;
      readonly status: UpdateStatus;
      /** What it goes back to: the previous spec, save for what a rollback leaves as it is. */
      readonly spec: ServiceSpec;
      readonly portsChanged: boolean;
    }
  /**
   * The service is gone. Its tasks get desired state `remove` by this event or, where they are so many that this would
   * hold up everything else, by the task reaper in transactions of their own.
   */
  | { readonly type: 'service.removed'; readonly id: ServiceId; readonly tasksFollow?: true }
  | {
      readonly type: 'service.allocated';
      readonly id: ServiceId;
      readonly endpoint: ServiceEndpoint;
      /** All that it has now. Absent: none. */
      readonly vips?: readonly NetworkAttachment[];
    }
  | {
      readonly type: 'service.unallocated';
      readonly id: ServiceId;
      readonly error: string;
      /** Absent: ports. */
      readonly about?: 'addresses';
    }
  /** A run of a job begins by its schedule. Runs that are to be stopped for it are named. */
  | {
      readonly type: 'service.run-started';
      readonly id: ServiceId;
      readonly iteration: number;
      /** When it was due: it has been decided about all due times up to this one. */
      readonly dueAt: number;
      readonly stops: readonly number[];
    }
  /** A run of a job has ended by itself. */
  | {
      readonly type: 'service.run-ended';
      readonly id: ServiceId;
      readonly iteration: number;
      readonly outcome: 'completed' | 'failed';
      readonly message?: string;
    }
  /** A metric asked for another number of tasks. */
  | {
      readonly type: 'service.autoscaled';
      readonly id: ServiceId;
      readonly from: number;
      readonly to: number;
      /** What was measured, in the metric's unit. */
      readonly value: number;
      /** In words. */
      readonly reason: string;
    }
  /** The metric that decides about the number of tasks can't be had: it stays as it is. */
  | { readonly type: 'service.metric-lost'; readonly id: ServiceId; readonly reason: string }
  /** That metric is there again. */
  | { readonly type: 'service.metric-found'; readonly id: ServiceId }
  /** A schedule was due, and no run began. */
  | { readonly type: 'service.run-missed'; readonly id: ServiceId; readonly missed: MissedRuns }
  /** New tasks of one service, made from its present spec. */
  | {
      readonly type: 'task.created';
      readonly serviceId: ServiceId;
      readonly rows: readonly CreatedTask[];
      /** Made from the spec before, since the service's update goes no further now. */
      readonly previous?: true;
    }
  /** The allocator gave them what they need: new → pending, with the service's ports as they are now. */
  | {
      readonly type: 'task.allocated';
      readonly ids: readonly TaskId[];
      /** Places in networks, for those tasks that are in any. */
      readonly attachments?: Readonly<Record<string, readonly NetworkAttachment[]>>;
    }
  /** The allocator can't give them what they need, and why: they stay new. */
  | { readonly type: 'task.unallocated'; readonly ids: readonly TaskId[]; readonly error: string }
  /** The scheduler gave them nodes: pending → assigned. */
  | {
      readonly type: 'task.assigned';
      readonly rows: readonly AssignedTasks[];
      /** At most one for each service and spec version. Absent: nothing is told. */
      readonly choices?: readonly ServiceChoice[];
    }
  /** The scheduler found no node for them, and why. */
  | {
      readonly type: 'task.unplaced';
      readonly ids: readonly TaskId[];
      readonly explanation: PlacementFinding;
    }
  /** Observed states, from agents or from the loop that owns the state. */
  | {
      readonly type: 'task.status';
      readonly rows: readonly { readonly id: TaskId; readonly status: TaskStatus }[];
    }
  | { readonly type: 'task.desired'; readonly state: DesiredState; readonly ids: readonly TaskId[] }
  /** They have to leave their node: others take their places, and then they are stopped. */
  | {
      readonly type: 'task.evicted';
      readonly cause: Exclude<TaskEviction['cause'], 'preemption'>;
      readonly ids: readonly TaskId[];
    }
  /** They need not leave their node after all. */
  | { readonly type: 'task.kept'; readonly ids: readonly TaskId[] }
  /** They have to leave their node, at once: tasks of a higher priority need the room. */
  | { readonly type: 'task.preempted'; readonly rows: readonly PreemptedTask[] }
  /** They fit nowhere: room comes free, or is made, for each on one node, and is kept for it. */
  | { readonly type: 'task.nominated'; readonly rows: readonly NominatedTask[] }
  /** No room is kept for them any more. */
  | { readonly type: 'task.unnominated'; readonly ids: readonly TaskId[] }
  /** Nobody sends them traffic any more, so they may be stopped. */
  | {
      readonly type: 'task.released';
      readonly ids: readonly TaskId[];
      /** Nodes that did not confirm in time, at most ten. Absent: all did. */
      readonly unconfirmed?: readonly NodeId[];
    }
  /** What they waited for has come: they may be started as far as their dependencies go. */
  | { readonly type: 'task.dependencies-met'; readonly ids: readonly TaskId[] }
  | { readonly type: 'task.removed'; readonly ids: readonly TaskId[] }
  /** Nothing goes to where these volumes live any more. */
  | { readonly type: 'volume.forgotten'; readonly names: readonly string[] }
  | { readonly type: 'network.created'; readonly id: NetworkId; readonly spec: NetworkSpec }
  | { readonly type: 'network.updated'; readonly id: NetworkId; readonly spec: NetworkSpec }
  | { readonly type: 'network.removed'; readonly id: NetworkId }
  | { readonly type: 'network.allocated'; readonly id: NetworkId; readonly allocation: NetworkAllocation }
  | { readonly type: 'network.unallocated'; readonly id: NetworkId; readonly error: string }
  | {
      readonly type: 'secret.created';
      readonly id: SecretId;
      readonly spec: SecretSpec;
      readonly digest: string;
      readonly sizeBytes: number;
    }
  | { readonly type: 'secret.updated'; readonly id: SecretId; readonly spec: SecretSpec }
  /** The secret has a newer value; older ones are kept for those who still refer to them. */
  | {
      readonly type: 'secret.rotated';
      readonly id: SecretId;
      readonly revision: number;
      readonly digest: string;
      readonly sizeBytes: number;
    }
  /** Older revisions that nobody refers to any more are forgotten. */
  | { readonly type: 'secret.pruned'; readonly id: SecretId; readonly revisions: readonly number[] }
  | { readonly type: 'secret.removed'; readonly id: SecretId }
  | {
      readonly type: 'config.created';
      readonly id: ConfigId;
      readonly spec: ConfigSpec;
      readonly data: Uint8Array;
    }
  | { readonly type: 'config.updated'; readonly id: ConfigId; readonly spec: ConfigSpec }
  | {
      readonly type: 'config.rotated';
      readonly id: ConfigId;
      readonly revision: number;
      readonly data: Uint8Array;
    }
  | { readonly type: 'config.pruned'; readonly id: ConfigId; readonly revisions: readonly number[] }
  | { readonly type: 'config.removed'; readonly id: ConfigId }
  /** A secret value, kept under its digest. History and watches never show this event's data. */
  | { readonly type: 'vault.stored'; readonly digest: string; readonly data: Uint8Array }
  /** Nothing refers to these values any more; the log is compacted behind this event. */
  | { readonly type: 'vault.removed'; readonly digests: readonly string[] };

/** Name of an event. */
export type EventType = ClusterEvent['type'];

/** What a command did: kept with its id, so that a retry is answered truthfully though the cluster has moved on. */
export interface CommandAnswer {
  /** Id of the object. */
  readonly id: string;
  readonly action: 'created' | 'updated' | 'unchanged' | 'removed';
  /** Kind of the object: `service`, `node`, `cluster`… */
  readonly what: string;
}

/** Events that happen together or not at all: one entry of the log. */
export interface Transaction {
  /** Number of the transaction, from 1, dense. Versions of objects and watches count in it. */
  readonly index: number;
  /** The leader's wall clock, milliseconds since 1970. */
  readonly at: number;
  readonly actor: Actor;
  /** Index of the transaction that led to this one, where there is one. */
  readonly cause?: number;
  /** The command that this carries out: a retry under the same id does nothing. */
  readonly commandId?: CommandId;
  /** What the command did. Only beside a command id. */
  readonly answer?: CommandAnswer;
  readonly events: readonly ClusterEvent[];
}
