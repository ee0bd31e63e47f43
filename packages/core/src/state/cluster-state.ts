/**
 * The state of a cluster at one index: tables of immutable rows with their indexes, all persistent. Reading never
 * changes it, holding it costs nothing, and an old one stays true for ever. Only `state-draft.ts` makes new ones.
 */

import type { CommandAnswer } from '../events/event.ts';
import type { CommandId, ConfigId, NetworkId, NodeId, SecretId, ServiceId, TaskId } from '../model/ids.ts';
import type {
  ClusterObject,
  Config,
  Network,
  Node,
  Secret,
  Service,
  Task,
  VolumeHome,
} from '../model/objects.ts';
import { PersistentMap } from './persistent/persistent-map.ts';
import { PersistentVector } from './persistent/persistent-vector.ts';
import type { RowSet } from './persistent/row-set.ts';
import { emptyTable, type Table, tableGet } from './table.ts';

/** Row numbers of the tasks in one slot, oldest first. */
export type SlotRows = readonly number[];

/** A command that was carried out. */
export interface CommandRecord {
  /** Index of the transaction that did. */
  readonly index: number;
  /** What it did, where it said so. */
  readonly answer?: CommandAnswer;
}

/** The parts that a state is made of. Whoever is not in this folder uses {@link ClusterState}. */
export interface StateRoots {
  /** Index of the last transaction that it holds. */
  readonly index: number;
  /** When that was, by the leader's clock. */
  readonly at: number;
  readonly cluster: ClusterObject | undefined;
  readonly digestKey: Uint8Array | undefined;
  readonly nodes: Table<NodeId, Node>;
  readonly services: Table<ServiceId, Service>;
  readonly tasks: Table<TaskId, Task>;
  readonly networks: Table<NetworkId, Network>;
  readonly secrets: Table<SecretId, Secret>;
  readonly configs: Table<ConfigId, Config>;
  /** Secret values by digest. */
  readonly vault: PersistentMap<string, Uint8Array>;
  /** `kind/name in lower case` → id, for the kinds whose names are unique. */
  readonly names: PersistentMap<string, string>;
  /** Services that were removed while tasks of theirs are still being stopped. */
  readonly departed: PersistentMap<ServiceId, DepartedService>;
  /** By row of the service: its slots, each with its tasks. A global service's slots are rows of nodes. */
  readonly slots: PersistentVector<PersistentVector<SlotRows>>;
  /** By row of the node: rows of its tasks. */
  readonly tasksByNode: PersistentVector<RowSet>;
  /** Volumes that live on one node, by name. */
  readonly volumes: PersistentMap<string, VolumeHome>;
  /** Commands carried out lately. Oldest are forgotten first. */
  readonly commands: PersistentMap<CommandId, CommandRecord>;
  readonly commandOrder: PersistentVector<CommandId>;
}

/** What is kept of a service that was removed, for as long as it has tasks. */
export interface DepartedService {
  readonly name: string;
  /** Index of the transaction that removed it; 0 in snapshots of before that was kept. */
  readonly removedBy: number;
  /** As its spec had it. */
  readonly drainDelayMs?: number;
}

/** Kinds whose names are unique, compared without case. */
export type NamedKind = 'service' | 'network' | 'secret' | 'config';

/** The key of {@link StateRoots.names}. Removed services with tasks are found under a kind of their own. */
export function nameKey(kind: NamedKind | 'departed', name: string): string {
  return `${kind}/${name.toLowerCase()}`;
}

/** A cluster as it was at one index. */
export class ClusterState {
  /** The parts, for the folder `state` and for indexes that work on row numbers. */
  readonly roots: StateRoots;

  static readonly empty: ClusterState = new ClusterState({
    index: 0,
    at: 0,
    cluster: undefined,
    digestKey: undefined,
    nodes: emptyTable(),
    services: emptyTable(),
    tasks: emptyTable(),
    networks: emptyTable(),
    secrets: emptyTable(),
    configs: emptyTable(),
    vault: PersistentMap.empty(),
    names: PersistentMap.empty(),
    departed: PersistentMap.empty(),
    slots: PersistentVector.empty(),
    tasksByNode: PersistentVector.empty(),
    volumes: PersistentMap.empty(),
    commands: PersistentMap.empty(),
    commandOrder: PersistentVector.empty(),
  });

  constructor(roots: StateRoots) {
    this.roots = roots;
  }

  /** Index of the last transaction that this state holds; 0 before the first. */
  get index(): number {
    return this.roots.index;
  }

  /** Leader's time of that transaction; milliseconds since 1970. */
  get at(): number {
    return this.roots.at;
  }

  /** The cluster object; absent only before the first transaction. */
  get cluster(): ClusterObject | undefined {
    return this.roots.cluster;
  }

  node(id: NodeId): Node | undefined {
    return tableGet(this.roots.nodes, id);
  }

  service(id: ServiceId): Service | undefined {
    return tableGet(this.roots.services, id);
  }

  task(id: TaskId): Task | undefined {
    return tableGet(this.roots.tasks, id);
  }

  network(id: NetworkId): Network | undefined {
    return tableGet(this.roots.networks, id);
  }

  secret(id: SecretId): Secret | undefined {
    return tableGet(this.roots.secrets, id);
  }

  config(id: ConfigId): Config | undefined {
    return tableGet(this.roots.configs, id);
  }

  /** The id that has this name, if any. */
  idByName(kind: NamedKind, name: string): string | undefined {
    return this.roots.names.get(nameKey(kind, name));
  }

  serviceByName(name: string): Service | undefined {
    const id = this.idByName('service', name);
    return id === undefined ? undefined : this.service(id as ServiceId);
  }

  /** The id of the service that had this name last, and whose tasks are still being stopped. */
  departedService(name: string): ServiceId | undefined {
    return this.roots.names.get(nameKey('departed', name)) as ServiceId | undefined;
  }

  /** Whether this service was removed, and has tasks that are still being stopped. */
  hasDeparted(id: ServiceId): boolean {
    return this.roots.departed.has(id);
  }

  /** All nodes, in the order in which they joined. */
  *nodes(): Generator<Node, undefined, undefined> {
    for (const [, node] of this.roots.nodes.rows.entries()) yield node;
  }

  /** All services, in the order in which they were created. */
  *services(): Generator<Service, undefined, undefined> {
    for (const [, service] of this.roots.services.rows.entries()) yield service;
  }

  /** All tasks, in the order in which they were created. */
  *tasks(): Generator<Task, undefined, undefined> {
    for (const [, task] of this.roots.tasks.rows.entries()) yield task;
  }

  *networks(): Generator<Network, undefined, undefined> {
    for (const [, network] of this.roots.networks.rows.entries()) yield network;
  }

  *secrets(): Generator<Secret, undefined, undefined> {
    for (const [, secret] of this.roots.secrets.rows.entries()) yield secret;
  }

  *configs(): Generator<Config, undefined, undefined> {
    for (const [, config] of this.roots.configs.rows.entries()) yield config;
  }

  /** Tasks that were given to a node, ended ones included, in the order in which they were created. */
  *tasksOfNode(id: NodeId): Generator<Task, undefined, undefined> {
    const row = this.roots.nodes.ids.get(id);
    const rows = row === undefined ? undefined : this.roots.tasksByNode.get(row);
    if (!rows) return;
    for (const taskRow of rows.values()) {
      const task = this.roots.tasks.rows.get(taskRow);
      if (task) yield task;
    }
  }

  /**
   * The slots of a service in ascending order, each with its tasks, oldest first. The key is the slot's number, or
   * the row number of the node in a global service. From the key `from` on; default: all.
   */
  *slots(id: ServiceId, from = 0): Generator<readonly [key: number, tasks: Task[]], undefined, undefined> {
    const row = this.roots.services.ids.get(id);
    const slots = row === undefined ? undefined : this.roots.slots.get(row);
    if (!slots) return;
    for (const [key, rows] of slots.entries(from)) yield [key, this.#tasksAt(rows)];
  }

  /** The tasks of one slot, oldest first. */
  slot(id: ServiceId, key: number): Task[] {
    const row = this.roots.services.ids.get(id);
    const rows = row === undefined ? undefined : this.roots.slots.get(row)?.get(key);
    return rows ? this.#tasksAt(rows) : [];
  }

  /** The key of the slot that a task is in: its slot's number, or its node's row in a global service. */
  slotKey(task: Task): number {
    if (task.slot !== 0 || task.nodeId === undefined) return task.slot;
    return this.roots.nodes.ids.get(task.nodeId) ?? 0;
  }

  /** All tasks of a service, slot by slot. */
  *tasksOfService(id: ServiceId): Generator<Task, undefined, undefined> {
    for (const [, tasks] of this.slots(id)) yield* tasks;
  }

  /** Where a volume lives, if it is one that tasks follow. */
  volume(name: string): VolumeHome | undefined {
    return this.roots.volumes.get(name);
  }

  /** How this command was carried out, if it was lately. */
  command(id: CommandId): CommandRecord | undefined {
    return this.roots.commands.get(id);
  }

  #tasksAt(rows: SlotRows): Task[] {
    const tasks: Task[] = [];
    for (const row of rows) {
      const task = this.roots.tasks.rows.get(row);
      if (task) tasks.push(task);
    }
    return tasks;
  }
}
