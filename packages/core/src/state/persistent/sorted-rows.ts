/**
 * Sorted arrays of row numbers: a small row set as a whole, and the leaves of a large one. Pure functions; each
 * returns an array of exactly the size it needs, since there may be a million of them.
 */

/** The position of the lowest row from `from` on; the array's length if there is none. */
export function ceilingOf(rows: readonly number[], from: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as number) < from) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** A copy with `row` put in at `position`. */
export function withRowAt(rows: readonly number[], position: number, row: number): number[] {
  const length = rows.length;
  const next = new Array<number>(length + 1);
  for (let i = 0; i < position; i += 1) {
    next[i] = rows[i] as number;
  }
  next[position] = row;
  for (let i = position; i < length; i += 1) {
    next[i + 1] = rows[i] as number;
  }
  return next;
}

/** A copy without the row at `position`. */
export function withoutAt(rows: readonly number[], position: number): number[] {
  const length = rows.length - 1;
  const next = new Array<number>(length);
  for (let i = 0; i < position; i += 1) {
    next[i] = rows[i] as number;
  }
  for (let i = position; i < length; i += 1) {
    next[i] = rows[i + 1] as number;
  }
  return next;
}
