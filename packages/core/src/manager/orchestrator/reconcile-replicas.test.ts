import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asId, type NodeId } from '../../model/ids.ts';
import { lastSlotFilled, type OccupiedSlot, reconcileReplicas } from './reconcile-replicas.ts';

const occupied: fc.Arbitrary<OccupiedSlot[]> = fc
  .uniqueArray(
    fc.record({
      slot: fc.integer({ min: 1, max: 30 }),
      running: fc.boolean(),
      nodeId: fc.option(
        fc.constantFrom('a', 'b', 'c').map((id) => asId<NodeId>(id)),
        { nil: undefined },
      ),
    }),
    { selector: ({ slot }) => slot, maxLength: 20 },
  )
  .map((slots) => slots.sort((a, b) => a.slot - b.slot));

describe('given occupied slots', () => {
  test('when there are too few, then what is missing is counted and nothing goes', () => {
    const slot = { slot: 3, running: true, nodeId: undefined };
    expect(reconcileReplicas(3, [slot])).toEqual({ missing: 2, surplus: [] });
    expect(reconcileReplicas(1, [slot])).toEqual({ missing: 0, surplus: [] });
  });

  test('when there are too many, then the count is met, whatever order they come in', () => {
    fc.assert(
      fc.property(occupied, fc.nat(20), fc.infiniteStream(fc.nat()), (slots, replicas, lots) => {
        const { missing, surplus } = reconcileReplicas(replicas, slots);
        expect(slots.length - surplus.length + missing).toBe(replicas);
        const order = new Map(slots.map(({ slot }) => [slot, lots.next().value ?? 0]));
        const shuffled = slots.toSorted((a, b) => (order.get(a.slot) ?? 0) - (order.get(b.slot) ?? 0));
        expect(reconcileReplicas(replicas, shuffled)).toEqual({ missing, surplus });
      }),
    );
  });

  test('when some go, then no node keeps two more than another that lost one', () => {
    fc.assert(
      fc.property(occupied, fc.nat(20), (slots, replicas) => {
        const gone = new Set(reconcileReplicas(replicas, slots).surplus);
        const kept = new Map<NodeId, number>();
        for (const { slot, nodeId } of slots) {
          if (nodeId !== undefined && !gone.has(slot)) kept.set(nodeId, (kept.get(nodeId) ?? 0) + 1);
        }
        for (const { slot, nodeId } of slots) {
          if (nodeId === undefined || !gone.has(slot)) continue;
          for (const count of kept.values()) expect(count).toBeLessThanOrEqual((kept.get(nodeId) ?? 0) + 1);
        }
      }),
    );
  });

  test('when free numbers are filled from the lowest, then the last one is known beforehand', () => {
    fc.assert(
      fc.property(occupied, fc.nat(40), (slots, missing) => {
        const numbers = new Set(slots.map(({ slot }) => slot));
        let last = 0;
        for (let slot = 1, left = missing; left > 0; slot++) {
          if (numbers.has(slot)) continue;
          last = slot;
          left--;
        }
        expect(lastSlotFilled(missing, [...numbers])).toBe(last);
      }),
    );
  });
});
