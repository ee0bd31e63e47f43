/**
 * The inside of a large row set: a B+ tree of sorted arrays of row numbers, and the operations on it.
 *
 * All leaves stand at the same depth and hold up to 128 rows; branches hold up to 128 children, so two levels of
 * them reach a million rows. These functions must never change a node that the given owner did not make;
 * `row-set.ts` watches over who may use which owner.
 *
 * Sources: Bayer and McCreight, "Organization and Maintenance of Large Ordered Indices" (1972); copying the path
 * as in Rodeh, "B-trees, Shadowing, and Clones" (2008), whose splitting of full nodes on the way down is used too.
 */
import type { Owner } from './owner.ts';
import { ceilingOf, withoutAt, withRowAt } from './sorted-rows.ts';

/** The most rows that a leaf holds, and the most children of a branch. */
export const CAPACITY = 128;
// Below a quarter a node is merged with a neighbour, if both together fill no more than half: wide enough apart
// from CAPACITY that changes to and fro at a boundary don't split and merge each time.
const SPARSE = CAPACITY / 4;
const MERGED = CAPACITY / 2;

/** Leaves and branches share one shape, so that every access to them stays monomorphic. */
export class RowNode {
  readonly owner: Owner;
  /** In a leaf its rows, ascending; in a branch, for each child, a lower bound of it above all rows to its left. */
  keys: number[];
  /** Undefined in a leaf. */
  readonly children: RowNode[] | undefined;

  constructor(owner: Owner, keys: number[], children: RowNode[] | undefined) {
    this.owner = owner;
    this.keys = keys;
    this.children = children;
  }
}

/** The leaf that holds the lowest row from `from` on, or `undefined` if there is no such row. */
export function leafFrom(node: RowNode, from: number): RowNode | undefined {
  if (node.children === undefined) {
    return from <= (node.keys[node.keys.length - 1] as number) ? node : undefined;
  }
  const slot = slotOf(node.keys, from);
  // The rows from `from` on may begin only in the next child; that one is then taken from its very first row.
  return (
    leafFrom(node.children[slot] as RowNode, from) ??
    (slot + 1 < node.children.length ? leafFrom(node.children[slot + 1] as RowNode, from) : undefined)
  );
}

/** Whether `row` is in the tree. */
export function hasRow(root: RowNode, row: number): boolean {
  let node = root;
  while (node.children !== undefined) {
    node = node.children[slotOf(node.keys, row)] as RowNode;
  }
  return node.keys[ceilingOf(node.keys, row)] === row;
}

/** Adds a row that is not there. */
export function insertRow(root: RowNode, row: number, owner: Owner): RowNode {
  if (root.keys.length < CAPACITY) {
    return insertBelow(root, row, owner);
  }
  const top = new RowNode(owner, [root.keys[0] as number], [root]);
  splitChild(top, 0, row);
  return insertBelow(top, row, owner);
}

/** Removes a row that is there. What it returns may be empty, or a branch with a single child. */
export function removeRow(node: RowNode, row: number, owner: Owner): RowNode {
  if (node.children === undefined) {
    return withKeys(node, withoutAt(node.keys, ceilingOf(node.keys, row)), owner);
  }
  const slot = slotOf(node.keys, row);
  const child = removeRow(node.children[slot] as RowNode, row, owner);
  const edited = editable(node, owner);
  const children = edited.children as RowNode[];
  children[slot] = child;
  if (child.keys.length === 0) {
    dropChild(edited, slot);
  } else if (child.keys.length < SPARSE) {
    if (mergesWithNext(children, slot)) {
      mergeWithNext(edited, slot, owner);
    } else if (slot > 0 && mergesWithNext(children, slot - 1)) {
      mergeWithNext(edited, slot - 1, owner);
    }
  }
  return edited;
}

/** Adds a row to a subtree whose top node is not full. */
function insertBelow(node: RowNode, row: number, owner: Owner): RowNode {
  if (node.children === undefined) {
    return withKeys(node, withRowAt(node.keys, ceilingOf(node.keys, row), row), owner);
  }
  const edited = editable(node, owner);
  const children = edited.children as RowNode[];
  let slot = slotOf(edited.keys, row);
  if (row < (edited.keys[0] as number)) {
    edited.keys[0] = row;
  }
  if ((children[slot] as RowNode).keys.length === CAPACITY) {
    splitChild(edited, slot, row);
    slot = slotOf(edited.keys, row);
  }
  children[slot] = insertBelow(children[slot] as RowNode, row, owner);
  return edited;
}

/** Makes two of a full child so that `row` can be added. The node itself is owned and not full. */
function splitChild(node: RowNode, slot: number, row: number): void {
  const children = node.children as RowNode[];
  const child = children[slot] as RowNode;
  // Where rows only ever grow, leaves are left full rather than half empty.
  const last = child.keys[CAPACITY - 1] as number;
  const middle = child.children === undefined && row > last ? CAPACITY - 1 : CAPACITY / 2;
  const left = new RowNode(node.owner, child.keys.slice(0, middle), child.children?.slice(0, middle));
  const right = new RowNode(node.owner, child.keys.slice(middle), child.children?.slice(middle));
  children[slot] = left;
  children.splice(slot + 1, 0, right);
  node.keys.splice(slot + 1, 0, right.keys[0] as number);
}

function mergesWithNext(children: readonly RowNode[], slot: number): boolean {
  const left = children[slot] as RowNode;
  const right = children[slot + 1];
  return right !== undefined && left.keys.length + right.keys.length <= MERGED;
}

function mergeWithNext(node: RowNode, slot: number, owner: Owner): void {
  const children = node.children as RowNode[];
  const left = children[slot] as RowNode;
  const right = children[slot + 1] as RowNode;
  const grandchildren =
    left.children === undefined || right.children === undefined
      ? undefined
      : left.children.concat(right.children);
  children[slot] = new RowNode(owner, left.keys.concat(right.keys), grandchildren);
  dropChild(node, slot + 1);
}

function dropChild(node: RowNode, slot: number): void {
  node.keys.splice(slot, 1);
  node.children?.splice(slot, 1);
}

function withKeys(leaf: RowNode, keys: number[], owner: Owner): RowNode {
  if (leaf.owner !== owner) {
    return new RowNode(owner, keys, undefined);
  }
  leaf.keys = keys;
  return leaf;
}

function editable(node: RowNode, owner: Owner): RowNode {
  return node.owner === owner ? node : new RowNode(owner, node.keys.slice(), node.children?.slice());
}

/** The child under which `row` is, or belongs: the last one whose lower bound is not above it, else the first. */
function slotOf(keys: readonly number[], row: number): number {
  const slot = ceilingOf(keys, row);
  return keys[slot] === row || slot === 0 ? slot : slot - 1;
}
