/**
 * Room that is kept: tasks that are to have a node once others have left it. Nobody of no higher priority is given that
 * room meanwhile. Folded from the state, so that a new leader keeps what the one before had promised.
 */

import type { TaskId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import type { AffinityBook } from '../affinity-book.ts';
import type { NodeTable } from '../node-table.ts';
import { hostPortsOf, type Needs, needsOf } from '../requirements.ts';
import type { ServiceEntry } from '../service-entry.ts';

/** One task for which room is kept. */
export interface Nominee {
  readonly id: TaskId;
  readonly service: ServiceEntry;
  readonly needs: Needs;
  readonly hostPorts: readonly number[];
  /** When that was decided; the index of the transaction. */
  readonly index: number;
  /** Row of the task, which decides between those of one transaction. */
  readonly row: number;
  /** Of its node; -1: that is gone. */
  slot: number;
}

const NOBODY: readonly Nominee[] = [];

/** All of them. */
export class Nominations {
  /** Nodes on which it is to be seen whether there is room now. */
  readonly dirty = new Set<number>();
  /** Those whose node is gone. */
  readonly homeless = new Set<TaskId>();
  readonly #nodes: NodeTable;
  readonly #affinity: AffinityBook;
  readonly #byId = new Map<TaskId, Nominee>();
  readonly #bySlot = new Map<number, Nominee[]>();

  constructor(nodes: NodeTable, affinity: AffinityBook) {
    this.#nodes = nodes;
    this.#affinity = affinity;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Room is kept for a task from now on. */
  begin(task: Task, service: ServiceEntry, state: ClusterState): void {
    const { nomination } = task;
    if (nomination === undefined) return;
    const nominee: Nominee = {
      id: task.id,
      service,
      needs: needsOf(task.spec),
      hostPorts: hostPortsOf(task.ports),
      index: nomination.index,
      row: state.roots.tasks.ids.get(task.id) ?? 0,
      slot: this.#nodes.slotOf(nomination.nodeId),
    };
    this.#byId.set(task.id, nominee);
    service.nominees += 1;
    const { slot } = nominee;
    if (slot === -1) {
      this.homeless.add(task.id);
      return;
    }
    const others = this.#bySlot.get(slot);
    if (others) others.push(nominee);
    else this.#bySlot.set(slot, [nominee]);
    this.dirty.add(slot);
    this.#count(nominee, 1);
  }

  /** No more. */
  end({ id }: Pick<Task, 'id'>): void {
    const nominee = this.#byId.get(id);
    if (!nominee) return;
    this.#byId.delete(id);
    this.homeless.delete(id);
    nominee.service.nominees -= 1;
    const { slot } = nominee;
    const others = this.#bySlot.get(slot);
    if (!others) return;
    others.splice(others.indexOf(nominee), 1);
    if (others.length === 0) {
      this.#bySlot.delete(slot);
      this.dirty.delete(slot);
    } else this.dirty.add(slot);
    this.#count(nominee, -1);
  }

  /** Something changed on a node. */
  retry(slot: number): void {
    if (this.#bySlot.size > 0 && this.#bySlot.has(slot)) this.dirty.add(slot);
  }

  /** A node goes. What was counted there is forgotten with it. */
  removeNode(slot: number): void {
    for (const nominee of this.#bySlot.get(slot) ?? NOBODY) {
      nominee.slot = -1;
      this.homeless.add(nominee.id);
    }
    this.#bySlot.delete(slot);
    this.dirty.delete(slot);
  }

  /** Those for whom room is kept on a node, in the order in which they are served: higher priorities, then earlier ones. */
  on(slot: number): readonly Nominee[] {
    const nominees = this.#bySlot.get(slot);
    if (nominees === undefined) return NOBODY;
    return nominees.length === 1 ? nominees : [...nominees].sort(isServedBefore);
  }

  /** Those of them whose room a task of this priority may not take. */
  keptFrom(slot: number, priority: number): readonly Nominee[] {
    return this.on(slot).filter(({ service }) => service.priority >= priority);
  }

  #count({ service, slot }: Nominee, sign: 1 | -1): void {
    this.#affinity.count(service.id, slot, sign, 'holding');
    this.#affinity.count(service.id, slot, sign, 'active');
  }
}

function isServedBefore(a: Nominee, b: Nominee): number {
  return b.service.priority - a.service.priority || a.index - b.index || a.row - b.row;
}
