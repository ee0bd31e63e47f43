import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOwner } from './owner.ts';
import { PersistentVector } from './persistent-vector.ts';
import { MAX_ROW } from './row-number.ts';
import { everyVersionStaysAsItWas } from './test-support/versions-property.ts';

function vectorOf(entries: Iterable<readonly [number, string]>): PersistentVector<string> {
  const owner = createOwner();
  let vector = PersistentVector.empty<string>();
  for (const [index, value] of entries) {
    vector = vector.set(index, value, owner);
  }
  return vector;
}

function rowsUpTo(count: number): PersistentVector<string> {
  return vectorOf(Array.from({ length: count }, (_, index) => [index, `row ${index}`] as const));
}

function sortedEntries(model: ReadonlyMap<number, string>): [number, string][] {
  return [...model].sort(([a], [b]) => a - b);
}

function check(vector: PersistentVector<string>, model: ReadonlyMap<number, string>): void {
  const expected = sortedEntries(model);
  expect([...vector]).toEqual(expected);
  const visited: [number, string][] = [];
  vector.forEach((value, index) => void visited.push([index, value]));
  expect(visited).toEqual(expected);
  expect(vector.size).toBe(model.size);
  expect(vector.length).toBe((expected.at(-1)?.[0] ?? -1) + 1);
  const wrong = expected.filter(
    ([index, value]) => vector.get(index) !== value || vector.get(index + 1) !== model.get(index + 1),
  );
  expect(wrong).toEqual([]);
}

describe('given an empty vector', () => {
  const empty = PersistentVector.empty<string>();

  it('when read, then it has no length and no values', () => {
    expect([empty.length, empty.size, empty.get(0), empty.next(), [...empty]]).toEqual([
      0,
      0,
      undefined,
      -1,
      [],
    ]);
  });

  it('when a far index is set, then everything before it is a hole', () => {
    const vector = empty.set(1_000_000, 'far', createOwner());
    expect(vector.length).toBe(1_000_001);
    expect(vector.size).toBe(1);
    expect(vector.get(0)).toBeUndefined();
    expect(vector.get(999_999)).toBeUndefined();
    expect([...vector]).toEqual([[1_000_000, 'far']]);
  });

  it('when the highest index of all is set, then it is found and walked to', () => {
    const vector = empty.set(MAX_ROW, 'last', createOwner()).set(0, 'first', createOwner());
    expect(vector.length).toBe(MAX_ROW + 1);
    expect(vector.get(MAX_ROW)).toBe('last');
    expect([...vector.entries(1)]).toEqual([[MAX_ROW, 'last']]);
    expect(vector.delete(MAX_ROW, createOwner()).length).toBe(1);
  });

  it.each([-1, 0.5, Number.NaN, MAX_ROW + 1, Number.POSITIVE_INFINITY])(
    'when index %d is written, then it is refused; when read, then there is nothing',
    (index) => {
      expect(() => empty.set(index, 'x', createOwner())).toThrow(RangeError);
      expect(() => empty.delete(index, createOwner())).toThrow(RangeError);
      expect(rowsUpTo(3).get(index)).toBeUndefined();
    },
  );
});

describe('given a vector with rows', () => {
  it('when a row gets the value that it has, or a hole is deleted, then the very same vector comes back', () => {
    const vector = rowsUpTo(40);
    expect(vector.set(7, 'row 7', createOwner())).toBe(vector);
    expect(vector.delete(99, createOwner())).toBe(vector);
  });

  it('when a row is set to undefined, then it is deleted', () => {
    const vector = PersistentVector.empty<string | undefined>().set(0, 'a', createOwner());
    expect(vector.set(0, undefined, createOwner())).toBe(PersistentVector.empty());
  });

  it('when all rows are deleted, from either end, then it is the empty vector again', () => {
    const count = 33 * 32 + 1;
    for (const index of [(i: number) => i, (i: number) => count - 1 - i]) {
      const owner = createOwner();
      let vector = rowsUpTo(count);
      for (let i = 0; i < count; i += 1) {
        vector = vector.delete(index(i), owner);
      }
      expect(vector).toBe(PersistentVector.empty());
    }
  });

  it('when its last rows are deleted, then its length is that of the highest row left', () => {
    const vector = vectorOf([
      [3, 'a'],
      [5000, 'b'],
      [5001, 'c'],
    ]);
    const shorter = vector.delete(5001, createOwner());
    expect(shorter.length).toBe(5001);
    const shortest = shorter.delete(5000, createOwner());
    expect(shortest.length).toBe(4);
    expect(shortest.set(40, 'd', createOwner()).get(3)).toBe('a');
    expect(vector.get(5001)).toBe('c');
  });

  it('when walked in slices that each begin where the last one stopped, then every row is visited once', () => {
    const vector = vectorOf([0, 1, 31, 32, 33, 1023, 1024, 40_000].map((index) => [index, `row ${index}`]));
    const visited: number[] = [];
    let from = vector.next();
    while (from !== -1) {
      let left = 3;
      for (const [index] of vector.entries(from)) {
        visited.push(index);
        left -= 1;
        from = vector.next(index + 1);
        if (left === 0) {
          break;
        }
      }
    }
    expect(visited).toEqual([0, 1, 31, 32, 33, 1023, 1024, 40_000]);
  });

  it('when a range is visited, then only the rows in it are, the end left out', () => {
    const visited: number[] = [];
    rowsUpTo(100).forEach((_, index) => void visited.push(index), 30, 66);
    expect(visited).toEqual(Array.from({ length: 36 }, (_, i) => 30 + i));
  });
});

describe('given any history of batches, captures and drops back to earlier versions', () => {
  const index = fc.oneof(
    fc.nat(70),
    fc.nat(3000),
    fc.integer({ min: 32_000, max: 34_000 }),
    fc.constantFrom(31, 32, 1023, 1024, 32_767, 32_768, MAX_ROW),
  );

  it('when all is done, then every version is what it was when it was made', () => {
    everyVersionStaysAsItWas(
      {
        empty: PersistentVector.empty<string>(),
        emptyModel: new Map<number, string>() as ReadonlyMap<number, string>,
        change: fc.tuple(index, fc.option(fc.string({ minLength: 1, maxLength: 2 }), { freq: 2 })),
        apply: (vector, [at, value], owner) =>
          value === null ? vector.delete(at, owner) : vector.set(at, value, owner),
        applyToModel: (model, changes) => {
          const next = new Map(model);
          for (const [at, value] of changes) {
            if (value === null) {
              next.delete(at);
            } else {
              next.set(at, value);
            }
          }
          return next;
        },
        check,
      },
      { batches: 12, changes: 40, runs: 150 },
    );
  });

  it('when walked or visited from any index, then the rows are those that an array would give', () => {
    const model = fc.uniqueArray(index, { maxLength: 60, size: 'max' });
    fc.assert(
      fc.property(model, index, index, (indexes, from, to) => {
        const vector = vectorOf(indexes.map((at) => [at, `${at}`]));
        const expected = indexes.filter((at) => at >= from).sort((a, b) => a - b);
        expect([...vector.entries(from)].map(([at]) => at)).toEqual(expected);
        expect(vector.next(from)).toBe(expected[0] ?? -1);
        const visited: number[] = [];
        vector.forEach((_, at) => void visited.push(at), from, to);
        expect(visited).toEqual(expected.filter((at) => at < to));
      }),
    );
  });
});
