/**
 * A watch: the current objects, then every change, in order, each once. It is an RxJS Observable and an
 * AsyncIterable. Each subscriber goes along the change feed at its own pace; one that is too slow, or comes back too
 * late, is told of its gap and given the present again, never silently less.
 */

import { Observable, type Subscriber } from 'rxjs';
import type { Actor } from '../events/event.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import type { Change, ObjectByKind, ObjectKind } from '../state/change.ts';
import type { ChangeFeed, FeedEntry } from '../state/change-feed.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { type WatchFilter, WatchMatcher } from './watch-filter.ts';

/** Options of {@link Watch}. */
export interface WatchOptions<K extends ObjectKind = ObjectKind> extends WatchFilter<K> {
  /**
   * Go on after this index, without the current objects. The index of the last event that was seen. When the feed
   * does not reach back so far, a `gap` and the current objects come first.
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
export class Watch<K extends ObjectKind = ObjectKind>
  extends Observable<WatchEvent<K>>
  implements AsyncIterable<WatchEvent<K>>
{
  readonly #feed: ChangeFeed;
  readonly #options: WatchOptions<K>;
  readonly #lifetime: Lifetime;

  /** @param lifetime - ends when the cluster closes, which ends every watch. */
  constructor(feed: ChangeFeed, options: WatchOptions<K>, lifetime: Lifetime) {
    super((subscriber) => this.#push(subscriber));
    this.#feed = feed;
    this.#options = options;
    this.#lifetime = lifetime;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WatchEvent<K>, undefined, undefined> {
    const cursor = new WatchCursor<K>(this.#feed, this.#options);
    const wake = new WakeUp();
    const stop = this.#feed.onAdvance(() => wake.now());
    const stopEnding = this.#onEnd(() => wake.now());
    try {
      while (!this.#over) {
        const event = cursor.next();
        if (event) yield event;
        else await wake.wait();
      }
      return undefined;
    } finally {
      stop();
      stopEnding();
    }
  }

  #push(subscriber: Subscriber<WatchEvent<K>>): () => void {
    const cursor = new WatchCursor<K>(this.#feed, this.#options);
    let queued = false;
    const drain = () => {
      queued = false;
      for (let event = cursor.next(); event && !subscriber.closed; event = cursor.next())
        subscriber.next(event);
    };
    // Subscribers run after the commit, not inside it: what they do must not hold up or break the log.
    const advance = () => {
      if (queued) return;
      queued = true;
      queueMicrotask(drain);
    };
    const stop = this.#feed.onAdvance(advance);
    const stopEnding = this.#onEnd(() => subscriber.complete());
    advance();
    return () => {
      stop();
      stopEnding();
    };
  }

  get #over(): boolean {
    return this.#lifetime.ended !== undefined || this.#options.signal?.aborted === true;
  }

  /** Calls back when the reader's signal aborts or the cluster closes. */
  #onEnd(listener: () => void): () => void {
    const { signal } = this.#options;
    if (signal?.aborted) listener();
    else signal?.addEventListener('abort', listener, { once: true });
    const stopLiving = this.#lifetime.onEnd(listener);
    return () => {
      signal?.removeEventListener('abort', listener);
      stopLiving();
    };
  }
}

/** Where one reader is. Gives the next event, or nothing for now. */
class WatchCursor<K extends ObjectKind> {
  readonly #feed: ChangeFeed;
  readonly #matcher: WatchMatcher;
  /** The last index of which everything was told. */
  #index: number;
  #events: Iterator<WatchEvent<K>> | undefined;

  constructor(feed: ChangeFeed, options: WatchOptions<K>) {
    this.#feed = feed;
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
    if (!entry) {
      this.#index = state.index;
      return this.#present(state, after);
    }
    this.#index = after + 1;
    return this.#changes(entry);
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

/** Lets one waiter sleep until something happened, without missing what happened while it was awake. */
class WakeUp {
  #happened = false;
  #resolve: (() => void) | undefined;

  now(): void {
    this.#happened = true;
    this.#resolve?.();
  }

  async wait(): Promise<void> {
    if (!this.#happened) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#happened = false;
    this.#resolve = undefined;
  }
}
