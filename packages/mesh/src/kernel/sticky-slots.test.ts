import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SLOTS, shareSlots } from './sticky-slots.ts';

const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 12 });

function owners(names: readonly string[]): string[] {
  const slots: string[] = [];
  for (const { first, last, value } of shareSlots(names.map((key) => ({ key, value: key }))))
    for (let slot = first; slot <= last; slot++) slots[slot] = value;
  return slots;
}

describe('given clients that stay with their task', () => {
  test('when slots are shared out, then each belongs to one task, in whatever order they are told', () => {
    fc.assert(
      fc.property(keys, (names) => {
        const slots = owners(names);
        expect(slots).toHaveLength(SLOTS);
        expect(owners(names.toReversed())).toEqual(slots);
      }),
    );
  });

  test('when a task goes, then no client of another one moves', () => {
    fc.assert(
      fc.property(keys, (names) => {
        const [gone = '', ...left] = names;
        fc.pre(left.length > 0);
        const after = owners(left);
        owners(names).forEach((owner, slot) => {
          if (owner !== gone) expect(after[slot]).toBe(owner);
        });
      }),
    );
  });

  test('when ten tasks share them, then none has more than twice its share', () => {
    const slots = owners(Array.from({ length: 10 }, (_, index) => `task-${index}`));
    for (let index = 0; index < 10; index++) {
      const count = slots.filter((owner) => owner === `task-${index}`).length;
      expect(count).toBeLessThan((2 * SLOTS) / 10);
    }
  });
});
