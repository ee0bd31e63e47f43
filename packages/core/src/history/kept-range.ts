/** What of the past a store can give: where its stretches without a hole begin, and what lies around a moment. */

import type { HistorySegment, HistoryStore, Moment, StoredCheckpoint } from './history-store.ts';

/** A way to a state: where to begin, and the segments to go through. */
export interface Route {
  /** The checkpoint to begin at; undefined for the empty state before the first transaction. */
  readonly checkpoint: StoredCheckpoint | undefined;
  /** The first index from which on nothing is missing up to the goal. */
  readonly unbrokenFrom: number;
}

/**
 * The way to the state at `index`, from the nearest checkpoint before it.
 *
 * @returns undefined when it is not kept.
 */
export function routeTo(store: HistoryStore, index: number): Route | undefined {
  const { segments, checkpoints } = store;
  let unbrokenFrom = index;
  let at = segments.findLastIndex(({ first }) => first <= index);
  for (let segment = segments[at]; segment && segment.last >= unbrokenFrom; segment = segments[--at]) {
    unbrokenFrom = segment.first - 1;
  }
  const checkpoint = checkpoints.findLast((kept) => kept.index <= index);
  if (checkpoint && checkpoint.index >= unbrokenFrom) return { checkpoint, unbrokenFrom };
  return unbrokenFrom === 0 ? { checkpoint: undefined, unbrokenFrom } : undefined;
}

/** The first moment behind `index`, or that very one, whose state is kept. */
export function nextKept(store: HistoryStore, index: number): Moment | undefined {
  const { segments, checkpoints } = store;
  const first = segments[0];
  if (first?.first === 1 && index <= 1) return { index: 1, at: first.oldestAt };
  const checkpoint = checkpoints.find((kept) => kept.index >= index);
  return checkpoint && { index: checkpoint.index, at: checkpoint.at };
}

/** The oldest moment whose state is kept. */
export function oldestKept(store: HistoryStore): Moment | undefined {
  return nextKept(store, 0);
}

/** The segments with records behind `after`, up to `upTo`. */
export function segmentsBetween(store: HistoryStore, after: number, upTo: number): HistorySegment[] {
  return store.segments.filter(({ first, last }) => last > after && first <= upTo);
}

/** The newest transaction whose time is not after `date`: times of different leaders need not grow. */
export async function indexAtDate(store: HistoryStore, date: number): Promise<number | undefined> {
  for (const segment of store.segments.toReversed()) {
    if (segment.oldestAt > date) continue;
    for (const block of (await segment.blocks()).toReversed()) {
      if (block.oldestAt > date) continue;
      const found = (await block.read()).findLast(({ at }) => at <= date);
      if (found) return found.index;
    }
  }
  return store.checkpoints.findLast(({ at }) => at <= date)?.index;
}
