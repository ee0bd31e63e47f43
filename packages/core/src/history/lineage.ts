/**
 * Whether what a store keeps is the past of the cluster that the log tells of. A log can be replaced beside it: by a
 * backup, by another cluster's. Told by the id of the cluster; by a log that ends before the history does; and by the
 * time of a transaction that both have.
 */

import type { ClusterState } from '../state/cluster-state.ts';
import type { HistoryStore, Moment } from './history-store.ts';

/** How it is seen that what is kept is another past. */
export type HistoryMismatch =
  /** It is of another cluster. */
  | { readonly reason: 'other-cluster'; readonly kept: string; readonly present: string }
  /** The log, which is all there is, ends before the history does. */
  | { readonly reason: 'log-ends-before'; readonly kept: number; readonly present: number }
  /** Another transaction has this index. */
  | { readonly reason: 'other-transaction'; readonly index: number };

/** Looks at one store, from its opening on. */
export class Lineage {
  readonly #store: HistoryStore;
  /** The last moment that the store held when it was opened. */
  readonly #last: Moment | undefined;
  #isFirstCompared = false;

  constructor(store: HistoryStore, last: Moment | undefined) {
    this.#store = store;
    this.#last = last;
  }

  /** What speaks against the store by the cluster's id, if anything. */
  ofCluster({ cluster }: ClusterState): HistoryMismatch | undefined {
    const { owner } = this.#store;
    if (cluster === undefined || owner === undefined || owner === cluster.id) return undefined;
    return { reason: 'other-cluster', kept: owner, present: cluster.id };
  }

  /** What speaks against it by where a log ends that has given all that it has. */
  ofEnd({ index }: ClusterState): HistoryMismatch | undefined {
    const kept = this.#last?.index ?? 0;
    return index < kept ? { reason: 'log-ends-before', kept, present: index } : undefined;
  }

  /**
   * Whether a transaction that the log has given is worth {@link ofTransaction}. Where the log takes another way, all
   * behind that is other: so the first that both have is, which a log that was set back goes on with, and the last.
   */
  isToCompare({ index }: Moment): boolean {
    const last = this.#last?.index ?? 0;
    const isFirst = !this.#isFirstCompared && index < last;
    this.#isFirstCompared ||= isFirst;
    return isFirst || index === last;
  }

  /** What speaks against it by a transaction of the log. @throws what reading the store does */
  async ofTransaction({ index, at }: Moment): Promise<HistoryMismatch | undefined> {
    const segment = this.#store.segments.find(({ first, last }) => first <= index && index <= last);
    const blocks = (await segment?.blocks()) ?? [];
    const block = blocks.find(({ first, last }) => first <= index && index <= last);
    const kept = (await block?.read())?.find((record) => record.index === index);
    return kept === undefined || kept.at === at ? undefined : { reason: 'other-transaction', index };
  }
}
