/** Rows of the plain state by id. */

/** What a change leaves on every row that it touches. */
export interface Touch {
  readonly version: number;
  readonly updatedAt: number;
}

/** The row, marked as changed. */
export function touched<Row extends object>(rows: Record<string, Row>, id: string, touch: Touch): Row {
  return Object.assign(must(rows[id]), touch);
}

/** The value, which must be there. */
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the history does not fit');
  return value;
}
