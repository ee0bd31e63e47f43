/**
 * A persistent vector: the rows of a table, by row number.
 *
 * A trie of 32-way nodes over the bits of the index: a write copies one path of at most seven nodes and shares the
 * rest with the version before, so that no write, capture or growth ever touches the vector as a whole. It sits
 * between the tables of the state and plain arrays; see `owner.ts` for who may change nodes in place.
 *
 * Sources: Bagwell, "Fast and Space Efficient Trie Searches" (2000); the persistent vector with transients of
 * Clojure (Hickey, 2007 and 2009). Unlike Clojure's there is no tail buffer, since updates of random rows and not
 * appends are what has to be fast, and slots may be empty.
 */
import { type Owner, spentError, takeOver } from './owner.ts';
import { checkRow } from './row-number.ts';

const BITS = 5;
const WIDTH = 1 << BITS;
const MASK = WIDTH - 1;
const MAX_SHIFT = 30;

/**
 * A node is one flat array, since each object more on the way to a row is a cache miss more: 32 slots (child nodes
 * in an inner node, values in a leaf, `undefined` where there is nothing), then the owner that made it.
 */
type VectorNode = unknown[];

const OWNER = WIDTH;

// Filled rather than sparse, so that V8 keeps every copy of it packed, and of one kind whatever the values are.
const EMPTY_NODE: VectorNode = Array.from({ length: WIDTH + 1 }, () => undefined);

/**
 * An immutable, ordered collection of values by index, from 0 to 4,294,967,294. Indexes without a value are holes:
 * they cost nothing beyond the leaf of 32 that they lie in, and iteration skips them. `undefined` is not a value.
 *
 * `get` and `set` take time proportional to the depth (4 levels for a million rows).
 */
export class PersistentVector<T> {
  // Undefined once this object is spent.
  #root: VectorNode | undefined;
  readonly #shift: number;
  readonly #length: number;
  readonly #size: number;
  readonly #owner: Owner | undefined;

  static readonly #empty = new PersistentVector<never>(EMPTY_NODE, 0, 0, 0, undefined);

  private constructor(
    root: VectorNode,
    shift: number,
    length: number,
    size: number,
    owner: Owner | undefined,
  ) {
    this.#root = root;
    this.#shift = shift;
    this.#length = length;
    this.#size = size;
    this.#owner = owner;
  }

  /** The vector without values: one shared instance. */
  static empty<T>(): PersistentVector<T> {
    return PersistentVector.#empty as PersistentVector<unknown> as PersistentVector<T>;
  }

  /** The highest index that holds a value, plus one; 0 when there is none. */
  get length(): number {
    this.#live();
    return this.#length;
  }

  /** How many indexes hold a value: the length without the holes. */
  get size(): number {
    this.#live();
    return this.#size;
  }

  /** The value at `index`, or `undefined` for a hole and for anything outside the vector. */
  get(index: number): T | undefined {
    const root = this.#live();
    if (index >>> 0 !== index || index >= this.#length) {
      return undefined;
    }
    let node = root;
    for (let shift = this.#shift; shift > 0; shift -= BITS) {
      const child = node[(index >>> shift) & MASK];
      if (child === undefined) {
        return undefined;
      }
      node = child as VectorNode;
    }
    return node[index & MASK] as T | undefined;
  }

  /**
   * The vector with `value` at `index`. Returns this very object if it holds that value already. Setting
   * `undefined` is deleting.
   *
   * @throws RangeError if `index` is not an integer from 0 to 4,294,967,294.
   * @throws OwnershipError if this object is spent or the owner is over; see `owner.ts`.
   */
  set(index: number, value: T, owner: Owner): PersistentVector<T> {
    if (value === undefined) {
      return this.delete(index, owner);
    }
    checkRow(index);
    const before = this.get(index);
    takeOver(this.#owner, owner);
    if (before === value) {
      return this;
    }
    let root = this.#live();
    let shift = this.#shift;
    while (shift < MAX_SHIFT && index >>> (shift + BITS) !== 0) {
      root = root === EMPTY_NODE ? root : parentOf(root, owner);
      shift += BITS;
    }
    root = editable(root, owner);
    let node = root;
    for (let level = shift; level > 0; level -= BITS) {
      node = editableChild(node, (index >>> level) & MASK, owner);
    }
    node[index & MASK] = value;
    const length = index < this.#length ? this.#length : index + 1;
    return this.#successor(root, shift, length, before === undefined ? this.#size + 1 : this.#size, owner);
  }

  /**
   * The vector with a hole at `index`. Returns this very object if there was no value. Nodes left without values
   * are dropped, the vector's height shrinks with its length, and the last deletion gives the shared empty vector.
   *
   * @throws RangeError if `index` is not an integer from 0 to 4,294,967,294.
   * @throws OwnershipError if this object is spent or the owner is over; see `owner.ts`.
   */
  delete(index: number, owner: Owner): PersistentVector<T> {
    checkRow(index);
    const absent = this.get(index) === undefined;
    takeOver(this.#owner, owner);
    if (absent) {
      return this;
    }
    let root = remove(this.#live(), this.#shift, index, owner);
    if (root === undefined) {
      this.#spend(owner);
      return PersistentVector.empty();
    }
    let shift = this.#shift;
    const length = index === this.#length - 1 ? lastIndex(root, shift) + 1 : this.#length;
    while (shift > 0 && (length - 1) >>> shift === 0) {
      root = root[0] as VectorNode;
      shift -= BITS;
    }
    return this.#successor(root, shift, length, this.#size - 1, owner);
  }

  /**
   * The lowest index from `from` on that holds a value, or -1. With it a walk can stop anywhere and go on later,
   * in this version or in another.
   */
  next(from = 0): number {
    const root = this.#live();
    return from < this.#length ? nextIndex(root, this.#shift, Math.max(0, Math.ceil(from)), 0) : -1;
  }

  /** Calls `visit` for each value from index `from` up to but without `to`, ascending, holes skipped. */
  forEach(visit: (value: T, index: number) => void, from = 0, to = this.length): void {
    for (let index = this.next(from); index !== -1 && index < to; ) {
      const leaf = leafOf(this.#live(), this.#shift, index);
      const end = Math.min(index - (index & MASK) + WIDTH, to);
      for (; index < end; index += 1) {
        const value = leaf[index & MASK];
        if (value !== undefined) {
          visit(value as T, index);
          this.#live();
        }
      }
      index = this.next(end);
    }
  }

  /** The `[index, value]` pairs from index `from` on, ascending, holes skipped. */
  *entries(from = 0): Generator<[number, T], undefined, undefined> {
    for (let index = this.next(from); index !== -1; ) {
      const leaf = leafOf(this.#live(), this.#shift, index);
      const end = index - (index & MASK) + WIDTH;
      for (; index < end; index += 1) {
        const value = leaf[index & MASK];
        if (value !== undefined) {
          yield [index, value as T];
          this.#live();
        }
      }
      index = this.next(end);
    }
  }

  /** The `[index, value]` pairs, ascending, holes skipped. */
  [Symbol.iterator](): Generator<[number, T], undefined, undefined> {
    return this.entries();
  }

  #live(): VectorNode {
    const root = this.#root;
    if (root === undefined) {
      throw spentError('vector');
    }
    return root;
  }

  #spend(owner: Owner): void {
    if (this.#owner === owner) {
      this.#root = undefined;
    }
  }

  #successor(
    root: VectorNode,
    shift: number,
    length: number,
    size: number,
    owner: Owner,
  ): PersistentVector<T> {
    this.#spend(owner);
    return new PersistentVector<T>(root, shift, length, size, owner);
  }
}

function editable(node: VectorNode, owner: Owner): VectorNode {
  if (node[OWNER] === owner) {
    return node;
  }
  const copy = node.slice();
  copy[OWNER] = owner;
  return copy;
}

function editableChild(parent: VectorNode, slot: number, owner: Owner): VectorNode {
  const child = parent[slot] as VectorNode | undefined;
  if (child !== undefined && child[OWNER] === owner) {
    return child;
  }
  const copy = child === undefined ? EMPTY_NODE.slice() : child.slice();
  copy[OWNER] = owner;
  parent[slot] = copy;
  return copy;
}

function parentOf(root: VectorNode, owner: Owner): VectorNode {
  const parent = EMPTY_NODE.slice();
  parent[0] = root;
  parent[OWNER] = owner;
  return parent;
}

/** Empties the slot of `index`, which is filled; returns `undefined` instead of a node without values. */
function remove(node: VectorNode, shift: number, index: number, owner: Owner): VectorNode | undefined {
  const slot = (index >>> shift) & MASK;
  const child = shift === 0 ? undefined : remove(node[slot] as VectorNode, shift - BITS, index, owner);
  if (child === undefined && isOnlySlot(node, slot)) {
    return undefined;
  }
  const edited = editable(node, owner);
  edited[slot] = child;
  return edited;
}

function isOnlySlot(node: VectorNode, slot: number): boolean {
  for (let other = 0; other < WIDTH; other += 1) {
    if (other !== slot && node[other] !== undefined) {
      return false;
    }
  }
  return true;
}

function leafOf(root: VectorNode, height: number, index: number): VectorNode {
  let node = root;
  for (let shift = height; shift > 0; shift -= BITS) {
    node = node[(index >>> shift) & MASK] as VectorNode;
  }
  return node;
}

function lastIndex(root: VectorNode, height: number): number {
  let node = root;
  let index = 0;
  for (let shift = height; ; shift -= BITS) {
    let slot = MASK;
    while (node[slot] === undefined) {
      slot -= 1;
    }
    index += slot * 2 ** shift;
    if (shift === 0) {
      return index;
    }
    node = node[slot] as VectorNode;
  }
}

/** The lowest filled index from `from` on below `node`, whose first index is `base`; -1 if there is none. */
function nextIndex(node: VectorNode, shift: number, from: number, base: number): number {
  const start = from <= base ? 0 : Math.floor((from - base) / 2 ** shift);
  for (let slot = start; slot < WIDTH; slot += 1) {
    const item = node[slot];
    if (item === undefined) {
      continue;
    }
    const first = base + slot * 2 ** shift;
    const found = shift === 0 ? first : nextIndex(item as VectorNode, shift - BITS, from, first);
    if (found !== -1) {
      return found;
    }
  }
  return -1;
}
