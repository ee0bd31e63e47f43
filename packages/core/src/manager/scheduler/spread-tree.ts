/**
 * Spread preferences: the nodes as a tree whose branches are the values of labels, such as racks within zones. Each
 * task goes down the branch that has the fewest tasks of the service, and so on to a leaf, where the best node gets
 * it. Placing one by one like this ends where Swarm's recursive division ends: branches are equalised, and a branch
 * that is full passes its share on; but it may stop anywhere and go on later with the same result.
 */

import type { ConstraintKey } from '../../model/constraint.ts';
import { constraintValue } from '../../model/constraint-match.ts';
import type { Node } from '../../model/objects.ts';
import { NodeMarks } from './node-marks.ts';
import { isBefore, NodeHeap, type NodeOrder } from './node-order.ts';

/** The branches that the nodes make under one list of preferences. Kept from one placement to the next. */
export class SpreadLayout {
  /** The branch above each branch. Branch 0 is the root, and a branch comes after the one above it. */
  readonly parents: number[] = [-1];
  /** The leaf of each node. */
  readonly leaves: NodeMarks;
  readonly #keys: readonly ConstraintKey[];
  readonly #children: Map<string, number>[] = [new Map()];

  constructor(keys: readonly ConstraintKey[]) {
    this.#keys = keys;
    this.leaves = new NodeMarks((node) => this.#leafOf(node), 'wide');
  }

  #leafOf(node: Node): number {
    let branch = 0;
    for (const key of this.#keys) {
      const children = this.#children[branch];
      const value = constraintValue(node, key);
      let child = children?.get(value);
      if (child === undefined) {
        child = this.parents.length;
        this.parents.push(branch);
        this.#children.push(new Map());
        children?.set(value, child);
      }
      branch = child;
    }
    return branch;
  }
}

/** The nodes of one leaf that are fit, as far as a branch has to know them. */
export interface LeafNodes {
  /** The best node's slot, or -1. */
  readonly top: number;
  /** Puts them in order, once all are known. */
  arrange(): void;
  /** The key of the best node has changed: grown, unless it stays the best. */
  placed(stillFit: boolean): void;
}

/** One branch while a group is placed: a leaf has nodes, any other has branches with nodes below them. */
interface Branch {
  readonly parent: Branch | undefined;
  tasks: number;
  /** The node that a task would get that goes down here; -1 when the branch is full. */
  best: number;
  /** Fit nodes that were added; `nodes`, unless the leaf was given others. */
  readonly heap: NodeHeap;
  nodes: LeafNodes;
  /** Branches that are not full, as a heap: fewest tasks first, then the better node. */
  readonly children: Branch[];
}

/** The nodes that are fit for a group, arranged by a layout. */
export class SpreadTree {
  readonly #order: NodeOrder;
  readonly #layout: SpreadLayout | undefined;
  readonly #branches: (Branch | undefined)[] = [];
  readonly #root: Branch;

  readonly #count: number;

  /**
   * @param layout - absent: no preferences, one leaf.
   * @param count - most tasks that will be placed.
   */
  constructor(order: NodeOrder, layout: SpreadLayout | undefined, count: number) {
    this.#order = order;
    this.#count = count;
    this.#layout = layout;
    this.#root = this.#newBranch(undefined);
    this.#branches[0] = this.#root;
  }

  /** Adds tasks of the service that stand on a node, fit or not: they count for its branches. */
  count(slot: number, node: Node | undefined, tasks: number): void {
    if (tasks === 0 || !this.#layout || !node) return;
    const leaf = this.#branch(this.#layout.leaves.get(slot, node));
    for (let branch: Branch | undefined = leaf; branch; branch = branch.parent) branch.tasks += tasks;
  }

  /** Adds a node that is fit. */
  add(slot: number, node: Node | undefined): void {
    const leaf = this.#layout && node ? this.#branch(this.#layout.leaves.get(slot, node)) : this.#root;
    leaf.heap.add(slot);
  }

  /** Gives a leaf its nodes as a whole, instead of adding them. */
  setLeaf(leaf: number, nodes: LeafNodes): void {
    this.#branch(leaf).nodes = nodes;
  }

  /** Puts all in order, once all nodes are in. */
  arrange(): void {
    // From the last to the first, so that a branch is in order before the one above it looks at it.
    for (let index = this.#branches.length - 1; index >= 0; index--) {
      const branch = this.#branches[index];
      if (!branch) continue;
      branch.nodes.arrange();
      for (let at = (branch.children.length >> 1) - 1; at >= 0; at--) this.#sink(branch.children, at);
      branch.best = this.#bestOf(branch);
      if (branch.best !== -1) branch.parent?.children.push(branch);
    }
  }

  /** Tasks of the service in the branches that a node is in, outermost first. */
  loads(slot: number, node: Node | undefined): number[] {
    const loads: number[] = [];
    const leaf = this.#layout && node ? this.#branch(this.#layout.leaves.get(slot, node)) : this.#root;
    for (let branch = leaf; branch.parent; branch = branch.parent) loads.push(branch.tasks);
    return loads.reverse();
  }

  /** The slot of the node that gets the next task; -1 when no node is fit any more. */
  get best(): number {
    return this.#root.best;
  }

  /** The best node was given a task. Its key has grown already. */
  placed(stillFit: boolean): void {
    let branch = this.#root;
    branch.tasks += 1;
    for (let child = branch.children[0]; child; child = branch.children[0]) {
      branch = child;
      branch.tasks += 1;
    }
    this.#settle(branch, stillFit);
  }

  /** The best node turns out to be no longer fit, or its key has grown. */
  renewed(stillFit: boolean): void {
    let branch = this.#root;
    for (let child = branch.children[0]; child; child = branch.children[0]) branch = child;
    this.#settle(branch, stillFit);
  }

  #settle(branch: Branch, stillFit: boolean): void {
    branch.nodes.placed(stillFit);
    branch.best = branch.nodes.top;
    for (let above = branch.parent; above; above = above.parent) {
      if (above.children[0]?.best === -1) dropFirst(above.children);
      this.#sink(above.children, 0);
      above.best = this.#bestOf(above);
    }
  }

  #bestOf(branch: Branch): number {
    return branch.children[0]?.best ?? branch.nodes.top;
  }

  #branch(index: number): Branch {
    const known = this.#branches[index];
    if (known) return known;
    const parent = this.#branch(this.#layout?.parents[index] ?? 0);
    const branch = this.#newBranch(parent);
    this.#branches[index] = branch;
    return branch;
  }

  #newBranch(parent: Branch | undefined): Branch {
    const heap = new NodeHeap(this.#order, this.#count);
    return { parent, tasks: 0, best: -1, heap, nodes: heap, children: [] };
  }

  #sink(heap: Branch[], from: number): void {
    const branch = heap[from];
    if (!branch) return;
    let at = from;
    for (let next = 2 * at + 1; next < heap.length; next = 2 * at + 1) {
      const left = heap[next] as Branch;
      const right = heap[next + 1];
      const child = right && this.#goesFirst(right, left) ? right : left;
      if (!this.#goesFirst(child, branch)) break;
      heap[at] = child;
      at = child === left ? next : next + 1;
    }
    heap[at] = branch;
  }

  #goesFirst(a: Branch, b: Branch): boolean {
    return a.tasks < b.tasks || (a.tasks === b.tasks && isBefore(this.#order, a.best, b.best));
  }
}

function dropFirst(heap: Branch[]): void {
  const last = heap.pop();
  if (last !== undefined && heap.length > 0) heap[0] = last;
}
