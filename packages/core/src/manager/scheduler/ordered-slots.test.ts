import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OrderedSlots } from './ordered-slots.ts';

function slotsOf(ordered: OrderedSlots): number[] {
  const found: number[] = [];
  for (const walk = ordered.walk(); walk.slot !== -1; walk.pass()) found.push(walk.slot);
  return found;
}

describe('given slots in order', () => {
  test('when slots come and go at random, then a walk gives those that are there, by their keys', () => {
    const step = fc.record({ slot: fc.nat(600), key: fc.nat(1_000_000) });
    const steps = fc.array(step, { maxLength: 1_500, size: 'max' });
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(600), { maxLength: 500, size: 'max' }), steps, (begun, moves) => {
        const keys = new Map(begun.map((slot) => [slot, slot * 7919 * 1_000 + slot]));
        const ordered = OrderedSlots.of([...begun], (slot) => keys.get(slot) ?? 0);
        for (const { slot, key } of moves) {
          const was = keys.get(slot);
          if (was !== undefined) ordered.remove(was);
          // Every third move takes the slot away for good, as a node that takes no tasks.
          if (was !== undefined && key % 3 === 0) keys.delete(slot);
          else {
            keys.set(slot, key * 1_000 + slot);
            ordered.insert(slot, key * 1_000 + slot);
          }
        }
        const expected = [...keys].sort(([, a], [, b]) => a - b).map(([slot]) => slot);
        expect(slotsOf(ordered)).toEqual(expected);
        expect(ordered.size).toBe(expected.length);
      }),
      { numRuns: 60 },
    );
  });

  test('when the first goes to the back again and again, then they come in turn, and nothing piles up', () => {
    const ordered = OrderedSlots.of([2, 0, 1], (slot) => slot);
    for (let round = 0; round < 3_000; round++) {
      expect(ordered.walk().slot).toBe(round % 3);
      ordered.remove(round);
      ordered.insert(round % 3, round + 3);
    }
    expect(slotsOf(ordered)).toEqual([0, 1, 2]);
  });

  test('when there are none, then there is nothing to walk along, and taking one out changes nothing', () => {
    const ordered = new OrderedSlots();
    ordered.remove(5);
    expect(ordered.walk().slot).toBe(-1);
    expect(ordered.size).toBe(0);
  });
});
