/**
 * Which slots of a replicated service are to be filled, or which it has too many of. Pure: slots in, numbers out, in
 * time that grows with the service and no faster.
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
interface ReplicaChange {
  /** These slots are to be filled, ascending: the lowest free numbers. */
  readonly missing: readonly number[];
  /** These slots are to go. */
  readonly surplus: readonly number[];
}

/** The occupied slots of a service by their numbers; the others are holes. */
export type OccupiedSlots = readonly (OccupiedSlot | undefined)[];

/** Compares the wanted count with the occupied slots. */
export function reconcileReplicas(replicas: number, occupied: OccupiedSlots): ReplicaChange {
  let count = 0;
  for (let slot = 1; slot < occupied.length; slot++) if (occupied[slot] !== undefined) count++;
  return count > replicas
    ? { missing: [], surplus: keepingOrder(occupied).slice(replicas) }
    : { missing: lowestFree(replicas - count, occupied), surplus: [] };
}

function lowestFree(count: number, occupied: OccupiedSlots): number[] {
  const free: number[] = [];
  for (let slot = 1; free.length < count; slot++) if (occupied[slot] === undefined) free.push(slot);
  return free;
}

/** Slots in the order in which they are worth keeping: first one of each node, then a second of each, and so on. */
function keepingOrder(occupied: OccupiedSlots): number[] {
  const rounds: number[][] = [];
  const withoutNode: number[] = [];
  const onNode = new Map<NodeId, number>();
  for (const running of [true, false]) {
    for (const entry of occupied) {
      if (entry?.running !== running) continue;
      if (entry.nodeId === undefined) {
        withoutNode.push(entry.slot);
        continue;
      }
      const copies = onNode.get(entry.nodeId) ?? 0;
      onNode.set(entry.nodeId, copies + 1);
      const round = rounds[copies];
      if (round) round.push(entry.slot);
      else rounds[copies] = [entry.slot];
    }
  }
  const order: number[] = [];
  // Several times as fast as `flat`.
  for (const round of rounds) for (const slot of round) order.push(slot);
  return order.concat(withoutNode);
}
