/**
 * The nodes of the persistent map: a hash array mapped trie, and the operations on it.
 *
 * Each level branches on five bits of the key's 32-bit hash. A node holds its entries and its child nodes in one
 * dense array, told apart by two bitmaps; after seven levels the hash is used up, and a node there is a plain list
 * of the entries whose hashes are equal. The trie is canonical: a child node never holds a single entry and
 * nothing else, and equal hashes are sorted by key. So the same contents make the same trie, and give the same
 * iteration order, whatever the history. These functions must never change a node that the given owner did not
 * make; `persistent-map.ts` watches over who may use which owner.
 *
 * Sources: Bagwell, "Ideal Hash Trees" (2001); the layout and the canonical deletion from Steindorfer and Vinju,
 * "Optimizing Hash-Array Mapped Tries for Fast and Lean Immutable JVM Collections" (CHAMP, OOPSLA 2015).
 */
import { hashString } from './hash-string.ts';
import type { Owner } from './owner.ts';

const BITS = 5;
const MASK = (1 << BITS) - 1;
// The first shift at which no bit of the hash is left.
const SPENT_SHIFT = 35;

/**
 * A node is one flat array, since each object more on the way to an entry is a cache miss more: the owner that made
 * it, a bitmap of the branches that hold one entry, a bitmap of the branches that hold a child node, then key and
 * value of each entry and the child nodes, both in the order of the branches. Nodes of equal hashes have neither
 * bitmap. All are made by `new Array(n)`, so that V8 sees a single kind of array and allocates the exact size.
 */
export type TrieNode = unknown[];

const OWNER = 0;
const DATA_MAP = 1;
const NODE_MAP = 2;
/** Where the entries begin. */
export const HEAD = 3;

/** What {@link find} gives for a key that is not there; no value of a map can be it. */
export const ABSENT: unique symbol = Symbol('absent');

/** A trie without entries. */
export function emptyTrie(): TrieNode {
  return newNode(HEAD, undefined, 0, 0);
}

/** The value of `key`, or {@link ABSENT}. */
export function find(root: TrieNode, hash: number, key: string): unknown {
  let node = root;
  for (let shift = 0; shift < SPENT_SHIFT; shift += BITS) {
    const bit = 1 << ((hash >>> shift) & MASK);
    if (((node[NODE_MAP] as number) & bit) !== 0) {
      node = node[nodePosition(node, bit)] as TrieNode;
    } else if (((node[DATA_MAP] as number) & bit) !== 0) {
      const position = dataPosition(node, bit);
      return node[position] === key ? node[position + 1] : ABSENT;
    } else {
      return ABSENT;
    }
  }
  const position = sortedPosition(node, key);
  return node[position] === key ? node[position + 1] : ABSENT;
}

/** Gives a key that is there another value. */
export function replace(root: TrieNode, hash: number, key: string, value: unknown, owner: Owner): TrieNode {
  const edited = editable(root, owner);
  let node = edited;
  for (let shift = 0; shift < SPENT_SHIFT; shift += BITS) {
    const bit = 1 << ((hash >>> shift) & MASK);
    if (((node[NODE_MAP] as number) & bit) === 0) {
      node[dataPosition(node, bit) + 1] = value;
      return edited;
    }
    const position = nodePosition(node, bit);
    const child = node[position] as TrieNode;
    const next = editable(child, owner);
    if (next !== child) {
      node[position] = next;
    }
    node = next;
  }
  node[sortedPosition(node, key) + 1] = value;
  return edited;
}

/** Adds an entry whose key is not there. */
export function insert(
  node: TrieNode,
  shift: number,
  hash: number,
  key: string,
  value: unknown,
  owner: Owner,
): TrieNode {
  if (shift === SPENT_SHIFT) {
    return withEntry(node, sortedPosition(node, key), key, value, 0, owner);
  }
  const bit = 1 << ((hash >>> shift) & MASK);
  if (((node[NODE_MAP] as number) & bit) !== 0) {
    const position = nodePosition(node, bit);
    const child = node[position] as TrieNode;
    const next = insert(child, shift + BITS, hash, key, value, owner);
    return next === child ? node : withChild(node, position, next, owner);
  }
  const position = dataPosition(node, bit);
  if (((node[DATA_MAP] as number) & bit) === 0) {
    return withEntry(node, position, key, value, bit, owner);
  }
  const otherKey = node[position] as string;
  const other = node[position + 1];
  const child = pair(shift + BITS, hashString(otherKey), otherKey, other, hash, key, value, owner);
  return entryToChild(node, position, child, bit, owner);
}

/**
 * Removes an entry whose key is there. What it returns may hold a single entry, or none at the root: the caller
 * takes such an entry into its own node.
 */
export function remove(node: TrieNode, shift: number, hash: number, key: string, owner: Owner): TrieNode {
  if (shift === SPENT_SHIFT) {
    return withoutEntry(node, sortedPosition(node, key), 0, owner);
  }
  const bit = 1 << ((hash >>> shift) & MASK);
  if (((node[NODE_MAP] as number) & bit) === 0) {
    return withoutEntry(node, dataPosition(node, bit), bit, owner);
  }
  const position = nodePosition(node, bit);
  const child = node[position] as TrieNode;
  const next = remove(child, shift + BITS, hash, key, owner);
  if (next[NODE_MAP] === 0 && next.length === HEAD + 2) {
    return childToEntry(node, position, next[HEAD] as string, next[HEAD + 1], bit, owner);
  }
  return next === child ? node : withChild(node, position, next, owner);
}

/** Where the node's entries end and its child nodes begin. */
export function entriesEnd(node: TrieNode): number {
  return node.length - popCount(node[NODE_MAP] as number);
}

function newNode(length: number, owner: Owner | undefined, dataMap: number, nodeMap: number): TrieNode {
  const node = new Array<unknown>(length);
  node[OWNER] = owner;
  node[DATA_MAP] = dataMap;
  node[NODE_MAP] = nodeMap;
  return node;
}

function editable(node: TrieNode, owner: Owner): TrieNode {
  if (node[OWNER] === owner) {
    return node;
  }
  const copy = node.slice();
  copy[OWNER] = owner;
  return copy;
}

function withChild(node: TrieNode, position: number, child: TrieNode, owner: Owner): TrieNode {
  const edited = editable(node, owner);
  edited[position] = child;
  return edited;
}

/** The smallest trie of two entries with different keys. */
function pair(
  shift: number,
  hashA: number,
  keyA: string,
  valueA: unknown,
  hashB: number,
  keyB: string,
  valueB: unknown,
  owner: Owner,
): TrieNode {
  if (shift === SPENT_SHIFT) {
    return entries(owner, 0, keyA < keyB, keyA, valueA, keyB, valueB);
  }
  const branchA = (hashA >>> shift) & MASK;
  const branchB = (hashB >>> shift) & MASK;
  if (branchA === branchB) {
    const node = newNode(HEAD + 1, owner, 0, 1 << branchA);
    node[HEAD] = pair(shift + BITS, hashA, keyA, valueA, hashB, keyB, valueB, owner);
    return node;
  }
  const dataMap = (1 << branchA) | (1 << branchB);
  return entries(owner, dataMap, branchA < branchB, keyA, valueA, keyB, valueB);
}

function entries(
  owner: Owner,
  dataMap: number,
  inOrder: boolean,
  keyA: string,
  valueA: unknown,
  keyB: string,
  valueB: unknown,
): TrieNode {
  const node = newNode(HEAD + 4, owner, dataMap, 0);
  const a = inOrder ? HEAD : HEAD + 2;
  const b = inOrder ? HEAD + 2 : HEAD;
  node[a] = keyA;
  node[a + 1] = valueA;
  node[b] = keyB;
  node[b + 1] = valueB;
  return node;
}

/** A copy with an entry more at `position`. */
function withEntry(
  node: TrieNode,
  position: number,
  key: string,
  value: unknown,
  bit: number,
  owner: Owner,
): TrieNode {
  const length = node.length;
  const next = newNode(length + 2, owner, (node[DATA_MAP] as number) | bit, node[NODE_MAP] as number);
  copy(node, HEAD, next, HEAD, position - HEAD);
  next[position] = key;
  next[position + 1] = value;
  copy(node, position, next, position + 2, length - position);
  return next;
}

/** A copy without the entry at `position`. */
function withoutEntry(node: TrieNode, position: number, bit: number, owner: Owner): TrieNode {
  const length = node.length;
  const next = newNode(length - 2, owner, (node[DATA_MAP] as number) ^ bit, node[NODE_MAP] as number);
  copy(node, HEAD, next, HEAD, position - HEAD);
  copy(node, position + 2, next, position, length - position - 2);
  return next;
}

/** A copy with the branch `bit` given to `child` instead of the entry at `position`. */
function entryToChild(
  node: TrieNode,
  position: number,
  child: TrieNode,
  bit: number,
  owner: Owner,
): TrieNode {
  const length = node.length;
  const nodeMap = (node[NODE_MAP] as number) | bit;
  const next = newNode(length - 1, owner, (node[DATA_MAP] as number) ^ bit, nodeMap);
  const target = nodePosition(next, bit);
  copy(node, HEAD, next, HEAD, position - HEAD);
  copy(node, position + 2, next, position, target - position);
  next[target] = child;
  copy(node, target + 2, next, target + 1, length - target - 2);
  return next;
}

/** A copy with the branch `bit` given to an entry instead of the child at `position`. */
function childToEntry(
  node: TrieNode,
  position: number,
  key: string,
  value: unknown,
  bit: number,
  owner: Owner,
): TrieNode {
  const length = node.length;
  const dataMap = (node[DATA_MAP] as number) | bit;
  const next = newNode(length + 1, owner, dataMap, (node[NODE_MAP] as number) ^ bit);
  const target = dataPosition(next, bit);
  copy(node, HEAD, next, HEAD, target - HEAD);
  next[target] = key;
  next[target + 1] = value;
  copy(node, target, next, target + 2, position - target);
  copy(node, position + 1, next, position + 2, length - position - 1);
  return next;
}

function copy(from: TrieNode, start: number, to: TrieNode, target: number, count: number): void {
  for (let i = 0; i < count; i += 1) {
    to[target + i] = from[start + i];
  }
}

function dataPosition(node: TrieNode, bit: number): number {
  return HEAD + (popCount((node[DATA_MAP] as number) & (bit - 1)) << 1);
}

function nodePosition(node: TrieNode, bit: number): number {
  // The child's own bit and all above it: that many children stand from here to the end.
  return node.length - popCount((node[NODE_MAP] as number) & -bit);
}

/** Where `key` stands, or would stand, among entries with equal hashes. */
function sortedPosition(node: TrieNode, key: string): number {
  let position = HEAD;
  while (position < node.length && (node[position] as string) < key) {
    position += 2;
  }
  return position;
}

/** The number of bits set in 32. Source: Warren, "Hacker's Delight", 5-1. */
function popCount(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  count = (count + (count >>> 4)) & 0x0f0f0f0f;
  return Math.imul(count, 0x01010101) >>> 24;
}
