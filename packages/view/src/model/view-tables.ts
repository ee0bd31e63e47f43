/** The rows of the view by id, kept up to date by what the stream tells. */

import {
  type NetworkRow,
  type NodeRow,
  type Rows,
  type ServiceRow,
  TABLE_NAMES,
  type TableName,
  type TaskRow,
  type ViewDelta,
  type ViewSnapshot,
} from './rows.ts';

/** A table's row. */
export type RowOf<Name extends TableName> = Rows[Name][number];

/** A row that came, changed or went: then it has no `after`. */
export interface RowChange<Name extends TableName = TableName> {
  readonly table: Name;
  readonly before: RowOf<Name> | undefined;
  readonly after: RowOf<Name> | undefined;
}

/** What a view shows. Changed in place: whoever draws it is told which rows. */
export class ViewTables {
  readonly nodes = new Map<string, NodeRow>();
  readonly services = new Map<string, ServiceRow>();
  readonly tasks = new Map<string, TaskRow>();
  readonly networks = new Map<string, NetworkRow>();
  #index = 0;
  #at = 0;

  /** Index of the last transaction that they hold. */
  get index(): number {
    return this.#index;
  }

  /** When that was committed; milliseconds since 1970. */
  get at(): number {
    return this.#at;
  }

  /** Takes the place of everything. */
  reset(snapshot: ViewSnapshot): void {
    for (const name of TABLE_NAMES) {
      const table: Map<string, RowOf<TableName>> = this[name];
      table.clear();
      for (const row of snapshot[name]) table.set(row.id, row);
    }
    this.#index = snapshot.index;
    this.#at = snapshot.at;
  }

  /** Applies what changed. Gives each row that did. One of before what is shown changes nothing. */
  apply(delta: ViewDelta): RowChange[] {
    // How far services are may be told after what they come of, at the same index.
    if (delta.index < this.#index) return [];
    const changes: RowChange[] = [];
    for (const name of TABLE_NAMES) {
      const table: Map<string, RowOf<TableName>> = this[name];
      for (const row of delta[name]?.put ?? []) {
        changes.push({ table: name, before: table.get(row.id), after: row });
        table.set(row.id, row);
      }
      for (const id of delta[name]?.gone ?? []) {
        const before = table.get(id);
        if (before === undefined) continue;
        changes.push({ table: name, before, after: undefined });
        table.delete(id);
      }
    }
    this.#index = delta.index;
    this.#at = delta.at;
    return changes;
  }
}
