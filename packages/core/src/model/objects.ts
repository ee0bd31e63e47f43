/**
 * The objects of a cluster as state keeps them and as users read them. All immutable: a change makes a new object,
 * so whoever holds one may keep it.
 *
 * One writer per field: users write specs, managers write desired state and endpoints, workers write status.
 */

import type { AutoscaleStatus } from './autoscale.ts';
import type { ClusterId, ConfigId, NetworkId, NodeId, SecretId, ServiceId, TaskId } from './ids.ts';
import type { JobStatus } from './job-status.ts';
import type { NetworkAllocation, NetworkSpec } from './network.ts';
import type { ClusterSpec, ConfigSpec, NodeSpec, SecretSpec } from './other-specs.ts';
import type { PlacementDecision, PlacementExplanation } from './placement.ts';
import type { AssignedGeneric, NodeResources } from './resources.ts';
import type { PortSpec, ServiceSpec } from './service-spec.ts';
import type { TaskSpec } from './task-spec.ts';
import type { DesiredState, TaskState } from './task-state.ts';
import type { UpdateStatus } from './update-status.ts';

export type { AutoscaleStatus } from './autoscale.ts';
export {
  type EndedJobRun,
  JOB_RUNS_KEPT,
  type JobRun,
  type JobStatus,
  type MissedRuns,
} from './job-status.ts';
export type { UpdateState, UpdateStatus } from './update-status.ts';

/** What every object carries. */
export interface Meta {
  /** Index of the transaction that changed the object last. What optimistic concurrency compares. */
  readonly version: number;
  /** Milliseconds since 1970, the leader's clock. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Tasks that are moved, a few at a time, so that the cluster is spread better. */
export interface Rebalance {
  /** Milliseconds since 1970, the leader's clock. */
  readonly since: number;
  /** It began by itself, as the settings ask. */
  readonly automatic: boolean;
  /** So many are on the move at once. */
  readonly movesAtOnce: number;
  /** Those to move, in their order, the moved ones included. */
  readonly tasks: readonly TaskId[];
  /** How many more were to be moved, and found no place. */
  readonly kept: number;
}

/** What came of a rebalance. */
export interface RebalanceOutcome {
  /** When it ended; milliseconds since 1970. */
  readonly at: number;
  readonly moved: number;
  /** Tasks that stayed where they are. */
  readonly kept: number;
  /** A user stopped it. */
  readonly stopped?: true;
}

/** The cluster itself. There is one. */
export interface ClusterObject extends Meta {
  readonly id: ClusterId;
  readonly spec: ClusterSpec;
  /** While one is going on. */
  readonly rebalance?: Rebalance;
  readonly lastRebalance?: RebalanceOutcome;
}

/** What a node's agent tells of the node. */
export interface NodeDescription {
  readonly hostname: string;
  readonly platform: { readonly os: string; readonly architecture: string };
  readonly resources: NodeResources;
  readonly engine: {
    /** Name of the runtime driver: `docker`, `process`, `simulated`. */
    readonly driver: string;
    readonly version: string;
    readonly labels: Readonly<Record<string, string>>;
    /** Plugins, as `type/name`. `undefined` means that the driver does not tell: plugin filters pass. */
    readonly plugins?: readonly string[];
  };
  /** What the driver can do beyond running tasks, and which limits it enforces. */
  readonly capabilities: {
    readonly exec: boolean;
    /**
     * A command that runs beside a task can be worked with: through pipes, or on a terminal, too. Absent: it can't, or
     * the node's version did not tell.
     */
    readonly interactive?: 'pipes' | 'terminal';
    readonly stats: boolean;
    readonly limits: { readonly cpus: boolean; readonly memory: boolean; readonly pids: boolean };
  };
  /** It passes traffic on by the endpoint feed: no task is stopped before it has confirmed that the task left. */
  readonly endpointFeed?: true;
  /** Public key of what passes traffic on there, for networks that nobody else may read; base64. */
  readonly trafficKey?: string;
}

/** What is known of a node before its driver is open: nothing that a task could be placed on. */
export function unknownDescription(hostname: string, driver: string): NodeDescription {
  return {
    hostname,
    platform: { os: '', architecture: '' },
    resources: { cpus: 0, memoryBytes: 0, generic: {} },
    engine: { driver, version: '', labels: {} },
    capabilities: { exec: false, stats: false, limits: { cpus: false, memory: false, pids: false } },
  };
}

/**
 * What the managers think of a node.
 *
 * - `unknown`: a new leader has not heard from it yet, or it is back and still stops what was replaced meanwhile.
 * - `ready`: it has a session and may be given tasks.
 * - `suspect`: it was silent for longer than it should be. It gets no new tasks and keeps those that it has.
 * - `leaving`: its agent stops its tasks, each in order, and goes. It gets no new ones, and no traffic.
 * - `down`: it is given up; its tasks are replaced elsewhere, unless they are kept for now.
 */
export type NodeState = 'unknown' | 'ready' | 'suspect' | 'leaving' | 'down';

/** What the dispatcher knows of a node. */
export interface NodeStatus {
  readonly state: NodeState;
  /** Why, in words. */
  readonly message: string;
  /** Milliseconds since 1970 of the last change of state. */
  readonly since: number;
  /** Address under which the node's ports are reached. */
  readonly address: string;
  /** The node is down and its tasks are kept all the same for now: too many are lost at once. */
  readonly tasksKept?: true;
}

/** A machine, or a part of one, that runs tasks. */
export interface Node extends Meta {
  readonly id: NodeId;
  readonly spec: NodeSpec;
  readonly description: NodeDescription;
  readonly status: NodeStatus;
  /**
   * Its own place in each network that has tasks here: what stands for the network on this node. Written by the
   * allocator. Absent: none.
   */
  readonly attachments?: readonly NetworkAttachment[];
}

/** Addresses of something in one network. */
export interface NetworkAttachment {
  readonly networkId: NetworkId;
  /** One of each family that the network has, IPv4 first. */
  readonly addresses: readonly string[];
}

/** A port of a service; `published` is filled in by the allocator, and absent in host mode where the node gives one. */
export type AllocatedPort = PortSpec;

/** How a service is reached. */
export interface ServiceEndpoint {
  readonly ports: readonly AllocatedPort[];
}

/** A service: what users ask for. */
export interface Service extends Meta {
  readonly id: ServiceId;
  readonly spec: ServiceSpec;
  /** Grows when the tasks would differ; tasks carry the one that they were made from. */
  readonly specVersion: number;
  /** The spec before, which a rollback goes back to. What changes while an update goes on does not replace it. */
  readonly previousSpec?: ServiceSpec;
  readonly previousSpecVersion?: number;
  /** Absent as long as the service's tasks were never changed. */
  readonly updateStatus?: UpdateStatus;
  /** Written by the allocator. Absent until it has looked at the service, or after a change of ports. */
  readonly endpoint?: ServiceEndpoint;
  /**
   * Its virtual addresses: one place in each network of its tasks, unless its endpoint mode is `dnsrr`. Written by the
   * allocator. Absent: none.
   */
  readonly vips?: readonly NetworkAttachment[];
  /** Why the allocator can't give what the spec asks, if so. */
  readonly allocationError?: string;
  /** What that is about, unless it is about ports. */
  readonly allocationErrorAbout?: 'addresses';
  /** Of a job: its runs. Written by the orchestrators. */
  readonly jobStatus?: JobStatus;
  /** Where a metric decides about the number of tasks: what came of it. Absent until there is something to tell. */
  readonly autoscaleStatus?: AutoscaleStatus;
}

/** One port of a running task, as the node opened it. */
export interface TaskPort {
  readonly target: number;
  readonly protocol: PortSpec['protocol'];
  /** Port on the node's address. */
  readonly port: number;
}

/** What the driver tells of a started task. */
export interface RuntimeStatus {
  /** The driver's own name for it: a container id, `pid 4711`. */
  readonly id: string;
  readonly ports: readonly TaskPort[];
}

/** What the agent tells of a task; before it has a node, what the managers tell. */
export interface TaskStatus {
  readonly state: TaskState;
  /** When it came about, by the clock of whoever reported it. Milliseconds since 1970. */
  readonly at: number;
  /** What happened, in words. */
  readonly message: string;
  /** What went wrong, in words. */
  readonly error?: string;
  readonly exitCode?: number;
  /** What went wrong: its image could not be fetched, or a network has no address for it. */
  readonly about?: 'image' | 'addresses';
  /** When its agent tries again what went wrong, by that agent's clock; milliseconds since 1970. */
  readonly retryAt?: number;
  readonly runtime?: RuntimeStatus;
  /**
   * Why a task ended that was no failure of its own. `constraint`: the constraint enforcer ended it, since its node
   * changed; only managers write that. `node-left`: its agent ended it to leave in order. `lease`:
   * its agent ended it, since the managers could not be heard for the time of its lease.
   */
  readonly cause?: 'constraint' | 'node-left' | 'lease';
}

/** What a slot remembers of its restarts. Carried by its newest task, so that no loop has to remember. */
export interface RestartHistory {
  /** Failures in a row, which the back-off doubles with. */
  readonly failures: number;
  /** When the restarts that count against `maxAttempts` were made, oldest first; milliseconds since 1970. */
  readonly times: readonly number[];
}

/** Why a task has to leave a node that could run it. */
export type TaskEviction =
  | {
      /**
       * `constraint`: its node changed, and does not meet its constraints or its reservations any more. `rebalance`:
       * other nodes have less to do.
       */
      readonly cause: 'constraint' | 'rebalance';
      /** Milliseconds since 1970, the leader's clock. */
      readonly since: number;
    }
  | {
      /** Its room is needed by a task of a higher priority. */
      readonly cause: 'preemption';
      readonly since: number;
      readonly by: Preemptor;
    };

/** The task that another one leaves for. */
export interface Preemptor {
  readonly task: TaskId;
  readonly service: ServiceId;
  readonly priority: number;
  /** The priority of the one that leaves. */
  readonly over: number;
}

/** The node that is kept for a task until those have left it that are stopped for it. */
export interface TaskNomination {
  readonly nodeId: NodeId;
  /** The tasks that leave for it. None: what it needs comes free all the same. */
  readonly victims: readonly TaskId[];
  /** Index of the transaction. */
  readonly index: number;
  /** Milliseconds since 1970, the leader's clock. */
  readonly since: number;
}

/** How far the ordered stop of a task that had traffic has come. */
export interface TaskLeaving {
  /** Index of the transaction by which it left every endpoint feed. */
  readonly index: number;
  /** When that was; milliseconds since 1970, the leader's clock. */
  readonly since: number;
  /** When it was found that every node with an endpoint feed had confirmed. Absent: not yet, or there is none. */
  readonly releasedAt?: number;
  /** Nodes whose confirmation did not come in time. */
  readonly unconfirmed?: readonly NodeId[];
}

/** One task: one runtime of a service on one node. Never restarted, always replaced. */
export interface Task extends Meta {
  readonly id: TaskId;
  readonly serviceId: ServiceId;
  /** Place in a replicated service or job, from 1. 0 in a global one, whose slot is the node. */
  readonly slot: number;
  /** Set by the scheduler; set from the start for a global service. */
  readonly nodeId?: NodeId;
  readonly specVersion: number;
  readonly spec: TaskSpec;
  /** Ports of the service as they were when the task was made. */
  readonly ports: readonly AllocatedPort[];
  /** Its places in the networks of its spec, until it has ended. Written by the allocator. Absent: it is in none. */
  readonly attachments?: readonly NetworkAttachment[];
  readonly desiredState: DesiredState;
  readonly status: TaskStatus;
  /** When the leader committed the status. */
  readonly statusAppliedAt: number;
  /** When the leader committed that it runs. Absent as long as it has not. */
  readonly runningSince?: number;
  /** Not to be started before this time (restart delay). Milliseconds since 1970; 0 = at once. */
  readonly startAfter: number;
  /** The task that this one replaces in its slot. */
  readonly replaces?: TaskId;
  /** What its slot remembers of restarts, when this task came of one. */
  readonly restarts?: RestartHistory;
  /** The run of a job that it is of. */
  readonly jobIteration?: number;
  /** It may not be started yet: its service depends on others, and they have not come to what it waits for. */
  readonly awaitsDependencies?: true;
  readonly assignedGeneric?: AssignedGeneric;
  /** The lease under which it runs; see `ServiceSpec.maxOne`. Absent: it needs none. */
  readonly leaseMs?: number;
  /** While the task has no node: why. */
  readonly explanation?: PlacementExplanation;
  /** It may not stay on its node, though it runs there. */
  readonly evicted?: TaskEviction;
  /** Room is being made for it on a node; or was, once it has that node. */
  readonly nomination?: TaskNomination;
  /** While it runs and is to stop. */
  readonly leaving?: TaskLeaving;
  /** Once the scheduler gave it a node: why that one. Absent where older versions decided. */
  readonly decision?: PlacementDecision;
}

/** Where a volume lives that tasks follow. */
export interface VolumeHome {
  /** Name of the volume, as the node's driver knows it. */
  readonly name: string;
  readonly nodeId: NodeId;
  /** When the first task with it was made ready there; milliseconds since 1970, the leader's clock. */
  readonly since: number;
}

/** A network, which tasks find each other in. */
export interface Network extends Meta {
  readonly id: NetworkId;
  readonly spec: NetworkSpec;
  /** Written by the allocator. Absent: it has not come to it, can't, or the network is each node's own affair. */
  readonly allocation?: NetworkAllocation;
  /** Why the allocator can't give what the spec asks, if so. */
  readonly allocationError?: string;
}

/** A secret as anyone may see it: a digest, never the value. */
export interface Secret extends Meta {
  readonly id: SecretId;
  readonly spec: SecretSpec;
  /** Number of the newest value: 1, and one more with each rotation. */
  readonly revision: number;
  /** Keyed digest of the newest value: tells whether it changed, tells nothing of it. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Values before the newest that are still kept, oldest first. */
  readonly older: readonly OlderSecret[];
}

/** A value that a secret had. */
export interface OlderSecret {
  readonly revision: number;
  readonly digest: string;
}

/** A config: a file that services refer to. */
export interface Config extends Meta {
  readonly id: ConfigId;
  readonly spec: ConfigSpec;
  /** Number of the newest content: 1, and one more with each rotation. */
  readonly revision: number;
  readonly data: Uint8Array;
  /** Contents before the newest that are still kept, oldest first. */
  readonly older: readonly OlderConfig[];
}

/** A content that a config had. */
export interface OlderConfig {
  readonly revision: number;
  readonly data: Uint8Array;
}
