/**
 * States of the past. Each is made from the nearest state before it that is to be had, by applying what happened
 * since. States share what did not change, so that some of those that were passed on the way are kept: going on to
 * the next event, or back to the last one, costs that event alone.
 */

import { decodeTransaction } from '../events/codec.ts';
import { type Clock, yieldTurn } from '../runtime/clock.ts';
import { ClusterState } from '../state/cluster-state.ts';
import { evolveDraft } from '../state/evolve/evolve.ts';
import { restoreSnapshot } from '../state/snapshot.ts';
import { StateDraft } from '../state/state-draft.ts';
import { holding, type Needle } from './contains-text.ts';
import type {
  CheckpointContents,
  HistoryRecord,
  HistoryStore,
  Moment,
  StoredBlock,
} from './history-store.ts';
import { type Route, segmentsBetween } from './kept-range.ts';

/** States kept, the last used of them. */
const STATES_MAX = 48;

/** On the way through many events, a state is kept after so many. */
const WAYPOINT_EVENTS = 1_000;

/** Blocks whose records are kept, the last used of them. */
const BLOCKS_MAX = 16;

/** Work goes on for so long before others have their turn. */
const SLICE_MS = 8;

/** The clock is looked at after so many events. */
const EVENTS_BETWEEN_LOOKS = 32;

/** Gives states of the past of one store. */
export class PastStates {
  readonly #store: HistoryStore;
  readonly #clock: Clock;
  readonly #states = new RecentlyUsed<number, ClusterState>(STATES_MAX);
  readonly #blocks = new RecentlyUsed<number, readonly HistoryRecord[]>(BLOCKS_MAX);
  #last: Promise<unknown> = Promise.resolve();
  #sliceBegan = 0;

  constructor(store: HistoryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The state at `index`, to which `route` leads. One is made at a time, so that the next can start from it. */
  at(index: number, route: Route, signal?: AbortSignal): Promise<ClusterState> {
    const made = this.#last.then(() => this.#make(index, route, signal));
    this.#last = made.catch(() => {});
    return made;
  }

  /** Forgets what it made: the store holds another past now. */
  forget(): void {
    this.#states.clear();
    this.#blocks.clear();
  }

  /** The records of a block. */
  async read(block: StoredBlock): Promise<readonly HistoryRecord[]> {
    const known = this.#known(block);
    if (known) return known;
    const records = await block.read();
    this.#blocks.set(block.first, records);
    return records;
  }

  /** The records of a block that hold one of these texts; of all, without any. */
  async holding(
    block: StoredBlock,
    needles: readonly Needle[] | undefined,
  ): Promise<readonly HistoryRecord[]> {
    if (!needles) return this.read(block);
    const known = this.#known(block);
    return known ? holding(known, needles) : block.holding(needles);
  }

  /** A block that grew since is not what it was. */
  #known({ first, last }: StoredBlock): readonly HistoryRecord[] | undefined {
    const records = this.#blocks.get(first);
    return records?.length === last - first + 1 ? records : undefined;
  }

  async #make(index: number, route: Route, signal: AbortSignal | undefined): Promise<ClusterState> {
    signal?.throwIfAborted();
    this.#sliceBegan = this.#clock.monotonic();
    let state = await this.#nearest(index, route);
    if (state.index === index) return state;
    let draft = new StateDraft(state);
    let passed: Moment = state;
    for await (const block of this.#blocksBetween(state.index, index)) {
      for (const record of await this.read(block)) {
        if (record.index <= passed.index) continue;
        evolveDraft(draft, decodeTransaction(record.payload));
        draft.changes.length = 0;
        passed = record;
        if (record.index === index) break;
        if (record.index % WAYPOINT_EVENTS === 0) {
          state = draft.seal(record.index, record.at);
          this.#states.set(record.index, state);
          draft = new StateDraft(state);
        }
        if (record.index % EVENTS_BETWEEN_LOOKS === 0) await this.#pause(signal);
      }
    }
    if (passed.index !== index)
      throw new Error(`the history has no event behind ${passed.index}, which it had`);
    state = draft.seal(index, passed.at);
    this.#states.set(index, state);
    return state;
  }

  /** The newest state at or before `index` that is kept in memory or in the store. */
  async #nearest(index: number, { checkpoint, unbrokenFrom }: Route): Promise<ClusterState> {
    const start = Math.max(unbrokenFrom, checkpoint?.index ?? 0);
    let best: number | undefined;
    for (const at of this.#states.keys()) {
      if (at <= index && at >= start && at > (best ?? -1)) best = at;
    }
    const known = best === undefined ? undefined : this.#states.get(best);
    if (known) return known;
    if (!checkpoint) return ClusterState.empty;
    const state = await this.#restore(await checkpoint.load());
    this.#states.set(checkpoint.index, state);
    return state;
  }

  async #restore(contents: CheckpointContents): Promise<ClusterState> {
    return contents.kind === 'state' ? contents.state : restoreSnapshot(this.#inSlices(contents.chunks));
  }

  async *#inSlices<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    for await (const item of items) {
      yield item;
      await this.#pause(undefined);
    }
  }

  async *#blocksBetween(after: number, upTo: number): AsyncGenerator<StoredBlock, void, undefined> {
    for (const segment of segmentsBetween(this.#store, after, upTo)) {
      for (const block of await segment.blocks()) if (block.last > after && block.first <= upTo) yield block;
    }
  }

  async #pause(signal: AbortSignal | undefined): Promise<void> {
    if (this.#clock.monotonic() - this.#sliceBegan < SLICE_MS) return;
    await yieldTurn(this.#clock);
    this.#sliceBegan = this.#clock.monotonic();
    signal?.throwIfAborted();
  }
}

/** A map that drops what was not used for longest. */
class RecentlyUsed<K, V> {
  readonly #most: number;
  readonly #values = new Map<K, V>();

  constructor(most: number) {
    this.#most = most;
  }

  clear(): void {
    this.#values.clear();
  }

  keys(): Iterable<K> {
    return this.#values.keys();
  }

  get(key: K): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#most) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      return;
    }
  }
}
