/**
 * A persistent set of row numbers: one entry of a secondary index, such as the tasks of a node or of a service.
 *
 * There are very many of these and most are small, so up to 128 rows are one sorted array under one header. Rows mostly
 * come in ascending order, and then versions share their array: a row behind all others is put behind what the older
 * versions read of it, by the newest version alone. Copying it instead would be most of what a collector has to move
 * while tasks are placed. Larger sets are a B+ tree, of which a change copies one leaf and the path to it. See
 * `owner.ts` for who may change what in place.
 */
import { type Owner, spentError, takeOver } from './owner.ts';
import { checkRow } from './row-number.ts';
import { CAPACITY, hasRow, insertRow, leafFrom, RowNode, removeRow } from './row-tree.ts';
import { ceilingOf, withoutAt, withRowAt } from './sorted-rows.ts';

// Far enough below CAPACITY that a set which grows and shrinks around it is not rebuilt each time.
const SMALL_AGAIN = CAPACITY / 2;

/** An immutable set of row numbers, from 0 to 4,294,967,294, in ascending order. */
export class RowSet {
  // Up to CAPACITY rows a sorted array, of which the first `#size` are this version's; a tree beyond; undefined once
  // this object is spent.
  #rows: number[] | RowNode | undefined;
  readonly #size: number;
  readonly #owner: Owner | undefined;

  static readonly #empty = new RowSet([], 0, undefined);

  private constructor(rows: number[] | RowNode, size: number, owner: Owner | undefined) {
    this.#rows = rows;
    this.#size = size;
    this.#owner = owner;
  }

  /** The set without rows: one shared instance. */
  static empty(): RowSet {
    return RowSet.#empty;
  }

  /** How many rows there are. */
  get size(): number {
    this.#live();
    return this.#size;
  }

  /** Whether `row` is in the set. */
  has(row: number): boolean {
    const rows = this.#live();
    return rows instanceof RowNode
      ? hasRow(rows, row)
      : this.#hasAt(rows, ceilingOf(rows, row, this.#size), row);
  }

  /**
   * The set with `row`. Returns this very object if it has it already.
   *
   * @throws RangeError if `row` is not an integer from 0 to 4,294,967,294.
   * @throws OwnershipError if this object is spent or the owner is over; see `owner.ts`.
   */
  add(row: number, owner: Owner): RowSet {
    checkRow(row);
    const rows = this.#live();
    takeOver(this.#owner, owner);
    if (rows instanceof RowNode) {
      return hasRow(rows, row) ? this : this.#successor(insertRow(rows, row, owner), this.#size + 1, owner);
    }
    const size = this.#size;
    const isBehind = size > 0 && row > (rows[size - 1] as number);
    const position = isBehind ? size : ceilingOf(rows, row, size);
    if (this.#hasAt(rows, position, row)) {
      return this;
    }
    if (size === CAPACITY) {
      // Filled to the brim and split again at once, where the next row belongs.
      const full = new RowNode(owner, rows.slice(0, size), undefined);
      return this.#successor(insertRow(full, row, owner), size + 1, owner);
    }
    if (isBehind && size === rows.length) {
      rows.push(row);
      return this.#successor(rows, size + 1, owner);
    }
    return this.#successor(withRowAt(rows, position, row, size), size + 1, owner);
  }

  /**
   * The set without `row`. Returns this very object if it does not have it, and the shared empty set when the last
   * row goes.
   *
   * @throws RangeError if `row` is not an integer from 0 to 4,294,967,294.
   * @throws OwnershipError if this object is spent or the owner is over; see `owner.ts`.
   */
  delete(row: number, owner: Owner): RowSet {
    checkRow(row);
    const rows = this.#live();
    takeOver(this.#owner, owner);
    if (!this.has(row)) {
      return this;
    }
    const size = this.#size - 1;
    if (size === 0) {
      this.#spend(owner);
      return RowSet.#empty;
    }
    if (!(rows instanceof RowNode)) {
      return this.#successor(withoutAt(rows, ceilingOf(rows, row, this.#size), this.#size), size, owner);
    }
    let root = removeRow(rows, row, owner);
    if (size <= SMALL_AGAIN) {
      // The copy has no room to spare, which the collected array has.
      return this.#successor(rowsOf(root, []).slice(), size, owner);
    }
    while (root.children?.length === 1) {
      root = root.children[0] as RowNode;
    }
    return this.#successor(root, size, owner);
  }

  /** The lowest row, or -1 in the empty set. */
  first(): number {
    return this.next(0);
  }

  /**
   * The lowest row from `from` on, or -1. With it a walk can stop anywhere and go on later, in this version of the
   * set or in another.
   */
  next(from: number): number {
    const rows = this.#arrayFrom(from);
    return rows === undefined ? -1 : (rows[ceilingOf(rows, from, this.#lengthOf(rows))] ?? -1);
  }

  /** Calls `visit` for each row from `from` up to but without `to`, ascending. */
  forEach(visit: (row: number) => void, from = 0, to = Number.POSITIVE_INFINITY): void {
    let next = from;
    for (let rows = this.#arrayFrom(next); rows !== undefined; rows = this.#arrayFrom(next)) {
      const length = this.#lengthOf(rows);
      for (let position = ceilingOf(rows, next, length); position < length; position += 1) {
        const row = rows[position] as number;
        if (row >= to) {
          return;
        }
        visit(row);
        this.#live();
        next = row + 1;
      }
    }
  }

  /** The rows from `from` on, ascending. */
  *values(from = 0): Generator<number, undefined, undefined> {
    let next = from;
    for (let rows = this.#arrayFrom(next); rows !== undefined; rows = this.#arrayFrom(next)) {
      const length = this.#lengthOf(rows);
      for (let position = ceilingOf(rows, next, length); position < length; position += 1) {
        const row = rows[position] as number;
        yield row;
        this.#live();
        next = row + 1;
      }
    }
  }

  /** The rows, ascending. */
  [Symbol.iterator](): Generator<number, undefined, undefined> {
    return this.values();
  }

  /** The array in which the lowest row from `from` on stands. */
  #arrayFrom(from: number): readonly number[] | undefined {
    const rows = this.#live();
    if (rows instanceof RowNode) {
      return leafFrom(rows, from)?.keys;
    }
    return this.#size > 0 && from <= (rows[this.#size - 1] as number) ? rows : undefined;
  }

  #hasAt(rows: readonly number[], position: number, row: number): boolean {
    return position < this.#size && rows[position] === row;
  }

  /** How many rows of an array are this version's: it is its own, or a leaf of its tree. */
  #lengthOf(rows: readonly number[]): number {
    return rows === this.#rows ? this.#size : rows.length;
  }

  #live(): number[] | RowNode {
    const rows = this.#rows;
    if (rows === undefined) {
      throw spentError('row set');
    }
    return rows;
  }

  #spend(owner: Owner): void {
    if (this.#owner === owner) {
      this.#rows = undefined;
    }
  }

  #successor(rows: number[] | RowNode, size: number, owner: Owner): RowSet {
    this.#spend(owner);
    return new RowSet(rows, size, owner);
  }
}

function rowsOf(node: RowNode, rows: number[]): number[] {
  if (node.children === undefined) {
    for (const row of node.keys) {
      rows.push(row);
    }
  } else {
    for (const child of node.children) {
      rowsOf(child, rows);
    }
  }
  return rows;
}
