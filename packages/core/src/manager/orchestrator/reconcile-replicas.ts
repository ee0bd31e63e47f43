/**
 * How many tasks a replicated service lacks, or which slots it has too many. Pure: slots in, numbers out.
 *
 * Slots are numbered from 1 and the lowest free number is used again. What goes first when there are too many is
 * Swarm's choice: from the most crowded nodes, those not running before those running, the highest slot first. Here it
 * is a total order, so that two leaders choose the same.
 */

import type { NodeId } from '../../model/ids.ts';

/** An occupied slot, as far as scaling looks at it. */
export interface OccupiedSlot {
  readonly slot: number;
  /** Its task is observed running. */
  readonly running: boolean;
  /** Where its task is, if it has one live task and that has a node. */
  readonly nodeId: NodeId | undefined;
}

/** What brings a service to its count. At most one of the two is not empty. */
export interface ReplicaChange {
  /** So many slots are to be filled, from the lowest free number on. */
  readonly missing: number;
  /** These slots are to go. */
  readonly surplus: readonly number[];
}

/** Compares the wanted count with the occupied slots. */
export function reconcileReplicas(replicas: number, occupied: readonly OccupiedSlot[]): ReplicaChange {
  const difference = replicas - occupied.length;
  if (difference >= 0) return { missing: difference, surplus: [] };
  return { missing: 0, surplus: keepingOrder(occupied).slice(replicas) };
}

/** Slots in the order in which they are worth keeping. */
function keepingOrder(occupied: readonly OccupiedSlot[]): number[] {
  const byWorth = occupied.toSorted((a, b) => Number(b.running) - Number(a.running) || a.slot - b.slot);
  const onNode = new Map<NodeId, number>();
  const ranked = byWorth.map((entry, place) => {
    if (entry.nodeId === undefined) return { slot: entry.slot, copy: Number.MAX_SAFE_INTEGER, place };
    const copy = (onNode.get(entry.nodeId) ?? 0) + 1;
    onNode.set(entry.nodeId, copy);
    return { slot: entry.slot, copy, place };
  });
  return ranked.sort((a, b) => a.copy - b.copy || a.place - b.place).map((entry) => entry.slot);
}

/**
 * The highest slot number that filling so many free numbers comes to; 0 for none.
 *
 * @param occupied Slot numbers, ascending.
 */
export function lastSlotFilled(missing: number, occupied: readonly number[]): number {
  if (missing === 0) return 0;
  let free = 0;
  let before = 0;
  for (const slot of occupied) {
    const gap = slot - before - 1;
    if (free + gap >= missing) break;
    free += gap;
    before = slot;
  }
  return before + missing - free;
}
