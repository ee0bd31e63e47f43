/**
 * The nodes as the scheduler sees them: each has a slot, a small number that is given again once the node is gone,
 * and what is compared and counted lies in typed arrays by slot. Looking at ten thousand nodes is then a walk
 * through a few flat arrays. It knows nothing of services and of what waits.
 */

import type { NodeId } from '../../model/ids.ts';
import type { Node } from '../../model/objects.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import { GenericUse } from './generic-use.ts';
import { type Needs, toNanoCpus } from './requirements.ts';
import { TouchLog } from './touch-log.ts';

const SLOTS_MIN = 64;

/** What one task holds of its node. */
interface Holding {
  readonly needs: Needs;
  readonly hostPorts: readonly number[];
  readonly generic: AssignedGeneric | undefined;
}

/** Nodes by slot. Arrays are longer than there are nodes; `nodes` tells which slots are in use. */
export class NodeTable {
  /** The node in each slot; `undefined` where there is none. */
  readonly nodes: (Node | undefined)[] = [];
  /** 1 for nodes that take new tasks: ready and active. */
  takesTasks = new Uint8Array(SLOTS_MIN);
  /** What no task has reserved. Negative when a node offers less than it did. */
  freeNanoCpus = new Float64Array(SLOTS_MIN);
  freeMemoryBytes = new Float64Array(SLOTS_MIN);
  /** Active tasks of all services. */
  active = new Int32Array(SLOTS_MIN);
  /** Row numbers of the nodes: the order in which they joined, which decides between equals. 0 where there is none. */
  rows = new Float64Array(SLOTS_MIN);
  /** Tasks that hold a place, active or not. */
  holding = new Int32Array(SLOTS_MIN);
  /** The nodes whose row here changed, apart from what they have free. */
  readonly touched = new TouchLog();
  readonly #hostPorts: (Map<number, number> | undefined)[] = [];
  readonly #generic: (GenericUse | undefined)[] = [];
  readonly #slots = new Map<NodeId, number>();
  /** The node that was asked for last; its slot. */
  #lastId: NodeId | undefined;
  #lastSlot = -1;
  readonly #unused: number[] = [];

  /** How many nodes there are. */
  get size(): number {
    return this.#slots.size;
  }

  /** One more than the highest slot ever used. */
  get length(): number {
    return this.nodes.length;
  }

  /** How many slots the arrays have room for. */
  get capacity(): number {
    return this.rows.length;
  }

  /** The slot of a node, or -1. */
  slotOf(id: NodeId): number {
    // Whoever folds a change of a task asks more than once.
    if (id === this.#lastId) return this.#lastSlot;
    const slot = this.#slots.get(id) ?? -1;
    this.#lastId = id;
    this.#lastSlot = slot;
    return slot;
  }

  /** Gives a new node a slot. */
  add(node: Node, row: number): number {
    const slot = this.#unused.pop() ?? this.nodes.length;
    if (slot >= this.capacity) this.#grow();
    this.nodes[slot] = node;
    this.#slots.set(node.id, slot);
    this.#lastId = undefined;
    this.rows[slot] = row;
    this.takesTasks[slot] = takesTasks(node) ? 1 : 0;
    this.freeNanoCpus[slot] = toNanoCpus(node.description.resources.cpus);
    this.freeMemoryBytes[slot] = node.description.resources.memoryBytes;
    this.touched.note(slot);
    return slot;
  }

  /** Takes over what changed of a node. */
  update(slot: number, before: Node, after: Node): void {
    const was = before.description.resources;
    const is = after.description.resources;
    this.nodes[slot] = after;
    this.takesTasks[slot] = takesTasks(after) ? 1 : 0;
    this.freeNanoCpus[slot] =
      (this.freeNanoCpus[slot] as number) + toNanoCpus(is.cpus) - toNanoCpus(was.cpus);
    this.freeMemoryBytes[slot] = (this.freeMemoryBytes[slot] as number) + is.memoryBytes - was.memoryBytes;
    this.touched.note(slot);
  }

  /** Forgets a node and all that its tasks held. Its slot is given again: whoever has notes under it must drop them. */
  remove(slot: number): void {
    const node = this.nodes[slot];
    if (!node) return;
    this.nodes[slot] = undefined;
    this.#slots.delete(node.id);
    this.#lastId = undefined;
    this.rows[slot] = 0;
    this.takesTasks[slot] = 0;
    this.active[slot] = 0;
    this.holding[slot] = 0;
    this.#hostPorts[slot] = undefined;
    this.#generic[slot] = undefined;
    this.#unused.push(slot);
    this.touched.note(slot);
  }

  /** Counts an active task, or with `sign` -1 counts it no more. */
  countActive(slot: number, sign: 1 | -1): void {
    this.active[slot] = (this.active[slot] as number) + sign;
    this.touched.note(slot);
  }

  /** Books what a task holds, or with `sign` -1 gives it back. */
  book(slot: number, { needs, hostPorts, generic }: Holding, sign: 1 | -1): void {
    this.holding[slot] = (this.holding[slot] as number) + sign;
    if (needs.nanoCpus !== 0) {
      this.freeNanoCpus[slot] = (this.freeNanoCpus[slot] as number) - sign * needs.nanoCpus;
    }
    if (needs.memoryBytes !== 0) {
      this.freeMemoryBytes[slot] = (this.freeMemoryBytes[slot] as number) - sign * needs.memoryBytes;
    }
    if (hostPorts.length > 0) this.#bookPorts(slot, hostPorts, sign);
    if (needs.generic.length > 0 || generic !== undefined) {
      const use = this.#generic[slot] ?? new GenericUse();
      use.book(needs.generic, generic, sign);
      this.#generic[slot] = use.empty ? undefined : use;
    }
  }

  /** True when a task on the node holds this port. */
  holdsPort(slot: number, port: number): boolean {
    return this.#hostPorts[slot]?.has(port) ?? false;
  }

  /** The ports held on the node. */
  heldPorts(slot: number): readonly number[] {
    return [...(this.#hostPorts[slot]?.keys() ?? [])];
  }

  /** What is taken of the node's generic resources. */
  genericUse(slot: number): GenericUse | undefined {
    return this.#generic[slot];
  }

  #bookPorts(slot: number, ports: readonly number[], sign: 1 | -1): void {
    const held = this.#hostPorts[slot] ?? new Map<number, number>();
    for (const port of ports) {
      const count = (held.get(port) ?? 0) + sign;
      if (count === 0) held.delete(port);
      else held.set(port, count);
    }
    this.#hostPorts[slot] = held.size === 0 ? undefined : held;
  }

  #grow(): void {
    const capacity = 2 * this.capacity;
    this.takesTasks = copied(new Uint8Array(capacity), this.takesTasks);
    this.freeNanoCpus = copied(new Float64Array(capacity), this.freeNanoCpus);
    this.freeMemoryBytes = copied(new Float64Array(capacity), this.freeMemoryBytes);
    this.active = copied(new Int32Array(capacity), this.active);
    this.rows = copied(new Float64Array(capacity), this.rows);
    this.holding = copied(new Int32Array(capacity), this.holding);
  }
}

/** True when a node is ready and takes new tasks. */
export function takesTasks(node: Node): boolean {
  return node.status.state === 'ready' && node.spec.availability === 'active';
}

/** True when nothing changed by which a node is fit for tasks, or is told not to be. */
export function isSameForPlacing(before: Node, after: Node): boolean {
  return (
    before.spec === after.spec &&
    before.description === after.description &&
    before.status.address === after.status.address &&
    before.status.state === after.status.state
  );
}

function copied<A extends Uint8Array | Int32Array | Float64Array>(to: A, from: A): A {
  to.set(from);
  return to;
}
