/**
 * A persistent map by string keys: ids to row numbers, names to ids, keys to their sets of rows.
 *
 * It sits between the tables and indexes of the state and the hash trie that holds the entries. Growing never
 * rehashes: a write copies one path of small nodes, at any size. See `owner.ts` for who may change nodes in place.
 */
import { hashString } from './hash-string.ts';
import {
  ABSENT,
  emptyTrie,
  entriesEnd,
  find,
  HEAD,
  insert,
  remove,
  replace,
  type TrieNode,
} from './hash-trie.ts';
import { type Owner, spentError, takeOver } from './owner.ts';

const EMPTY_ROOT = emptyTrie();

/**
 * An immutable map from strings to values; `undefined` is a value like any other. `get`, `set` and `delete` take
 * time proportional to the depth (about 4 levels for a million keys).
 *
 * Iteration order is that of the keys' hashes: arbitrary, but a function of the contents alone, so that two maps
 * with the same keys give them in the same order however they came to be.
 */
export class PersistentMap<K extends string, V> {
  // Undefined once this object is spent.
  #root: TrieNode | undefined;
  readonly #size: number;
  readonly #owner: Owner | undefined;

  static readonly #empty = new PersistentMap<never, never>(EMPTY_ROOT, 0, undefined);

  private constructor(root: TrieNode, size: number, owner: Owner | undefined) {
    this.#root = root;
    this.#size = size;
    this.#owner = owner;
  }

  /** The map without entries: one shared instance. */
  static empty<K extends string, V>(): PersistentMap<K, V> {
    return PersistentMap.#empty as PersistentMap<string, unknown> as PersistentMap<K, V>;
  }

  /** How many entries there are. */
  get size(): number {
    this.#live();
    return this.#size;
  }

  /** The value of `key`, or `undefined` if there is none. */
  get(key: K): V | undefined {
    const value = find(this.#live(), hashString(key), key);
    return value === ABSENT ? undefined : (value as V);
  }

  /** Whether there is an entry for `key`, even one whose value is `undefined`. */
  has(key: K): boolean {
    return find(this.#live(), hashString(key), key) !== ABSENT;
  }

  /**
   * The map with `value` for `key`. Returns this very object if the key has that value already.
   *
   * @throws OwnershipError if this object is spent or the owner is over; see `owner.ts`.
   */
  set(key: K, value: V, owner: Owner): PersistentMap<K, V> {
    const root = this.#live();
    takeOver(this.#owner, owner);
    const hash = hashString(key);
    const before = find(root, hash, key);
    if (before === value) {
      return this;
    }
    return before === ABSENT
      ? this.#successor(insert(root, 0, hash, key, value, owner), this.#size + 1, owner)
      : this.#successor(replace(root, hash, key, value, owner), this.#size, owner);
  }

  /**
   * The map without `key`. Returns this very object if the key is not there, and the shared empty map when the
   * last entry goes.
   *
   * @throws OwnershipError if this object is spent or the owner is over; see `owner.ts`.
   */
  delete(key: K, owner: Owner): PersistentMap<K, V> {
    const root = this.#live();
    takeOver(this.#owner, owner);
    const hash = hashString(key);
    if (find(root, hash, key) === ABSENT) {
      return this;
    }
    if (this.#size === 1) {
      this.#spend(owner);
      return PersistentMap.empty();
    }
    return this.#successor(remove(root, 0, hash, key, owner), this.#size - 1, owner);
  }

  /** Calls `visit` for each entry, in iteration order. */
  forEach(visit: (value: V, key: K) => void): void {
    for (const [key, value] of this.entries()) {
      visit(value, key);
    }
  }

  /**
   * The `[key, value]` pairs. A walk may be left standing and taken up again at any time, since what it walks over
   * does not change; it throws when this object was spent meanwhile.
   */
  *entries(): Generator<[K, V], undefined, undefined> {
    // One node and the position in it for each level: a node gives its entries first, then its children.
    const nodes: TrieNode[] = [this.#live()];
    const positions: number[] = [HEAD];
    for (let depth = 0; depth >= 0; ) {
      const node = nodes[depth] as TrieNode;
      const position = positions[depth] as number;
      if (position < entriesEnd(node)) {
        positions[depth] = position + 2;
        yield [node[position] as K, node[position + 1] as V];
        this.#live();
      } else if (position < node.length) {
        positions[depth] = position + 1;
        depth += 1;
        nodes[depth] = node[position] as TrieNode;
        positions[depth] = HEAD;
      } else {
        depth -= 1;
      }
    }
  }

  /** The keys, in iteration order. */
  *keys(): Generator<K, undefined, undefined> {
    for (const [key] of this.entries()) {
      yield key;
    }
  }

  /** The values, in iteration order. */
  *values(): Generator<V, undefined, undefined> {
    for (const [, value] of this.entries()) {
      yield value;
    }
  }

  /** The `[key, value]` pairs, in iteration order. */
  [Symbol.iterator](): Generator<[K, V], undefined, undefined> {
    return this.entries();
  }

  #live(): TrieNode {
    const root = this.#root;
    if (root === undefined) {
      throw spentError('map');
    }
    return root;
  }

  #spend(owner: Owner): void {
    if (this.#owner === owner) {
      this.#root = undefined;
    }
  }

  #successor(root: TrieNode, size: number, owner: Owner): PersistentMap<K, V> {
    this.#spend(owner);
    return new PersistentMap<K, V>(root, size, owner);
  }
}
