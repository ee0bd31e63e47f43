import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyServiceSpec } from '../testing/arbitraries.ts';
import { differences } from './differences.ts';
import { plainEqual } from './plain-equal.ts';

test.each<[unknown, unknown, boolean]>([
  [1, 1, true],
  [Number.NaN, Number.NaN, true],
  [null, undefined, false],
  [{}, null, false],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
  [{ a: undefined }, {}, true],
  [{}, { a: undefined }, true],
  [{ a: undefined, b: 1 }, { a: 1, b: undefined }, false],
  [{ a: 1 }, { b: 1 }, false],
  [{ toString: undefined }, {}, true],
  [{ ['constructor']: 'x' }, { ['constructor']: 'y' }, false],
  [[1, 2], [1, 2], true],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [['a'], { 0: 'a', length: 1 }, false],
  [Uint8Array.of(1, 2), Uint8Array.of(1, 2), true],
  [Uint8Array.of(1, 2), Uint8Array.of(1, 3), false],
  [{ a: { b: [{ c: 1 }] } }, { a: { b: [{ c: 1 }] } }, true],
  [{ a: { b: [{ c: 1 }] } }, { a: { b: [{ c: 2 }] } }, false],
])('given %j and %j, then they say the same: %s', (a, b, same) => {
  expect(plainEqual(a, b)).toBe(same);
  expect(plainEqual(b, a)).toBe(same);
});

test('given any two specs, then they are equal exactly when no path of them differs', () => {
  fc.assert(
    fc.property(anyServiceSpec, anyServiceSpec, fc.boolean(), (a, b, same) => {
      const other = same ? structuredClone(a) : b;
      expect(plainEqual(a, other)).toBe(differences(a, other).length === 0);
    }),
  );
});
