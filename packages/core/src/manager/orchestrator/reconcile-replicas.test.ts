import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asId, type NodeId } from '../../model/ids.ts';
import { type OccupiedSlot, OccupiedSlots } from './occupied-slots.ts';
import { reconcileReplicas } from './reconcile-replicas.ts';

function reconcile(replicas: number, slots: readonly OccupiedSlot[]) {
  const occupied = new OccupiedSlots();
  for (const each of slots) occupied.set(each);
  const { missing, surplus } = reconcileReplicas(replicas, occupied);
  return { missing: [...missing], surplus: [...surplus] };
}

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
  test('when there are too few, then the lowest free numbers are missing and nothing goes', () => {
    const slot = { slot: 3, running: true, nodeId: undefined };
    expect(reconcile(4, [slot])).toEqual({ missing: [1, 2, 4], surplus: [] });
    expect(reconcile(1, [slot])).toEqual({ missing: [], surplus: [] });
  });

  test('when there are too few or too many, then the count is met, with no number twice', () => {
    fc.assert(
      fc.property(occupied, fc.nat(40), (slots, replicas) => {
        const { missing, surplus } = reconcile(replicas, slots);
        const kept = slots.map(({ slot }) => slot).filter((slot) => !surplus.includes(slot));
        expect(new Set([...kept, ...missing]).size).toBe(replicas);
        expect(kept.length + missing.length).toBe(replicas);
        const free = missing.at(-1) ?? 0;
        const used = new Set([...kept, ...missing]);
        for (let slot = 1; slot < free; slot++) expect(used.has(slot)).toBe(true);
      }),
    );
  });

  test('when some of one node go, then those not running go first, then the highest', () => {
    const nodeId = asId<NodeId>('a');
    const slots = [true, false, true, false].map((running, n) => ({ slot: n + 1, running, nodeId }));
    expect(reconcile(0, slots).surplus).toEqual([1, 2, 3, 4]);
    expect(reconcile(1, slots).surplus).toEqual([2, 3, 4]);
    expect(reconcile(2, [...slots, { slot: 5, running: true, nodeId: undefined }]).surplus).toEqual([
      2, 4, 5,
    ]);
  });

  test('when some go, then no node keeps two more than another that lost one', () => {
    fc.assert(
      fc.property(occupied, fc.nat(20), (slots, replicas) => {
        const gone = new Set(reconcile(replicas, slots).surplus);
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
});
