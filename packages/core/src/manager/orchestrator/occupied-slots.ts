/**
 * The occupied slots of a replicated service, as far as scaling looks at them. A service may have a million, so they
 * lie in flat arrays by slot, and are compared with the wanted count in one go of a few milliseconds.
 */

import type { NodeId } from '../../model/ids.ts';

/** An occupied slot. */
export interface OccupiedSlot {
  readonly slot: number;
  /** Its task is observed running. */
  readonly running: boolean;
  /** Where its task is, if it has one live task and that has a node. */
  readonly nodeId: NodeId | undefined;
}

const HOLE = 0;
const RUNNING = 1;
const NOT_RUNNING = 2;
const NO_NODE = -1;

/** Occupied slots by their numbers; the others are holes. */
export class OccupiedSlots {
  #kinds = new Uint8Array(0);
  #nodes = new Int32Array(0);
  readonly #nodeNumbers = new Map<NodeId, number>();
  /** By number of the node: how many of its slots are occupied. */
  readonly #counts: number[] = [];
  #size = 0;

  /** How many slots are occupied. */
  get size(): number {
    return this.#size;
  }

  /** How many nodes they are on, or were since the first was noted. */
  get nodes(): number {
    return this.#nodeNumbers.size;
  }

  /** Notes an occupied slot, in place of what was noted of it before. */
  set({ slot, running, nodeId }: OccupiedSlot): void {
    if (slot >= this.#kinds.length) this.#grow(slot);
    this.clear(slot);
    const node = nodeId === undefined ? NO_NODE : this.#numberOf(nodeId);
    this.#size += 1;
    this.#kinds[slot] = running ? RUNNING : NOT_RUNNING;
    this.#nodes[slot] = node;
    this.#count(node, 1);
  }

  /** The slot is free. */
  clear(slot: number): void {
    if (this.isFree(slot)) return;
    this.#kinds[slot] = HOLE;
    this.#size -= 1;
    this.#count(this.#nodes[slot] as number, -1);
  }

  isFree(slot: number): boolean {
    return (this.#kinds[slot] ?? HOLE) === HOLE;
  }

  /** Calls `visit` for each slot whose task runs, or doesn't, ascending; `node` is -1 without a node. */
  forEach(running: boolean, visit: (slot: number, node: number) => void): void {
    const wanted = running ? RUNNING : NOT_RUNNING;
    const kinds = this.#kinds;
    for (let slot = 0; slot < kinds.length; slot++) {
      if (kinds[slot] === wanted) visit(slot, this.#nodes[slot] as number);
    }
  }

  /** How many nodes have at least one occupied slot, at least two, and so on: up to the most that one has. */
  nodesByCount(): number[] {
    const withJust: number[] = [];
    for (const count of this.#counts) {
      while (withJust.length < count) withJust.push(0);
      if (count > 0) withJust[count - 1] = (withJust[count - 1] as number) + 1;
    }
    for (let at = withJust.length - 2; at >= 0; at--) {
      withJust[at] = (withJust[at] as number) + (withJust[at + 1] as number);
    }
    return withJust;
  }

  #count(node: number, sign: 1 | -1): void {
    if (node !== NO_NODE) this.#counts[node] = (this.#counts[node] as number) + sign;
  }

  #numberOf(nodeId: NodeId): number {
    let number = this.#nodeNumbers.get(nodeId);
    if (number === undefined) {
      number = this.#nodeNumbers.size;
      this.#nodeNumbers.set(nodeId, number);
      this.#counts.push(0);
    }
    return number;
  }

  #grow(slot: number): void {
    const length = Math.max(64, slot + 1, 2 * this.#kinds.length);
    const kinds = new Uint8Array(length);
    const nodes = new Int32Array(length);
    kinds.set(this.#kinds);
    nodes.set(this.#nodes);
    this.#kinds = kinds;
    this.#nodes = nodes;
  }
}
