/** Which tasks stand in which column, and which columns have to be drawn again. Costs what has changed. */

import { isTerminal } from '@skep/core';
import type { NodeRow, TaskRow } from '../../model/rows.ts';
import type { RowChange, ViewTables } from '../../model/view-tables.ts';

/** The column of tasks that have no node. */
export const NOWHERE = '';

/** A column. */
export interface GridColumn {
  /** Id of the node, or {@link NOWHERE}. */
  readonly id: string;
  readonly node: NodeRow | undefined;
  readonly tasks: readonly TaskRow[];
}

/** What a grid shows. */
export class GridColumns {
  #tables: ViewTables | undefined;
  #order: string[] = [];
  readonly #columns = new Map<string, Map<string, TaskRow>>();
  readonly #sorted = new Map<string, TaskRow[]>();
  readonly #dirty = new Set<string>();
  #most = 0;
  #isAllDirty = true;

  /** How many columns there are. */
  get count(): number {
    return this.#order.length;
  }

  /** The most tasks that one column has. */
  get most(): number {
    return this.#most;
  }

  /** Columns, and how many cells the longest has, are not what they were when that was taken last. */
  takeDirty(): 'all' | readonly number[] {
    const columns = this.#isAllDirty
      ? ('all' as const)
      : [...this.#dirty].map((id) => this.#order.indexOf(id)).filter((at) => at >= 0);
    this.#isAllDirty = false;
    this.#dirty.clear();
    return columns;
  }

  column(at: number): GridColumn | undefined {
    const id = this.#order[at];
    if (id === undefined) return undefined;
    return { id, node: this.#tables?.nodes.get(id), tasks: this.#tasksOf(id) };
  }

  /** Where a task stands. */
  find(task: TaskRow): { readonly column: number; readonly cell: number } | undefined {
    const id = task.node ?? NOWHERE;
    const cell = this.#tasksOf(id).findIndex((each) => each.id === task.id);
    return cell < 0 ? undefined : { column: this.#order.indexOf(id), cell };
  }

  /** Begins with other tables. */
  reset(tables: ViewTables): void {
    this.#tables = tables;
    this.#columns.clear();
    this.#sorted.clear();
    this.#most = 0;
    for (const task of tables.tasks.values()) this.#put(task);
    this.#arrange();
  }

  /** Takes in rows that have changed. */
  apply(changes: readonly RowChange[]): void {
    let isOther = false;
    for (const { table, before, after } of changes) {
      if (table === 'nodes') {
        if (before === undefined || after === undefined) isOther = true;
        else this.#dirty.add(after.id);
      }
      if (table !== 'tasks') continue;
      const had = this.#columns.has(NOWHERE);
      const [was, is] = [before, after] as [TaskRow | undefined, TaskRow | undefined];
      if (was !== undefined) this.#take(was);
      if (is !== undefined) this.#put(is);
      if (had !== this.#columns.has(NOWHERE)) isOther = true;
    }
    if (isOther) this.#arrange();
  }

  #put(task: TaskRow): void {
    if (!isShown(task)) return;
    const id = task.node ?? NOWHERE;
    let column = this.#columns.get(id);
    if (column === undefined) {
      column = new Map();
      this.#columns.set(id, column);
    }
    column.set(task.id, task);
    this.#sorted.delete(id);
    this.#dirty.add(id);
    if (column.size > this.#most) {
      this.#most = column.size;
      this.#isAllDirty = true;
    }
  }

  #take(task: TaskRow): void {
    const id = task.node ?? NOWHERE;
    const column = this.#columns.get(id);
    if (column === undefined || !column.delete(task.id)) return;
    if (column.size === 0) this.#columns.delete(id);
    this.#sorted.delete(id);
    this.#dirty.add(id);
  }

  #arrange(): void {
    const nodes = [...(this.#tables?.nodes.values() ?? [])].sort((a, b) =>
      a.name.localeCompare(b.name, 'en', { numeric: true }),
    );
    const nowhere = this.#columns.has(NOWHERE) ? [NOWHERE] : [];
    this.#order = [...nowhere, ...nodes.map(({ id }) => id)];
    this.#isAllDirty = true;
  }

  #tasksOf(id: string): readonly TaskRow[] {
    const known = this.#sorted.get(id);
    if (known !== undefined) return known;
    const tasks = [...(this.#columns.get(id)?.values() ?? [])];
    tasks.sort((a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : a.slot - b.slot));
    this.#sorted.set(id, tasks);
    return tasks;
  }
}

/** Ended tasks that were replaced are history: the past shows them. */
function isShown({ state, desired }: TaskRow): boolean {
  return !isTerminal(state) || desired === 'running' || desired === 'ready' || desired === 'complete';
}
