import { describe, expect, it } from 'vitest';
import { hashString } from './hash-string.ts';

describe('given names that differ only in a number at their end', () => {
  const hashes = Array.from({ length: 3200 }, (_, i) => hashString(`web-${i}`));

  it('when hashed, then no two hashes are equal and each is a 32-bit integer', () => {
    expect(new Set(hashes).size).toBe(3200);
    expect(hashes.every((hash) => (hash | 0) === hash)).toBe(true);
  });

  it.each([0, 5, 10, 15, 20, 25])(
    'when branched on the five bits from bit %d, then no branch is crowded',
    (shift) => {
      const branches = Array.from({ length: 32 }, () => 0);
      for (const hash of hashes) {
        const branch = (hash >>> shift) & 31;
        branches[branch] = (branches[branch] ?? 0) + 1;
      }
      // A hundred each on average; five standard deviations to either side.
      expect(Math.min(...branches)).toBeGreaterThan(50);
      expect(Math.max(...branches)).toBeLessThan(150);
    },
  );
});
