import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOwner } from './owner.ts';
import { MAX_ROW } from './row-number.ts';
import { RowSet } from './row-set.ts';
import { everyVersionStaysAsItWas } from './test-support/versions-property.ts';

function setOf(rows: Iterable<number>): RowSet {
  const owner = createOwner();
  let set = RowSet.empty();
  for (const row of rows) {
    set = set.add(row, owner);
  }
  return set;
}

function without(set: RowSet, rows: Iterable<number>): RowSet {
  const owner = createOwner();
  let next = set;
  for (const row of rows) {
    next = next.delete(row, owner);
  }
  return next;
}

function range(from: number, to: number, step = 1): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
}

/** All of 0…count-1, in an order that jumps about. */
function scattered(count: number): number[] {
  return range(0, count).map((i) => (i * 7919) % count);
}

function ascending(rows: Iterable<number>): number[] {
  return [...rows].sort((a, b) => a - b);
}

function check(set: RowSet, model: ReadonlySet<number>): void {
  const expected = ascending(model);
  expect([...set]).toEqual(expected);
  expect(set.size).toBe(model.size);
  expect(set.first()).toBe(expected[0] ?? -1);
  // One expectation for all rows: an expectation for each would take most of the test's time.
  expect(expected.filter((row) => !set.has(row) || set.has(row + 1) !== model.has(row + 1))).toEqual([]);
}

describe('given an empty row set', () => {
  const empty = RowSet.empty();

  it('when read, then there is no row', () => {
    expect([empty.size, empty.has(0), empty.first(), [...empty]]).toEqual([0, false, -1, []]);
  });

  it.each([-1, 0.5, Number.NaN, MAX_ROW + 1])('when %d is added or deleted, then it is refused', (row) => {
    expect(() => empty.add(row, createOwner())).toThrow(RangeError);
    expect(() => empty.delete(row, createOwner())).toThrow(RangeError);
    expect(setOf([1, 2]).has(row)).toBe(false);
  });

  it('when the lowest and the highest row are added, then both are there in order', () => {
    expect([...setOf([MAX_ROW, 0])]).toEqual([0, MAX_ROW]);
  });
});

describe.each([5, 128, 129, 20_000])('given a row set of %d rows', (count) => {
  const set = setOf(scattered(count));

  it('when walked, then the rows ascend and none is missing', () => {
    expect([...set]).toEqual(range(0, count));
    expect(set.size).toBe(count);
  });

  it('when a row is added that it has, or one deleted that it lacks, then the very same set comes back', () => {
    expect(set.add(count - 1, createOwner())).toBe(set);
    expect(set.delete(count, createOwner())).toBe(set);
  });

  it('when every row is deleted, then it is the shared empty set and the version before is whole', () => {
    expect(without(set, scattered(count))).toBe(RowSet.empty());
    expect(without(set, range(0, count))).toBe(RowSet.empty());
    expect(without(set, range(0, count).reverse())).toBe(RowSet.empty());
    expect([...set]).toEqual(range(0, count));
  });

  it('when walked in slices that each begin where the last one stopped, then every row is visited once', () => {
    const visited: number[] = [];
    for (let from = set.first(); from !== -1; from = set.next((visited.at(-1) ?? 0) + 1)) {
      set.forEach((row) => void visited.push(row), from, from + 100);
    }
    expect(visited).toEqual(range(0, count));
  });

  it('when it shrinks to a few rows and grows again, then it is walked in order throughout', () => {
    const few = without(set, range(3, count));
    expect([...few]).toEqual([0, 1, 2].slice(0, count));
    const owner = createOwner();
    let grown = few;
    for (const row of scattered(count)) {
      grown = grown.add(row, owner);
    }
    expect([...grown]).toEqual(range(0, count));
    expect(few.size).toBe(3);
  });
});

describe('given a large row set with gaps', () => {
  const set = setOf(range(0, 100_000, 10));

  it('when asked for the next row, then gaps are stepped over, also between chunks', () => {
    const wrong = range(0, 99_990, 10).filter(
      (row) => set.next(row) !== row || set.next(row + 1) !== row + 10,
    );
    expect(wrong).toEqual([]);
    expect(set.next(99_991)).toBe(-1);
    expect([...set.values(99_975)]).toEqual([99_980, 99_990]);
  });

  it('when most rows are deleted, then those left are found, and rows between them can be added again', () => {
    const thin = without(
      set,
      range(0, 100_000, 10).filter((row) => row % 1000 !== 0),
    );
    expect([...thin]).toEqual(range(0, 100_000, 1000));
    const owner = createOwner();
    let dense = thin;
    for (const row of range(0, 100_000, 5)) {
      dense = dense.add(row, owner);
    }
    expect([...dense]).toEqual(range(0, 100_000, 5));
  });
});

describe('given any history of batches, captures and drops back to earlier versions', () => {
  // Runs of rows rather than single ones, so that chunks fill, split, thin out and merge.
  const change = fc.record({
    add: fc.boolean(),
    from: fc.oneof(fc.nat(2000), fc.nat(60_000), fc.integer({ min: MAX_ROW - 3000, max: MAX_ROW - 2000 })),
    step: fc.constantFrom(1, 1, 2, 7),
    count: fc.oneof(fc.constant(1), fc.nat(250)),
    backwards: fc.boolean(),
  });
  type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;
  const rowsOf = ({ from, step, count, backwards }: Change) => {
    const rows = range(from, from + count * step, step);
    return backwards ? rows.reverse() : rows;
  };

  it('when all is done, then every version is what it was when it was made', () => {
    everyVersionStaysAsItWas(
      {
        empty: RowSet.empty(),
        emptyModel: new Set<number>() as ReadonlySet<number>,
        change,
        apply: (set, made, owner) => {
          let next = set;
          for (const row of rowsOf(made)) {
            next = made.add ? next.add(row, owner) : next.delete(row, owner);
          }
          return next;
        },
        applyToModel: (model, changes) => {
          const next = new Set(model);
          for (const made of changes) {
            for (const row of rowsOf(made)) {
              if (made.add) {
                next.add(row);
              } else {
                next.delete(row);
              }
            }
          }
          return next;
        },
        check,
      },
      { batches: 8, changes: 15, runs: 60 },
    );
  });

  it('when walked or visited from any row, then the rows are those that a sorted array would give', () => {
    const rows = fc.uniqueArray(fc.nat(3000), { maxLength: 600, size: 'max' });
    fc.assert(
      fc.property(rows, fc.nat(3100), fc.nat(3100), (members, from, to) => {
        const set = setOf(members);
        const expected = ascending(members).filter((row) => row >= from);
        expect([...set.values(from)]).toEqual(expected);
        expect(set.next(from)).toBe(expected[0] ?? -1);
        const visited: number[] = [];
        set.forEach((row) => void visited.push(row), from, to);
        expect(visited).toEqual(expected.filter((row) => row < to));
      }),
      { numRuns: 50 },
    );
  });
});
