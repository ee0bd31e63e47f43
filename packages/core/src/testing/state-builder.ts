/**
 * Builds cluster states for tests, the way a cluster comes by them: by evolving events. It sits between tests that
 * want "three nodes and a service with two pending tasks" and the events that say so; it never makes a row by hand,
 * so a built state is one that a log could have led to.
 */

import type { ClusterEvent, CreatedTask, Transaction } from '../events/event.ts';
import { asId, type ClusterId, type NodeId, type ServiceId, type TaskId } from '../model/ids.ts';
import type { NodeDescription, NodeState, Task, TaskStatus } from '../model/objects.ts';
import {
  type ClusterSpecInput,
  clusterSpecSchema,
  type NodeSpecInput,
  nodeSpecSchema,
} from '../model/other-specs.ts';
import type { AssignedGeneric, GenericResource } from '../model/resources.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../model/service-spec.ts';
import type { DesiredState, TaskState } from '../model/task-state.ts';
import type { ChangeSet } from '../state/change.ts';
import { ClusterState } from '../state/cluster-state.ts';
import { evolve } from '../state/evolve/evolve.ts';

/** When built clusters begin; milliseconds since 1970. */
export const BUILT_CLUSTER_EPOCH_MS = 1_700_000_000_000;

/** A node as tests ask for it. Everything has a default: a ready Linux worker with 8 processors and 16 GiB. */
export interface BuiltNode extends NodeSpecInput {
  /** Default: `node-1`, `node-2`, … in order. */
  readonly id?: string;
  /** Default: the id. */
  readonly hostname?: string;
  /** Default `ready`. */
  readonly state?: NodeState;
  readonly address?: string;
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly generic?: Readonly<Record<string, GenericResource>>;
  readonly os?: string;
  readonly architecture?: string;
  readonly engineLabels?: Readonly<Record<string, string>>;
  readonly plugins?: readonly string[];
}

/** A service as tests ask for it: its spec with an image by default, and an id. */
export interface BuiltService extends Omit<ServiceSpecInput, 'task'> {
  /** Default: the name. */
  readonly id?: string;
  readonly task?: ServiceSpecInput['task'];
}

/** How far tasks have come. */
export interface BuiltTasks {
  /** Default: `<service>-1`, `<service>-2`, … in order. */
  readonly ids?: readonly string[];
  /** Slot of the first one; the rest count on. Default: behind the slots given before; 0 in a global service. */
  readonly slot?: number;
  /** Nodes of the tasks, taken in turn. Needed from `assigned` on; in a global service from the start. */
  readonly nodes?: readonly string[];
  /** Observed state. Default `running` when nodes are given, else `pending`. */
  readonly state?: TaskState;
  readonly desired?: DesiredState;
  readonly message?: string;
  readonly exitCode?: number;
  readonly startAfter?: number;
  readonly replaces?: string;
  readonly generic?: AssignedGeneric;
  /** Run of a job that they are of. Default: its newest. */
  readonly jobIteration?: number;
}

/** Begins a cluster with default settings. */
export function aCluster(spec: ClusterSpecInput = {}): StateBuilder {
  return new StateBuilder(spec);
}

/** A cluster in the making. Every method applies its events at once and returns the builder. */
export class StateBuilder {
  #state = ClusterState.empty;
  #at = BUILT_CLUSTER_EPOCH_MS;
  readonly #changes: ChangeSet[] = [];
  readonly #taskCounts = new Map<string, number>();
  readonly #slotCounts = new Map<string, number>();
  #nodeCount = 0;

  constructor(spec: ClusterSpecInput) {
    this.apply({
      type: 'cluster.created',
      id: asId<ClusterId>('cluster'),
      spec: clusterSpecSchema.parse(spec),
      digestKey: new Uint8Array(32),
    });
  }

  /** The state as it is now. */
  get state(): ClusterState {
    return this.#state;
  }

  /** All that has changed so far, transaction by transaction: what a control loop would have observed. */
  get changes(): readonly ChangeSet[] {
    return this.#changes;
  }

  /** The time of the next transaction; milliseconds since 1970. */
  get at(): number {
    return this.#at;
  }

  /** Lets time pass. */
  after(ms: number): this {
    this.#at += ms;
    return this;
  }

  /** Applies events as one transaction, and gives what they changed. No events: no transaction, no changes. */
  apply(...events: readonly ClusterEvent[]): ChangeSet {
    return this.commit(events);
  }

  /** The same with everything that a transaction may carry. */
  commit(
    events: readonly ClusterEvent[],
    more: Partial<Omit<Transaction, 'index' | 'events'>> = {},
  ): ChangeSet {
    const transaction: Transaction = {
      index: this.#state.index + 1,
      at: this.#at,
      actor: { kind: 'user' },
      events,
      ...more,
    };
    const { state, changes } = evolve(this.#state, transaction);
    if (events.length === 0) return changes;
    this.#state = state;
    this.#changes.push(changes);
    return changes;
  }

  withNode(node: BuiltNode = {}): this {
    this.#nodeCount += 1;
    const id = asId<NodeId>(node.id ?? `node-${this.#nodeCount}`);
    const { state = 'ready' } = node;
    const { labels = {}, role, availability } = node;
    this.apply({
      type: 'node.joined',
      id,
      spec: nodeSpecSchema.parse({ labels, role, availability }),
      description: aDescription({ hostname: id, ...node }),
      address: node.address ?? `10.0.${this.#nodeCount >> 8}.${this.#nodeCount & 255}`,
    });
    if (state !== 'unknown') this.apply({ type: 'node.status', state, message: state, ids: [id] });
    return this;
  }

  /** So many nodes; `each` tells what the n-th, from 1, is like. */
  withNodes(count: number, each: (number: number) => BuiltNode = () => ({})): this {
    for (let number = 1; number <= count; number++) this.withNode(each(number));
    return this;
  }

  /** A service whose ports the allocator has seen to. */
  withService(service: BuiltService, { allocated = true }: { readonly allocated?: boolean } = {}): this {
    const { id = service.name, ...input } = service;
    const spec = serviceSpecSchema.parse({ ...input, task: { image: 'image', ...input.task } });
    this.apply({ type: 'service.created', id: asId<ServiceId>(id), spec });
    const endpoint = { ports: spec.ports };
    if (allocated) this.apply({ type: 'service.allocated', id: asId<ServiceId>(id), endpoint });
    return this;
  }

  /** Tasks of a service, brought as far as `options` say, in one transaction a step. */
  withTasks(service: string, count: number, options: BuiltTasks = {}): this {
    const serviceId = asId<ServiceId>(service);
    const { nodes = [], state = nodes.length > 0 ? 'running' : 'pending' } = options;
    const { spec, jobStatus } = this.#state.service(serviceId) ?? {};
    const global = spec?.mode.startsWith('global') ?? false;
    const jobIteration = options.jobIteration ?? jobStatus?.iteration;
    const rows: CreatedTask[] = [];
    for (let n = 0; n < count; n++) {
      const nodeId = nodes.length === 0 ? undefined : asId<NodeId>(nodes[n % nodes.length] ?? '');
      rows.push({
        id: asId<TaskId>(options.ids?.[n] ?? this.#nextTaskId(service)),
        slot: options.slot === undefined ? (global ? 0 : this.#nextSlot(service)) : options.slot + n,
        ...(global && nodeId !== undefined ? { nodeId } : {}),
        ...(options.startAfter === undefined ? {} : { startAfter: options.startAfter }),
        ...(options.replaces === undefined ? {} : { replaces: asId<TaskId>(options.replaces) }),
        ...(jobIteration === undefined ? {} : { jobIteration }),
      });
    }
    const ids = rows.map((row) => row.id);
    this.apply({ type: 'task.created', serviceId, rows });
    if (state !== 'new') this.apply({ type: 'task.allocated', ids });
    if (state !== 'new' && state !== 'pending') {
      if (nodes.length > 0) this.#assign(ids, nodes, options.generic);
      if (state !== 'assigned') this.withStatus(ids, state, options);
    }
    if (options.desired !== undefined) this.apply({ type: 'task.desired', state: options.desired, ids });
    return this;
  }

  /** Tasks that wait for a node. */
  withPending(service: string, count = 1): this {
    return this.withTasks(service, count);
  }

  /** One running task of the service on each node named, in order; a node named twice has two. */
  withRunning(service: string, nodes: readonly string[]): this {
    return this.withTasks(service, nodes.length, { nodes });
  }

  /** A report of tasks' observed state. */
  withStatus(ids: readonly string[], state: TaskState, status: Partial<TaskStatus> = {}): this {
    const { message = state, exitCode, error } = status;
    const full: TaskStatus = {
      state,
      at: this.#at,
      message,
      ...(error === undefined ? {} : { error }),
      ...(exitCode === undefined ? {} : { exitCode }),
    };
    this.apply({ type: 'task.status', rows: ids.map((id) => ({ id: asId<TaskId>(id), status: full })) });
    return this;
  }

  withDesired(ids: readonly string[], state: DesiredState): this {
    this.apply({ type: 'task.desired', state, ids: ids.map((id) => asId<TaskId>(id)) });
    return this;
  }

  withNodeState(id: string, state: NodeState): this {
    this.apply({ type: 'node.status', state, message: state, ids: [asId<NodeId>(id)] });
    return this;
  }

  /** @param drainDeadline - see `NodeSpec`; milliseconds since 1970. */
  withAvailability(id: string, availability: 'active' | 'pause' | 'drain', drainDeadline?: number): this {
    const node = this.#state.node(asId<NodeId>(id));
    if (!node) throw new RangeError(`there is no node ${id}`);
    const { drainDeadline: _, ...spec } = node.spec;
    const deadline = drainDeadline === undefined ? {} : { drainDeadline };
    this.apply({ type: 'node.updated', id: node.id, spec: { ...spec, availability, ...deadline } });
    return this;
  }

  /** The tasks of a service, oldest first. */
  tasks(service: string): Task[] {
    return [...this.#state.tasks()].filter((task) => task.serviceId === service);
  }

  #assign(ids: readonly TaskId[], nodes: readonly string[], generic?: AssignedGeneric): void {
    const rows = ids.map((id, n) => ({
      nodeId: asId<NodeId>(nodes[n % nodes.length] ?? ''),
      tasks: [id],
      ...(generic === undefined ? {} : { generic: { [id]: generic } }),
    }));
    this.apply({ type: 'task.assigned', rows });
  }

  #nextTaskId(service: string): string {
    const count = (this.#taskCounts.get(service) ?? 0) + 1;
    this.#taskCounts.set(service, count);
    return `${service}-${count}`;
  }

  #nextSlot(service: string): number {
    const slot = (this.#slotCounts.get(service) ?? 0) + 1;
    this.#slotCounts.set(service, slot);
    return slot;
  }
}

/** What the agent of a built node tells of it. */
export function aDescription(node: BuiltNode = {}): NodeDescription {
  return {
    hostname: node.hostname ?? node.id ?? 'node',
    platform: { os: node.os ?? 'linux', architecture: node.architecture ?? 'x86_64' },
    resources: {
      cpus: node.cpus ?? 8,
      memoryBytes: node.memoryBytes ?? 16 * 1024 ** 3,
      generic: node.generic ?? {},
    },
    engine: {
      driver: 'simulated',
      version: '1',
      labels: node.engineLabels ?? {},
      ...(node.plugins === undefined ? {} : { plugins: node.plugins }),
    },
    capabilities: { exec: true, stats: true, limits: { cpus: true, memory: true, pids: true } },
  };
}
