/**
 * A watch: the current objects, then every change, in order, each once. It is an RxJS Observable and an
 * AsyncIterable. Each subscriber goes along the change feed at its own pace; one that is too slow for it, or comes
 * back too late, goes on through the history. What is not kept there either is told as a gap, with the present behind
 * it: never silently less.
 */

import { InvalidSpecError, type SpecIssue } from '../errors.ts';
import type { Actor } from '../events/event.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import type { Change, ObjectByKind, ObjectKind } from '../state/change.ts';
import type { ChangeFeed, FeedEntry } from '../state/change-feed.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { type Cursor, LiveStream } from './live-stream.ts';
import { type FeedArchive, PastChanges, type Taken } from './past-changes.ts';
import { OBJECT_KINDS, type WatchFilter, WatchMatcher } from './watch-filter.ts';

/** Options of {@link Watch}. */
export interface WatchOptions<K extends ObjectKind = ObjectKind> extends WatchFilter<K> {
  /**
   * Go on after this index, without the current objects. The index of the last event that was seen. As far back as the
   * history goes, nothing is missed; what is not kept any more is told as a `gap`, with the current objects behind it.
   * What comes out of the history is without sealed credentials.
   */
  readonly from?: number;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

interface Provenance {
  /** Index of the transaction. */
  readonly index: number;
  /** When it was committed, by the leader's clock; milliseconds since 1970. */
  readonly at: number;
  readonly actor: Actor;
  /** Index of the transaction that led to it. */
  readonly cause?: number;
}

/** What a watch tells. */
export type WatchEvent<K extends ObjectKind = ObjectKind> = K extends ObjectKind
  ?
      | {
          /** An object as it is now. Comes before `synced`. */
          readonly type: 'current';
          readonly kind: K;
          readonly object: ObjectByKind[K];
          readonly index: number;
        }
      | ({ readonly type: 'created'; readonly kind: K; readonly object: ObjectByKind[K] } & Provenance)
      | ({
          readonly type: 'updated';
          readonly kind: K;
          readonly object: ObjectByKind[K];
          readonly before: ObjectByKind[K];
        } & Provenance)
      /** `object` is what it was last. */
      | ({ readonly type: 'removed'; readonly kind: K; readonly object: ObjectByKind[K] } & Provenance)
      /** All current objects have been told: from here on come changes. */
      | { readonly type: 'synced'; readonly index: number }
      /** Changes after `after` up to `index` were missed; the current objects follow. */
      | { readonly type: 'gap'; readonly after: number; readonly index: number }
  : never;

/** A stream of the cluster's changes. Cold: each subscriber and each loop begins for itself. */
export class Watch<K extends ObjectKind = ObjectKind> extends LiveStream<WatchEvent<K>> {
  /**
   * @param lifetime - ends when the cluster closes, which ends every watch.
   * @param archive - has what the feed has forgotten. Default: nothing has.
   * @throws InvalidSpecError for a kind that there is not, or an index that is no whole number.
   */
  constructor(feed: ChangeFeed, options: WatchOptions<K>, lifetime: Lifetime, archive?: FeedArchive) {
    checkOptions(options);
    super({
      open: (wake) => new WatchCursor<K>(feed, options, wake, archive),
      onAdvance: (listener) => feed.onAdvance(listener),
      lifetime,
      signal: options.signal,
    });
  }
}

function checkOptions({ kind, from }: WatchOptions): void {
  const issues: SpecIssue[] = [];
  if (kind !== undefined && !OBJECT_KINDS.includes(kind)) {
    issues.push({ field: 'kind', rule: `must be one of ${OBJECT_KINDS.join(', ')}` });
  }
  if (from !== undefined && !(Number.isSafeInteger(from) && from >= 0)) {
    issues.push({ field: 'from', rule: 'must be the index of an event, a whole number' });
  }
  if (issues.length > 0) throw new InvalidSpecError(issues);
}

/** Where one reader is. Gives the next event, or nothing for now. */
class WatchCursor<K extends ObjectKind> implements Cursor<WatchEvent<K>> {
  readonly #feed: ChangeFeed;
  readonly #matcher: WatchMatcher;
  /** The last index of which everything was told. */
  #index: number;
  #events: Iterator<WatchEvent<K>> | undefined;
  readonly #archive: FeedArchive | undefined;
  readonly #wake: () => void;
  /** What the feed does not have any more, while that is gone along. */
  #past: PastChanges | undefined;
  #isNamed = false;

  constructor(
    feed: ChangeFeed,
    options: WatchOptions<K>,
    wake: () => void,
    archive: FeedArchive | undefined,
  ) {
    this.#feed = feed;
    this.#wake = wake;
    this.#archive = archive;
    this.#matcher = new WatchMatcher(options);
    const { from } = options;
    if (from === undefined) {
      this.#index = feed.state.index;
      this.#events = this.#present(feed.state, undefined);
    } else {
      this.#index = from;
      // The names as they were then: a service that is gone by now may have been changed before it went.
      this.#matcher.learnFrom(feed.at(from + 1)?.state ?? feed.state);
    }
  }

  next(): WatchEvent<K> | undefined {
    for (;;) {
      const event = this.#events?.next();
      if (event && !event.done) return event.value;
      this.#events = this.#advance();
      if (!this.#events) return undefined;
    }
  }

  #advance(): Iterator<WatchEvent<K>> | undefined {
    const { state } = this.#feed;
    if (this.#index === state.index) return undefined;
    const after = this.#index;
    const entry = this.#feed.at(after + 1);
    if (entry) {
      this.#past = undefined;
      this.#index = after + 1;
      return this.#changes(entry);
    }
    const past = this.#takePast(after);
    if (past === 'coming') return undefined;
    if (past !== 'over') {
      this.#learnOnce(past);
      this.#index = after + 1;
      return this.#changes(past);
    }
    this.#past = undefined;
    this.#index = state.index;
    return this.#present(state, after);
  }

  /** The names as they were where the past began. What came of them since, the changes tell. */
  #learnOnce({ state }: FeedEntry): void {
    if (this.#isNamed) return;
    this.#isNamed = true;
    this.#matcher.learnFrom(state);
  }

  #takePast(after: number): Taken {
    if (!this.#archive) return 'over';
    this.#past ??= new PastChanges(this.#archive, after, this.#wake);
    return this.#past.take();
  }

  /** The state is one that was taken when the cursor was set to it: by the time this runs, there may be a newer. */
  *#present(
    state: ClusterState,
    gapAfter: number | undefined,
  ): Generator<WatchEvent<K>, undefined, undefined> {
    const { index } = state;
    if (gapAfter !== undefined) yield { type: 'gap', after: gapAfter, index } as WatchEvent<K>;
    for (const { kind, object } of this.#matcher.current(state)) {
      yield { type: 'current', kind, object, index } as WatchEvent<K>;
    }
    yield { type: 'synced', index } as WatchEvent<K>;
  }

  *#changes({ changes }: FeedEntry): Generator<WatchEvent<K>, undefined, undefined> {
    this.#matcher.learnFromChanges(changes);
    const provenance: Provenance = {
      index: changes.index,
      at: changes.at,
      actor: changes.actor,
      ...(changes.cause === undefined ? {} : { cause: changes.cause }),
    };
    for (const change of changes.changes) {
      const event = this.#event(change, provenance);
      if (event) yield event as WatchEvent<K>;
    }
  }

  #event(change: Change, provenance: Provenance): WatchEvent | undefined {
    const { kind, before, after } = change;
    const object = after ?? before;
    // An object that no longer passes was seen as passing, so its reader must hear of that change too.
    const passes =
      object && (this.#matcher.matches(kind, object) || (before && this.#matcher.matches(kind, before)));
    if (!passes) return undefined;
    if (!after) return { type: 'removed', kind, object, ...provenance } as WatchEvent;
    if (!before) return { type: 'created', kind, object, ...provenance } as WatchEvent;
    return { type: 'updated', kind, object, before, ...provenance } as WatchEvent;
  }
}
