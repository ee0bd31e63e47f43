import { describe, expect, it } from 'vitest';
import { closeOwner, createOwner, OwnershipError } from './owner.ts';
import { PersistentMap } from './persistent-map.ts';
import { PersistentVector } from './persistent-vector.ts';
import { RowSet } from './row-set.ts';

describe('given a version that a finished batch made', () => {
  it('when two later batches write on it, then it and both results are independent', () => {
    const base = PersistentVector.empty<string>().set(0, 'base', createOwner());
    const left = base.set(0, 'left', createOwner());
    const right = base.set(0, 'right', createOwner());
    expect([base.get(0), left.get(0), right.get(0)]).toEqual(['base', 'left', 'right']);
  });

  it('when one batch writes on it twice, then both results are independent', () => {
    const base = PersistentVector.empty<string>().set(0, 'base', createOwner());
    const owner = createOwner();
    const left = base.set(0, 'left', owner);
    const right = base.set(0, 'right', owner);
    expect([base.get(0), left.get(0), right.get(0)]).toEqual(['base', 'left', 'right']);
  });
});

describe('given a collection that its own batch has changed since', () => {
  const owner = createOwner();
  const vector = PersistentVector.empty<string>().set(0, 'a', owner);
  vector.set(0, 'b', owner);
  const map = PersistentMap.empty<string, number>().set('a', 1, owner);
  map.set('b', 2, owner);
  const rows = RowSet.empty().add(1, owner);
  rows.delete(1, owner);

  it.each<[string, () => unknown]>([
    ['reading a vector', () => vector.get(0)],
    ["reading a vector's length", () => vector.length],
    ['walking a vector', () => [...vector]],
    ['writing a vector', () => vector.set(1, 'c', owner)],
    ['deleting from a vector', () => vector.delete(0, createOwner())],
    ['reading a map', () => map.get('a')],
    ["reading a map's size", () => map.size],
    ['walking a map', () => [...map]],
    ['writing a map', () => map.set('c', 3, owner)],
    ['reading a row set', () => rows.has(1)],
    ['walking a row set', () => [...rows]],
    ['writing a row set', () => rows.add(2, owner)],
  ])('when %s, then it is refused instead of showing the later change', (_, use) => {
    expect(use).toThrow(OwnershipError);
  });
});

describe('given a walk over a collection', () => {
  it('when its own batch changes the collection meanwhile, then the walk is refused', () => {
    const owner = createOwner();
    const vector = PersistentVector.empty<string>().set(0, 'a', owner).set(1, 'b', owner);
    const map = PersistentMap.empty<string, number>().set('a', 1, owner).set('b', 2, owner);
    const rows = RowSet.empty().add(1, owner).add(2, owner);
    expect(() => vector.forEach(() => void vector.delete(1, owner))).toThrow(OwnershipError);
    expect(() => map.forEach((_, key) => void map.set(key, 3, owner))).toThrow(OwnershipError);
    expect(() => rows.forEach(() => void rows.delete(2, owner))).toThrow(OwnershipError);
  });

  it('when a later batch changes it meanwhile, then the walk goes on over what it began with', () => {
    const first = createOwner();
    const rows = RowSet.empty().add(1, first).add(2, first).add(3, first);
    const walk = rows.values();
    expect(walk.next().value).toBe(1);
    rows.delete(2, createOwner());
    expect([...walk]).toEqual([2, 3]);
  });
});

describe('given a batch that goes on although another one has written on what it made', () => {
  it('when it writes again, then it is refused and the other version is as it was', () => {
    const owner = createOwner();
    const base = PersistentMap.empty<string, number>().set('a', 1, owner);
    const branched = base.set('b', 2, createOwner());
    expect(() => base.set('a', 9, owner)).toThrow(OwnershipError);
    expect([...branched].sort()).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
  });
});

describe('given a closed owner', () => {
  it('when something is written with it, then it is refused and nothing changed', () => {
    const owner = createOwner();
    const rows = RowSet.empty().add(1, owner);
    closeOwner(owner);
    expect(() => rows.add(2, owner)).toThrow(OwnershipError);
    expect(() => rows.delete(1, owner)).toThrow(OwnershipError);
    expect(() => PersistentVector.empty<string>().set(0, 'a', owner)).toThrow(OwnershipError);
    expect([...rows]).toEqual([1]);
  });
});
