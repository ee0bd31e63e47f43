import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotSet } from './slot-set.ts';

describe('given a set of slots', () => {
  it('when slots come and go, then it holds those of a plain set, in ascending order', () => {
    const step = fc.tuple(fc.constantFrom('add', 'delete', 'first'), fc.nat(200));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const slots = new SlotSet();
        const plain = new Set<number>();
        for (const [what, slot] of steps) {
          if (what === 'first') {
            expect(slots.first()).toBe([...plain].sort((a, b) => a - b)[0]);
            continue;
          }
          slots[what](slot);
          plain[what](slot);
          expect(slots.has(slot)).toBe(plain.has(slot));
        }
        expect([...slots]).toEqual([...plain].sort((a, b) => a - b));
        expect(slots.size).toBe(plain.size);
      }),
    );
  });

  it('when another set is taken out, then what is left is in the first alone', () => {
    const slots = SlotSet.of([1, 31, 32, 64, 1_000_000]);
    slots.deleteAll(SlotSet.of([31, 33, 1_000_000]));
    expect([...slots]).toEqual([1, 32, 64]);
  });
});
