/**
 * The numbers by which tables know their rows. Shared by the vector that holds the rows and the sets that index
 * them; it must accept exactly the numbers that both can hold.
 */

/** The greatest row number: with it, the length of a table is still an unsigned 32-bit integer. */
export const MAX_ROW = 0xffff_fffe;

/**
 * Refuses what is not a row number.
 *
 * @throws RangeError unless `row` is an integer from 0 to {@link MAX_ROW}.
 */
export function checkRow(row: number): void {
  if (row >>> 0 !== row || row > MAX_ROW) {
    throw new RangeError(`a row number is an integer from 0 to ${MAX_ROW}, got ${row}`);
  }
}
