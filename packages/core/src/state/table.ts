/**
 * A table: immutable rows under dense row numbers, found by id. Row numbers are given once and never again, so an
 * index that holds one can't come to mean another object.
 */

import type { Owner } from './persistent/owner.ts';
import { PersistentMap } from './persistent/persistent-map.ts';
import { PersistentVector } from './persistent/persistent-vector.ts';

/** Rows by number, and numbers by id. */
export interface Table<Id extends string, Row> {
  readonly rows: PersistentVector<Row>;
  readonly ids: PersistentMap<Id, number>;
  /** The number that the next new row gets. */
  readonly next: number;
}

/** The table without rows. Row numbers begin at 1, so that 0 can mean none. */
export function emptyTable<Id extends string, Row>(): Table<Id, Row> {
  return { rows: PersistentVector.empty(), ids: PersistentMap.empty(), next: 1 };
}

/** The row with this id. */
export function tableGet<Id extends string, Row>(table: Table<Id, Row>, id: Id): Row | undefined {
  const row = table.ids.get(id);
  return row === undefined ? undefined : table.rows.get(row);
}

/**
 * Finds rows by id for one batch of work. Ids mostly come in the order in which their rows were made, so the row behind
 * the last one is tried before the id is looked up, which among a million costs several cache misses.
 */
export class RowFinder<Id extends string, Row extends { readonly id: Id }> {
  #last = 0;

  /** The number of the row with this id, if there is one. */
  find(table: Table<Id, Row>, id: Id): number | undefined {
    const row = table.rows.get(this.#last + 1)?.id === id ? this.#last + 1 : table.ids.get(id);
    if (row !== undefined) this.#last = row;
    return row;
  }
}

/** The table with one more row, under the next number. */
export function tableInsert<Id extends string, Row>(
  table: Table<Id, Row>,
  id: Id,
  row: Row,
  owner: Owner,
): Table<Id, Row> {
  return {
    rows: table.rows.set(table.next, row, owner),
    ids: table.ids.set(id, table.next, owner),
    next: table.next + 1,
  };
}

/** The table with the row at this number replaced. */
export function tableReplace<Id extends string, Row>(
  table: Table<Id, Row>,
  number: number,
  row: Row,
  owner: Owner,
): Table<Id, Row> {
  const rows = table.rows.set(number, row, owner);
  // Written out: a spread costs as much as all the rest of a row's change.
  return rows === table.rows ? table : { rows, ids: table.ids, next: table.next };
}

/** The table without this row. Its number is not given again. */
export function tableDelete<Id extends string, Row>(
  table: Table<Id, Row>,
  id: Id,
  number: number,
  owner: Owner,
): Table<Id, Row> {
  return { rows: table.rows.delete(number, owner), ids: table.ids.delete(id, owner), next: table.next };
}
