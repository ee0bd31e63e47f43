import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashString } from './hash-string.ts';
import { createOwner } from './owner.ts';
import { PersistentMap } from './persistent-map.ts';
import { everyVersionStaysAsItWas } from './test-support/versions-property.ts';

/**
 * Two suffixes that leave the hash the same after the given prefix, by the birthday paradox: among 300,000 strings
 * some ten pairs collide. As the state of the hash is then the same too, pairs can be strung together.
 */
function collidingSuffixes(prefix: string): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0; i < 2_000_000; i += 1) {
    // Six letters scattered over the alphabet: FNV tells strings that differ in little apart without fail.
    const suffix = (Math.imul(i + 1, 0x9e3779b1) >>> 0).toString(36).slice(-6);
    const hash = hashString(prefix + suffix);
    const other = seen.get(hash);
    if (other !== undefined && other !== suffix) {
      return [other, suffix];
    }
    seen.set(hash, suffix);
  }
  throw new Error('no collision found');
}

/** Eight strings with one hash (Joux, "Multicollisions in Iterated Hash Functions", 2004). */
function collidingKeys(): string[] {
  let keys = [''];
  for (let i = 0; i < 3; i += 1) {
    const suffixes = collidingSuffixes(keys[0] ?? '');
    keys = keys.flatMap((key) => suffixes.map((suffix) => key + suffix));
  }
  return keys;
}

const colliding = collidingKeys();

function mapOf(keys: Iterable<string>): PersistentMap<string, string> {
  const owner = createOwner();
  let map = PersistentMap.empty<string, string>();
  for (const key of keys) {
    map = map.set(key, `value of ${key}`, owner);
  }
  return map;
}

function without(map: PersistentMap<string, string>, keys: Iterable<string>): PersistentMap<string, string> {
  const owner = createOwner();
  let next = map;
  for (const key of keys) {
    next = next.delete(key, owner);
  }
  return next;
}

function byKey<V>(entries: Iterable<readonly [string, V]>): (readonly [string, V])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

function check(map: PersistentMap<string, number>, model: ReadonlyMap<string, number>): void {
  expect(byKey(map)).toEqual(byKey(model));
  expect(map.size).toBe(model.size);
  const wrong = [...model].filter(([key, value]) => map.get(key) !== value || !map.has(key));
  expect(wrong).toEqual([]);
  expect([...model.keys()].filter((key) => map.has(`${key}~`) !== model.has(`${key}~`))).toEqual([]);
}

describe('given an empty map', () => {
  const empty = PersistentMap.empty<string, string>();

  it('when read, then nothing is there', () => {
    expect([empty.size, empty.get(''), empty.has('a'), [...empty]]).toEqual([0, undefined, false, []]);
  });

  it('when a key is deleted, then the very same map comes back', () => {
    expect(empty.delete('a', createOwner())).toBe(empty);
  });
});

describe('given a map with entries', () => {
  it('when a key gets the value that it has, or an absent key is deleted, then the very same map comes back', () => {
    const map = mapOf(['a', 'b']);
    expect(map.set('a', 'value of a', createOwner())).toBe(map);
    expect(map.delete('c', createOwner())).toBe(map);
  });

  it('when a value is undefined, then its key is there all the same', () => {
    const map = PersistentMap.empty<string, undefined>().set('a', undefined, createOwner());
    expect([map.size, map.has('a'), map.get('a')]).toEqual([1, true, undefined]);
  });

  it('when a key is one that objects have by nature, then it is a key like any other', () => {
    const map = mapOf(['__proto__', 'constructor', '']);
    expect(map.get('constructor')).toBe('value of constructor');
    expect(map.has('toString')).toBe(false);
    expect([...map.keys()].sort()).toEqual(['', '__proto__', 'constructor']);
  });

  it('when ten thousand keys are deleted one by one, then it is the empty map again', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `key ${i}`);
    const map = mapOf(keys);
    expect(map.size).toBe(10_000);
    expect(new Set(map.values()).size).toBe(10_000);
    expect(without(map, keys)).toBe(PersistentMap.empty());
    expect(map.size).toBe(10_000);
  });

  it('when a walk is left standing and the map moves on, then the walk goes on over what it began with', () => {
    const map = mapOf(Array.from({ length: 100 }, (_, i) => `key ${i}`));
    const walk = map.keys();
    const first = [walk.next().value, walk.next().value];
    without(map, [...map.keys()]);
    expect([...first, ...walk]).toEqual([...map.keys()]);
  });
});

describe('given keys whose hashes are equal', () => {
  it('when they were crafted, then they are different strings with one hash', () => {
    expect(new Set(colliding).size).toBe(8);
    expect(new Set(colliding.map(hashString)).size).toBe(1);
  });

  it('when all are set, then each has its own value, and a ninth of that hash would be told apart', () => {
    const map = mapOf(colliding.slice(1));
    for (const key of colliding.slice(1)) {
      expect(map.get(key)).toBe(`value of ${key}`);
    }
    expect(map.has(colliding[0] ?? '')).toBe(false);
    expect(map.size).toBe(7);
  });

  it('when all are deleted, in any order, then nothing is left and the version before is whole', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(colliding, { minLength: 8 }), (order) => {
        const map = mapOf([...colliding, 'a', 'b']);
        const rest = without(map, order);
        expect([...rest.keys()].sort()).toEqual(['a', 'b']);
        expect(without(rest, ['a', 'b'])).toBe(PersistentMap.empty());
        expect(map.size).toBe(10);
      }),
      { numRuns: 30 },
    );
  });
});

describe('given any history of batches, captures and drops back to earlier versions', () => {
  const key = fc.oneof(
    fc.constantFrom(...colliding),
    fc.nat(300).map((i) => `key ${i}`),
    fc.string({ maxLength: 3, unit: 'binary' }),
  );

  it('when all is done, then every version is what it was when it was made', () => {
    everyVersionStaysAsItWas(
      {
        empty: PersistentMap.empty<string, number>(),
        emptyModel: new Map<string, number>() as ReadonlyMap<string, number>,
        change: fc.tuple(key, fc.option(fc.nat(3), { freq: 2 })),
        apply: (map, [at, value], owner) =>
          value === null ? map.delete(at, owner) : map.set(at, value, owner),
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
      { batches: 12, changes: 60, runs: 150 },
    );
  });

  it('when two histories end with the same contents, then both are walked in the same order', () => {
    const keys = fc.uniqueArray(key, { maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(keys, keys, fc.infiniteStream(fc.nat()), (kept, passing, ranks) => {
        const gone = passing.filter((at) => !kept.includes(at));
        const rank = new Map([...kept, ...gone].map((at) => [at, ranks.next().value as number]));
        const order = [...rank.keys()].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
        expect([...without(mapOf(order), gone)]).toEqual([...mapOf(kept)]);
      }),
    );
  });
});
