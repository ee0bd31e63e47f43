/**
 * Which slots of a replicated service are to be filled, or which it has too many of. Pure: slots in, numbers out, in
 * time that grows with the service and no faster.
 *
 * Slots are numbered from 1 and the lowest free number is used again. What goes first when there are too many is
 * Swarm's choice: from the most crowded nodes, those not running before those running, the highest slot first. Here it
 * is a total order, so that two leaders choose the same.
 */

import type { OccupiedSlots } from './occupied-slots.ts';
import { SlotSet } from './slot-set.ts';

/** What brings a service to its count. At most one of the two is not empty. */
interface ReplicaChange {
  /** These slots are to be filled, ascending: the lowest free numbers. */
  readonly missing: Int32Array;
  /** These slots are to go. */
  readonly surplus: SlotSet;
}

/** Compares the wanted count with the occupied slots. */
export function reconcileReplicas(replicas: number, occupied: OccupiedSlots): ReplicaChange {
  return occupied.size > replicas
    ? { missing: new Int32Array(0), surplus: surplusOf(replicas, occupied) }
    : { missing: lowestFree(replicas - occupied.size, occupied), surplus: new SlotSet() };
}

function lowestFree(count: number, occupied: OccupiedSlots): Int32Array {
  const free = new Int32Array(count);
  for (let slot = 1, found = 0; found < count; slot++) if (occupied.isFree(slot)) free[found++] = slot;
  return free;
}

/**
 * What is left when the slots worth keeping most are kept: first one of each node, then a second of each, and so on;
 * of each of these rounds those running first, then by number; last of all those without a node.
 */
function surplusOf(replicas: number, occupied: OccupiedSlots): SlotSet {
  const { full, left } = lastRound(replicas, occupied);
  const surplus = new SlotSet();
  const copies = new Int32Array(occupied.nodes);
  let leftOfRound = left;
  let leftWithoutNode = full === Number.POSITIVE_INFINITY ? left : 0;
  const keepOrNot = (slot: number, node: number) => {
    if (node === -1) {
      if (leftWithoutNode > 0) leftWithoutNode -= 1;
      else surplus.add(slot);
      return;
    }
    const round = copies[node] as number;
    copies[node] = round + 1;
    if (round < full) return;
    if (round === full && leftOfRound > 0) leftOfRound -= 1;
    else surplus.add(slot);
  };
  occupied.forEach(true, keepOrNot);
  occupied.forEach(false, keepOrNot);
  return surplus;
}

/** How many rounds are kept in full (infinitely many: all), and how many slots of what comes next. */
function lastRound(
  replicas: number,
  occupied: OccupiedSlots,
): { readonly full: number; readonly left: number } {
  let left = replicas;
  for (const [round, size] of occupied.nodesByCount().entries()) {
    if (size > left) return { full: round, left };
    left -= size;
  }
  return { full: Number.POSITIVE_INFINITY, left };
}
