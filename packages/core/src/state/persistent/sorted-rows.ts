/**
 * Sorted arrays of row numbers: a small row set as a whole, and the leaves of a large one. Pure functions; each
 * returns an array of exactly the size it needs, since there may be a million of them.
 */

/** The position of the lowest row from `from` on, among the first `length`; `length` if there is none. */
export function ceilingOf(rows: readonly number[], from: number, length = rows.length): number {
  let low = 0;
  let high = length;
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

/** A copy of the first `length` with `row` put in at `position`. */
export function withRowAt(
  rows: readonly number[],
  position: number,
  row: number,
  length = rows.length,
): number[] {
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

/** A copy of the first `size` without the row at `position`. */
export function withoutAt(rows: readonly number[], position: number, size = rows.length): number[] {
  const length = size - 1;
  const next = new Array<number>(length);
  for (let i = 0; i < position; i += 1) {
    next[i] = rows[i] as number;
  }
  for (let i = position; i < length; i += 1) {
    next[i] = rows[i + 1] as number;
  }
  return next;
}
