/**
 * A state as a stream of chunks, and back. Rows keep their numbers, so that a restored state is the same in every
 * order that anyone can see; indexes are not written but folded again from the rows.
 */

import { decodeValue, encodeValue, UnreadableEventError } from '../events/codec.ts';
import type { CommandAnswer } from '../events/event.ts';
import type { CommandId, ServiceId } from '../model/ids.ts';
import type { AllocatedPort, ClusterObject, Task, VolumeHome } from '../model/objects.ts';
import type { PlacementDecision, PlacementExplanation, PlacementFinding } from '../model/placement.ts';
import type { TaskSpec } from '../model/task-spec.ts';
import { ClusterState, type NamedKind, nameKey, type SlotRows, type StateRoots } from './cluster-state.ts';
import { inChunks } from './in-chunks.ts';
import { closeOwner, createOwner, type Owner } from './persistent/owner.ts';
import { PersistentMap } from './persistent/persistent-map.ts';
import { PersistentVector } from './persistent/persistent-vector.ts';
import { RowSet } from './persistent/row-set.ts';
import { emptyTable, type Table } from './table.ts';

/**
 * Version 1 had explanations in the tasks' rows, without their index; until version 2 secrets and configs had one
 * revision. All are still read.
 */
const VERSION = 3;

const PLAIN_TABLES = ['nodes', 'services', 'networks', 'secrets', 'configs'] as const;
type PlainTable = (typeof PLAIN_TABLES)[number];

/** What thousands of tasks share each. */
type Shared = TaskSpec | readonly AllocatedPort[] | PlacementExplanation | PlacementDecision;

/** A task with what it shares as numbers in the snapshot's own list. */
type WrittenTask = Omit<Task, 'spec' | 'ports' | 'explanation' | 'decision'> & {
  readonly spec: number;
  readonly ports: number;
  /** In version 1 the explanation itself. */
  readonly explanation?: number | PlacementFinding;
  readonly decision?: number;
};

/** A command by its place in the order of commands. */
type WrittenCommand = readonly [order: number, id: CommandId, index: number, answer: CommandAnswer | null];

/**
 * A departed service: id, number of its row, name, the transaction that removed it, which older ones leave out, and its
 * drain delay, if it had one of its own.
 */
type DepartedRow = readonly [
  id: ServiceId,
  number: number,
  name: string,
  removedBy?: number,
  drainDelayMs?: number,
];

type Chunk =
  | {
      readonly kind: 'head';
      readonly version: number;
      readonly index: number;
      readonly at: number;
      readonly cluster: ClusterObject | null;
      readonly digestKey: Uint8Array | null;
      readonly next: Readonly<Record<PlainTable | 'tasks', number>>;
    }
  | {
      readonly kind: 'rows';
      readonly table: PlainTable;
      readonly rows: readonly (readonly [number, { id: string }])[];
    }
  /** Services that are gone while tasks of theirs are not. */
  | { readonly kind: 'departed'; readonly rows: readonly DepartedRow[] }
  | {
      readonly kind: 'tasks';
      /** What the list of shared values grows by, before these rows are read. */
      readonly shared: readonly Shared[];
      readonly rows: readonly (readonly [number, WrittenTask])[];
    }
  | { readonly kind: 'vault'; readonly rows: readonly (readonly [string, Uint8Array])[] }
  /** Left out where there are none. */
  | { readonly kind: 'volumes'; readonly rows: readonly VolumeHome[] }
  | { readonly kind: 'commands'; readonly rows: readonly WrittenCommand[] }
  /** How many chunks came before, so that one lost on the way is missed. */
  | { readonly kind: 'end'; readonly chunks: number };

/**
 * The chunks of a state. Lazy: each is made when it is asked for. States that say the same give the same chunks, also
 * when one of them came out of a snapshot itself.
 */
export function* snapshotChunks(state: ClusterState): Generator<Uint8Array, undefined, undefined> {
  let chunks = 0;
  for (const chunk of chunksOf(state.roots)) {
    yield encodeValue(chunk);
    chunks += 1;
  }
  yield encodeValue({ kind: 'end', chunks } satisfies Chunk);
}

/**
 * The state of a stream of chunks.
 *
 * @throws UnreadableEventError if the stream is garbled, incomplete or of another version.
 */
export async function restoreSnapshot(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<ClusterState> {
  const restoring = new Restoring();
  for await (const chunk of chunks) {
    const value = decodeValue(chunk);
    try {
      restoring.take(value as Chunk);
    } catch (cause) {
      if (cause instanceof UnreadableEventError) throw cause;
      throw new UnreadableEventError('this snapshot is garbled', { cause });
    }
  }
  return restoring.finish();
}

function* chunksOf(roots: StateRoots): Generator<Chunk, undefined, undefined> {
  yield {
    kind: 'head',
    version: VERSION,
    index: roots.index,
    at: roots.at,
    cluster: roots.cluster ?? null,
    digestKey: roots.digestKey ?? null,
    next: {
      nodes: roots.nodes.next,
      services: roots.services.next,
      networks: roots.networks.next,
      secrets: roots.secrets.next,
      configs: roots.configs.next,
      tasks: roots.tasks.next,
    },
  };
  for (const table of PLAIN_TABLES) {
    const rows: Iterable<readonly [number, { readonly id: string; readonly data?: Uint8Array }]> =
      roots[table].rows.entries();
    for (const part of inChunks(rows, ([, row]) => row.data?.length ?? 0)) {
      yield { kind: 'rows', table, rows: part };
    }
  }
  const departed = [...roots.departed.entries()].map(([id, service]): DepartedRow => {
    const { name, removedBy, drainDelayMs } = service;
    const row = [id, roots.services.ids.get(id) ?? 0, name, removedBy] as const;
    return drainDelayMs === undefined ? row : [...row, drainDelayMs];
  });
  if (departed.length > 0) yield { kind: 'departed', rows: departed.sort(([, a], [, b]) => a - b) };
  yield* taskChunks(roots);
  // Maps have no order of their own that two members would share.
  const vault = [...roots.vault.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const rows of inChunks(vault, ([, data]) => data.length)) yield { kind: 'vault', rows };
  const volumes = [...roots.volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const rows of inChunks(volumes)) yield { kind: 'volumes', rows };
  for (const part of inChunks(roots.commandOrder.entries())) {
    const rows = part.map(([order, id]): WrittenCommand => {
      const record = roots.commands.get(id);
      return [order, id, record?.index ?? 0, record?.answer ?? null];
    });
    yield { kind: 'commands', rows };
  }
}

function* taskChunks(roots: StateRoots): Generator<Chunk, undefined, undefined> {
  // Whether two tasks hold one spec or two that are alike depends on how this member came by them, so equal ones
  // share a number: the first map is quick, the second is right.
  const numbers = new Map<object, number>();
  const numbersByContent = new Map<string, number>();
  for (const part of inChunks(roots.tasks.rows.entries())) {
    const shared: Shared[] = [];
    const numberOf = (value: Shared): number => {
      const known = numbers.get(value);
      if (known !== undefined) return known;
      const content = JSON.stringify(value);
      let number = numbersByContent.get(content);
      if (number === undefined) {
        number = numbersByContent.size;
        numbersByContent.set(content, number);
        shared.push(value);
      }
      numbers.set(value, number);
      return number;
    };
    const rows = part.map(([number, task]): readonly [number, WrittenTask] => [
      number,
      withNumbers(task, numberOf),
    ]);
    yield { kind: 'tasks', shared, rows };
  }
}

/** One copy of the row and no more, since a snapshot of a large cluster has a million of them. */
function withNumbers(task: Task, numberOf: (value: Shared) => number): WrittenTask {
  const { explanation, decision } = task;
  const written: { -readonly [K in keyof Task]?: unknown } = {
    ...task,
    spec: numberOf(task.spec),
    ports: numberOf(task.ports),
  };
  if (explanation !== undefined) written.explanation = numberOf(explanation);
  if (decision !== undefined) written.decision = numberOf(decision);
  return written as WrittenTask;
}

/** A state in the course of being read back. */
class Restoring {
  readonly #owner: Owner = createOwner();
  readonly #shared: Shared[] = [];
  #roots: StateRoots | undefined;
  #taken = 0;
  #ended = false;

  take(chunk: Chunk): void {
    if (this.#ended) throw new UnreadableEventError('this snapshot goes on behind its end');
    if (chunk.kind === 'head') this.#begin(chunk);
    else this.#takeInto(this.#begun(), chunk);
    this.#taken += 1;
  }

  #takeInto(roots: StateRoots, chunk: Exclude<Chunk, { readonly kind: 'head' }>): void {
    switch (chunk.kind) {
      case 'rows':
        this.#roots = { ...roots, ...this.#rows(roots, chunk.table, chunk.rows) };
        return;
      case 'departed': {
        let { names, departed } = roots;
        let { ids } = roots.services;
        for (const [id, number, name, removedBy = 0, drainDelayMs] of chunk.rows) {
          ids = ids.set(id, number, this.#owner);
          names = names.set(nameKey('departed', name), id, this.#owner);
          const delay = drainDelayMs === undefined ? {} : { drainDelayMs };
          departed = departed.set(id, { name, removedBy, ...delay }, this.#owner);
        }
        this.#roots = { ...roots, names, departed, services: { ...roots.services, ids } };
        return;
      }
      case 'tasks':
        this.#shared.push(...chunk.shared);
        this.#roots = this.#tasks(roots, chunk.rows);
        return;
      case 'vault': {
        let vault = roots.vault;
        for (const [digest, data] of chunk.rows) vault = vault.set(digest, data, this.#owner);
        this.#roots = { ...roots, vault };
        return;
      }
      case 'volumes': {
        let { volumes } = roots;
        for (const home of chunk.rows) volumes = volumes.set(home.name, home, this.#owner);
        this.#roots = { ...roots, volumes };
        return;
      }
      case 'commands': {
        let { commands, commandOrder } = roots;
        for (const [order, id, index, answer] of chunk.rows) {
          commands = commands.set(id, answer === null ? { index } : { index, answer }, this.#owner);
          commandOrder = commandOrder.set(order, id, this.#owner);
        }
        this.#roots = { ...roots, commands, commandOrder };
        return;
      }
      case 'end':
        if (chunk.chunks !== this.#taken) throw new UnreadableEventError('this snapshot is incomplete');
        this.#ended = true;
        return;
      default:
        throw new UnreadableEventError('this snapshot holds what this Skep does not know');
    }
  }

  finish(): ClusterState {
    const roots = this.#begun();
    if (!this.#ended) throw new UnreadableEventError('this snapshot is cut short');
    closeOwner(this.#owner);
    return new ClusterState(roots);
  }

  #begin(head: Extract<Chunk, { kind: 'head' }>): void {
    if (this.#roots) throw new UnreadableEventError('this snapshot begins twice');
    if (![1, 2, VERSION].includes(head.version)) {
      throw new UnreadableEventError(
        `this snapshot has version ${head.version}, this Skep reads 1 to ${VERSION}`,
      );
    }
    const { next } = head;
    this.#roots = {
      index: head.index,
      at: head.at,
      cluster: head.cluster ?? undefined,
      digestKey: head.digestKey ?? undefined,
      nodes: { ...emptyTable(), next: next.nodes },
      services: { ...emptyTable(), next: next.services },
      tasks: { ...emptyTable(), next: next.tasks },
      networks: { ...emptyTable(), next: next.networks },
      secrets: { ...emptyTable(), next: next.secrets },
      configs: { ...emptyTable(), next: next.configs },
      vault: PersistentMap.empty(),
      names: PersistentMap.empty(),
      departed: PersistentMap.empty(),
      slots: PersistentVector.empty(),
      tasksByNode: PersistentVector.empty(),
      volumes: PersistentMap.empty(),
      commands: PersistentMap.empty(),
      commandOrder: PersistentVector.empty(),
    };
  }

  #begun(): StateRoots {
    if (!this.#roots) throw new UnreadableEventError('this snapshot does not begin with its head');
    return this.#roots;
  }

  #rows(
    roots: StateRoots,
    name: PlainTable,
    rows: readonly (readonly [number, { readonly id: string }])[],
  ): Partial<StateRoots> {
    const kind = NAMED_TABLES[name];
    const before = roots[name] as Table<string, { readonly id: string }>;
    let table = before;
    let names = roots.names;
    for (const [number, written] of rows) {
      const isFile = name === 'secrets' || name === 'configs';
      const row = isFile && !('revision' in written) ? { ...written, revision: 1, older: [] } : written;
      table = {
        rows: table.rows.set(number, row, this.#owner),
        ids: table.ids.set(row.id, number, this.#owner),
        next: table.next,
      };
      const spec = (row as { readonly spec?: { readonly name?: string } }).spec;
      if (kind && spec?.name !== undefined) names = names.set(nameKey(kind, spec.name), row.id, this.#owner);
    }
    return { [name]: table, names };
  }

  #tasks(roots: StateRoots, rows: readonly (readonly [number, WrittenTask])[]): StateRoots {
    let { slots, tasksByNode } = roots;
    let { rows: tasks, ids } = roots.tasks;
    for (const [number, written] of rows) {
      const task = this.#task(written);
      tasks = tasks.set(number, task, this.#owner);
      ids = ids.set(task.id, number, this.#owner);
      const nodeRow = task.nodeId === undefined ? undefined : roots.nodes.ids.get(task.nodeId);
      if (nodeRow !== undefined) {
        const onNode = tasksByNode.get(nodeRow) ?? RowSet.empty();
        tasksByNode = tasksByNode.set(nodeRow, onNode.add(number, this.#owner), this.#owner);
      }
      const serviceRow = roots.services.ids.get(task.serviceId);
      if (serviceRow === undefined) throw new UnreadableEventError(`task ${task.id} is of no service`);
      const key = task.slot !== 0 ? task.slot : (nodeRow ?? 0);
      const ofService = slots.get(serviceRow) ?? PersistentVector.empty<SlotRows>();
      const inSlot = [...(ofService.get(key) ?? []), number];
      slots = slots.set(serviceRow, ofService.set(key, inSlot, this.#owner), this.#owner);
    }
    return { ...roots, tasks: { rows: tasks, ids, next: roots.tasks.next }, slots, tasksByNode };
  }

  /** The row comes fresh from its bytes, so it is made whole in place: copies took half the time of a restoration. */
  #task(written: WrittenTask): Task {
    const { id, spec, ports, explanation, decision } = written;
    const task = written as unknown as { -readonly [K in keyof Task]: Task[K] };
    task.spec = this.#sharedBy(id, spec);
    task.ports = this.#sharedBy(id, ports);
    if (explanation !== undefined) task.explanation = this.#explanation(written, explanation);
    if (decision !== undefined) task.decision = this.#sharedBy(id, decision);
    return task;
  }

  #explanation(row: Pick<Task, 'id' | 'version' | 'updatedAt'>, written: number | PlacementFinding) {
    if (typeof written === 'number') return this.#sharedBy<PlacementExplanation>(row.id, written);
    return { ...written, index: row.version, at: row.updatedAt };
  }

  #sharedBy<T extends Shared>(id: string, number: number): T {
    const value = this.#shared[number];
    if (!value) throw new UnreadableEventError(`task ${id} is without what it shares with others`);
    return value as T;
  }
}

const NAMED_TABLES: Readonly<Partial<Record<PlainTable, NamedKind>>> = {
  services: 'service',
  networks: 'network',
  secrets: 'secret',
  configs: 'config',
};
