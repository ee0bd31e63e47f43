import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NodeCounts } from './node-counts.ts';

const SLOTS = 400;

describe('given counts by node slot', () => {
  it('when anything is added and taken away, then they are those of a plain map', () => {
    const slot = fc.oneof(fc.nat(15), fc.nat(SLOTS - 1));
    const step = fc.record({ slot, delta: fc.integer({ min: -2, max: 3 }), clear: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), fc.constantFrom(SLOTS, 100_000), (steps, slots) => {
        const counts = new NodeCounts();
        const plain = new Map<number, number>();
        for (const { slot, delta, clear } of steps) {
          if (clear === 0) {
            counts.clear(slot, slots);
            plain.delete(slot);
            continue;
          }
          counts.add(slot, delta, slots);
          const count = (plain.get(slot) ?? 0) + delta;
          if (count === 0) plain.delete(slot);
          else plain.set(slot, count);
        }
        const found = new Map<number, number>();
        counts.forEach((slot, count) => {
          found.set(slot, count);
        });
        expect(found).toEqual(plain);
        expect(counts.size).toBe(plain.size);
        const slotsUsed = Array.from({ length: SLOTS }, (_, slot) => slot);
        expect(slotsUsed.map((slot) => counts.get(slot))).toEqual(
          slotsUsed.map((slot) => plain.get(slot) ?? 0),
        );
        const totals = new Int32Array(SLOTS).fill(1);
        counts.addTo(totals, 1);
        expect([...totals]).toEqual(slotsUsed.map((slot) => 1 + (plain.get(slot) ?? 0)));
      }),
    );
  });
});
