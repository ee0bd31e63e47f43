/**
 * The one place where new states are made. A draft starts from a state, takes the writes of one transaction, notes
 * each as a change, keeps the indexes in step, and is sealed into the next state. The old state is untouched.
 */

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
import type { Change } from './change.ts';
import { ClusterState, type CommandRecord, type NamedKind, nameKey } from './cluster-state.ts';
import { forgetServiceWithoutTasks, noteDeparture } from './departed-services.ts';
import { type DraftRoots, InconsistentEventError } from './draft-roots.ts';
import { closeOwner, createOwner, type Owner } from './persistent/owner.ts';
import { RowFinder, type Table, tableDelete, tableGet, tableInsert, tableReplace } from './table.ts';
import { indexOnNode, indexTask, unindexTask } from './task-index.ts';

export { InconsistentEventError };

/** How many command ids are remembered, so that a retry is known for one. */
export const COMMANDS_REMEMBERED = 10_000;

interface FileTables {
  readonly networks: { readonly id: NetworkId; readonly row: Network };
  readonly secrets: { readonly id: SecretId; readonly row: Secret };
  readonly configs: { readonly id: ConfigId; readonly row: Config };
}

/** A state in the making. Used for one transaction, then sealed. */
export class StateDraft {
  readonly changes: Change[] = [];
  /** Names of volumes that have come to live on a node, or do no more. */
  readonly volumes: string[] = [];
  /** A secret value was dropped. */
  forgets = false;
  /** A secret value, or the key of their digests, was taken in. */
  confides = false;
  readonly #roots: DraftRoots['roots'];
  readonly #owner: Owner = createOwner();
  readonly #draft: DraftRoots;
  readonly #taskRows = new RowFinder<TaskId, Task>();

  constructor(base: ClusterState) {
    this.#roots = { ...base.roots };
    this.#draft = { roots: this.#roots, owner: this.#owner, nodeRows: new RowFinder() };
  }

  get cluster(): ClusterObject | undefined {
    return this.#roots.cluster;
  }

  node(id: NodeId): Node | undefined {
    return tableGet(this.#roots.nodes, id);
  }

  service(id: ServiceId): Service | undefined {
    return tableGet(this.#roots.services, id);
  }

  task(id: TaskId): Task | undefined {
    return tableGet(this.#roots.tasks, id);
  }

  /** Every task of a service, as it stands in the draft. */
  *tasksOfService(id: ServiceId): Generator<Task, undefined, undefined> {
    const row = this.#roots.services.ids.get(id);
    const slots = row === undefined ? undefined : this.#roots.slots.get(row);
    if (!slots) return;
    for (const [, rows] of slots.entries()) {
      for (const taskRow of rows) {
        const task = this.#roots.tasks.rows.get(taskRow);
        if (task) yield task;
      }
    }
  }

  setCluster(after: ClusterObject): void {
    this.changes.push({ kind: 'cluster', before: this.#roots.cluster, after });
    this.#roots.cluster = after;
  }

  setDigestKey(key: Uint8Array): void {
    this.#roots.digestKey = key;
    this.confides = true;
  }

  putNode(after: Node): void {
    const number = this.#roots.nodes.ids.get(after.id);
    const before = number === undefined ? undefined : this.#roots.nodes.rows.get(number);
    this.#roots.nodes =
      number === undefined
        ? tableInsert(this.#roots.nodes, after.id, after, this.#owner)
        : tableReplace(this.#roots.nodes, number, after, this.#owner);
    this.changes.push({ kind: 'node', before, after });
  }

  deleteNode(id: NodeId): void {
    const [number, before] = this.#existing(this.#roots.nodes, id, 'node');
    this.#roots.nodes = tableDelete(this.#roots.nodes, id, number, this.#owner);
    this.#roots.tasksByNode = this.#roots.tasksByNode.delete(number, this.#owner);
    this.changes.push({ kind: 'node', before, after: undefined });
    for (const { name, nodeId } of [...this.#roots.volumes.values()])
      if (nodeId === id) this.forgetVolume(name);
  }

  /** A volume lives on a node from now on, unless it lives anywhere already. */
  settleVolume(home: VolumeHome): void {
    if (this.#roots.volumes.has(home.name)) return;
    this.#roots.volumes = this.#roots.volumes.set(home.name, home, this.#owner);
    this.volumes.push(home.name);
  }

  forgetVolume(name: string): void {
    this.#roots.volumes = this.#roots.volumes.delete(name, this.#owner);
    this.volumes.push(name);
  }

  putService(after: Service): void {
    const number = this.#roots.services.ids.get(after.id);
    const before = number === undefined ? undefined : this.#roots.services.rows.get(number);
    if (number === undefined) {
      this.#claimName('service', after.spec.name, after.id);
      this.#roots.services = tableInsert(this.#roots.services, after.id, after, this.#owner);
    } else {
      this.#roots.services = tableReplace(this.#roots.services, number, after, this.#owner);
    }
    this.changes.push({ kind: 'service', before, after });
  }

  /**
   * Removes the service's row. Its tasks stay, and so does their index, until they are removed themselves: they are
   * found by the service's number.
   */
  /** @param index of the transaction */
  deleteService(id: ServiceId, index: number): void {
    const [number, before] = this.#existing(this.#roots.services, id, 'service');
    this.#roots.services = {
      ...this.#roots.services,
      rows: this.#roots.services.rows.delete(number, this.#owner),
    };
    const { name, drainDelayMs } = before.spec;
    const delay = drainDelayMs === undefined ? {} : { drainDelayMs };
    noteDeparture(this.#draft, id, { name, removedBy: index, ...delay });
    forgetServiceWithoutTasks(this.#draft, id, number);
    this.changes.push({ kind: 'service', before, after: undefined });
  }

  insertTask(after: Task): void {
    const number = this.#roots.tasks.next;
    if (this.#roots.tasks.ids.has(after.id))
      throw new InconsistentEventError(`task ${after.id} exists already`);
    this.#roots.tasks = tableInsert(this.#roots.tasks, after.id, after, this.#owner);
    indexTask(this.#draft, after, number);
    this.changes.push({ kind: 'task', before: undefined, after });
  }

  /** The number of a task's row, for {@link taskAt} and {@link replaceTask}. */
  taskRow(id: TaskId): number {
    const row = this.#taskRows.find(this.#roots.tasks, id);
    if (row === undefined) throw new InconsistentEventError(`task ${id} does not exist`);
    return row;
  }

  /** The task in a row that {@link taskRow} gave. */
  taskAt(row: number): Task {
    const task = this.#roots.tasks.rows.get(row);
    if (task === undefined) throw new InconsistentEventError(`there is no task in row ${row}`);
    return task;
  }

  /** Replaces the task in a row. `before` is what {@link taskAt} gave. */
  replaceTask(row: number, before: Task, after: Task): void {
    this.#roots.tasks = tableReplace(this.#roots.tasks, row, after, this.#owner);
    if (after.nodeId !== undefined && before.nodeId === undefined)
      indexOnNode(this.#draft, after.nodeId, row);
    this.changes.push({ kind: 'task', before, after });
  }

  deleteTask(id: TaskId): void {
    const [number, before] = this.#existing(this.#roots.tasks, id, 'task');
    this.#roots.tasks = tableDelete(this.#roots.tasks, id, number, this.#owner);
    unindexTask(this.#draft, before, number);
    this.changes.push({ kind: 'task', before, after: undefined });
  }

  /** Creates or replaces a network, secret or config. */
  putNetwork(after: Network): void {
    const [table, before] = this.#putNamed('network', this.#roots.networks, after);
    this.#roots.networks = table;
    this.changes.push({ kind: 'network', before, after });
  }

  putSecret(after: Secret): void {
    const [table, before] = this.#putNamed('secret', this.#roots.secrets, after);
    this.#roots.secrets = table;
    this.changes.push({ kind: 'secret', before, after });
  }

  putConfig(after: Config): void {
    const [table, before] = this.#putNamed('config', this.#roots.configs, after);
    this.#roots.configs = table;
    this.changes.push({ kind: 'config', before, after });
  }

  network(id: NetworkId): Network | undefined {
    return tableGet(this.#roots.networks, id);
  }

  secret(id: SecretId): Secret | undefined {
    return tableGet(this.#roots.secrets, id);
  }

  config(id: ConfigId): Config | undefined {
    return tableGet(this.#roots.configs, id);
  }

  deleteNetwork(id: NetworkId): void {
    const [table, before] = this.#deleteNamed('network', this.#roots.networks, id);
    this.#roots.networks = table;
    this.changes.push({ kind: 'network', before, after: undefined });
  }

  deleteSecret(id: SecretId): void {
    const [table, before] = this.#deleteNamed('secret', this.#roots.secrets, id);
    this.#roots.secrets = table;
    this.changes.push({ kind: 'secret', before, after: undefined });
  }

  deleteConfig(id: ConfigId): void {
    const [table, before] = this.#deleteNamed('config', this.#roots.configs, id);
    this.#roots.configs = table;
    this.changes.push({ kind: 'config', before, after: undefined });
  }

  storeInVault(digest: string, data: Uint8Array): void {
    this.#roots.vault = this.#roots.vault.set(digest, data, this.#owner);
    this.confides = true;
  }

  removeFromVault(digest: string): void {
    this.#roots.vault = this.#roots.vault.delete(digest, this.#owner);
    this.forgets = true;
  }

  /** Notes that a command was carried out, and forgets the oldest beyond {@link COMMANDS_REMEMBERED}. */
  noteCommand(id: CommandId, record: CommandRecord): void {
    const order = this.#roots.commandOrder;
    this.#roots.commands = this.#roots.commands.set(id, record, this.#owner);
    this.#roots.commandOrder = order.set(order.length, id, this.#owner);
    if (this.#roots.commandOrder.size <= COMMANDS_REMEMBERED) return;
    const oldest = this.#roots.commandOrder.next(0);
    const forgotten = this.#roots.commandOrder.get(oldest);
    if (forgotten !== undefined) this.#roots.commands = this.#roots.commands.delete(forgotten, this.#owner);
    this.#roots.commandOrder = this.#roots.commandOrder.delete(oldest, this.#owner);
  }

  /** Ends the draft: the next state, at this index and time. */
  seal(index: number, at: number): ClusterState {
    this.#roots.index = index;
    this.#roots.at = at;
    closeOwner(this.#owner);
    return new ClusterState(this.#roots);
  }

  #existing<Id extends string, Row>(table: Table<Id, Row>, id: Id, kind: string): [number, Row] {
    const number = table.ids.get(id);
    const row = number === undefined ? undefined : table.rows.get(number);
    if (number === undefined || row === undefined) {
      throw new InconsistentEventError(`${kind} ${id} does not exist`);
    }
    return [number, row];
  }

  #claimName(kind: NamedKind, name: string, id: string): void {
    const key = nameKey(kind, name);
    const holder = this.#roots.names.get(key);
    if (holder !== undefined && holder !== id) {
      throw new InconsistentEventError(`name ${name} of ${kind} ${id} is held by ${holder}`);
    }
    this.#roots.names = this.#roots.names.set(key, id, this.#owner);
  }

  #putNamed<K extends 'network' | 'secret' | 'config', Row extends FileTables[`${K}s`]['row']>(
    kind: K,
    table: Table<Row['id'], Row>,
    after: Row,
  ): [Table<Row['id'], Row>, Row | undefined] {
    const id: Row['id'] = after.id;
    const number = table.ids.get(id);
    if (number === undefined) {
      this.#claimName(kind, after.spec.name, id);
      return [tableInsert(table, id, after, this.#owner), undefined];
    }
    const before = table.rows.get(number);
    return [tableReplace(table, number, after, this.#owner), before];
  }

  #deleteNamed<K extends 'network' | 'secret' | 'config', Row extends FileTables[`${K}s`]['row']>(
    kind: K,
    table: Table<Row['id'], Row>,
    id: Row['id'],
  ): [Table<Row['id'], Row>, Row] {
    const [number, before] = this.#existing(table, id, kind);
    this.#roots.names = this.#roots.names.delete(nameKey(kind, before.spec.name), this.#owner);
    return [tableDelete(table, id, number, this.#owner), before];
  }
}
