import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOwner } from './owner.ts';
import { CAPACITY, insertRow, leafFrom, RowNode, removeRow } from './row-tree.ts';

function treeOf(rows: Iterable<number>): RowNode {
  const owner = createOwner();
  let root = new RowNode(owner, [], undefined);
  for (const row of rows) {
    root = insertRow(root, row, owner);
  }
  return root;
}

function without(root: RowNode, rows: Iterable<number>): RowNode {
  const owner = createOwner();
  let next = root;
  for (const row of rows) {
    next = removeRow(next, row, owner);
  }
  return next;
}

function leavesOf(node: RowNode): RowNode[] {
  return node.children === undefined ? [node] : node.children.flatMap(leavesOf);
}

/** Checks what makes the tree a search tree, and returns its height. */
function checkShape(node: RowNode, from: number, to: number): number {
  expect(node.keys.length).toBeLessThanOrEqual(CAPACITY);
  expect(node.keys).toEqual(node.keys.toSorted((a, b) => a - b));
  expect(node.keys.every((key) => from <= key && key < to)).toBe(true);
  if (node.children === undefined) {
    return 0;
  }
  expect(node.children.length).toBe(node.keys.length);
  const heights = node.children.map((child, slot) =>
    checkShape(child, node.keys[slot] ?? from, node.keys[slot + 1] ?? to),
  );
  expect(new Set(heights).size).toBe(1);
  return 1 + (heights[0] ?? 0);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('given a tree to which rows are only appended', () => {
  it('when it has grown, then its leaves are all but full', () => {
    const tree = treeOf(range(20_000));
    expect(leavesOf(tree).length).toBeLessThanOrEqual(20_000 / (CAPACITY - 1) + 1);
    expect(checkShape(tree, 0, 20_000)).toBe(2);
  });
});

describe('given a tree of twenty thousand rows', () => {
  const tree = treeOf(range(20_000).map((i) => (i * 7919) % 20_000));

  it('when all but one in fifty are removed, then the leaves left are merged, not each left with a few', () => {
    const gone = range(20_000).filter((row) => row % 50 !== 0);
    for (const order of [gone, gone.toReversed()]) {
      const thin = without(tree, order);
      checkShape(thin, 0, 20_000);
      const leaves = leavesOf(thin);
      expect(leaves.flatMap((leaf) => leaf.keys)).toEqual(range(400).map((i) => i * 50));
      expect(leaves.length).toBeLessThanOrEqual(400 / (CAPACITY / 8));
    }
  });

  it('when asked for the leaf from a row above all, then there is none', () => {
    expect(leafFrom(tree, 20_000)).toBeUndefined();
    expect(leafFrom(tree, 19_999)?.keys.at(-1)).toBe(19_999);
  });
});

describe('given any rows, added and removed in any order', () => {
  it('when all is done, then the tree is a search tree with all leaves at one depth', () => {
    const rows = fc.uniqueArray(fc.nat(5000), { minLength: 100, maxLength: 1500, size: 'max' });
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 100 }), (members, percent) => {
        const kept = Math.floor((members.length * percent) / 100);
        const tree = treeOf(members);
        checkShape(tree, 0, 5001);
        const rest = without(tree, members.slice(kept));
        checkShape(rest, 0, 5001);
        expect(leavesOf(rest).flatMap((leaf) => leaf.keys)).toEqual(
          members.slice(0, kept).sort((a, b) => a - b),
        );
      }),
      { numRuns: 50 },
    );
  });
});
