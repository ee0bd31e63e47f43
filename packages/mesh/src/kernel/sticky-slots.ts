/**
 * Which task the connections of a client go to, where they are to stay with one: the kernel hashes a client's address to
 * one of a fixed number of slots, and each slot belongs to the task with the highest score for it. So when a task goes,
 * only its own clients move, and a new one takes over just its share.
 */

import { score } from '../balancer/rendezvous.ts';

/** How many slots there are. More spread clients more evenly, and cost an element of a map each. */
export const SLOTS = 256;

/** Slots `first` to `last` belong to `value`. */
export interface SlotRange<T> {
  readonly first: number;
  readonly last: number;
  readonly value: T;
}

/** Shares the slots out. @param values - at least one; their keys tell them apart, in any order */
export function shareSlots<T>(
  values: readonly { readonly key: string; readonly value: T }[],
): SlotRange<T>[] {
  const ranges: { first: number; last: number; value: T }[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    let best: { readonly score: number; readonly key: string; readonly value: T } | undefined;
    for (const { key, value } of values) {
      const own = score(String(slot), key);
      if (best === undefined || own > best.score || (own === best.score && key > best.key))
        best = { score: own, key, value };
    }
    if (best === undefined) return [];
    const last = ranges.at(-1);
    if (last?.value === best.value) last.last = slot;
    else ranges.push({ first: slot, last: slot, value: best.value });
  }
  return ranges;
}
