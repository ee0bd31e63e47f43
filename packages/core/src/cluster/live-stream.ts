/**
 * A stream of values that a cluster's commits bring about, as an RxJS Observable and as an AsyncIterable. Each
 * subscriber and each loop begins for itself, with a cursor of its own that it goes along at its own pace: nothing is
 * queued for anyone.
 */

import { Observable, type Subscriber } from 'rxjs';
import type { Lifetime } from '../runtime/lifetime.ts';
import { afterThis } from '../runtime/microtask.ts';
import type { AdvanceListener } from '../state/change-feed.ts';

/** Where one reader is. */
export interface Cursor<T> {
  /** The next value, or nothing for now. */
  next(): T | undefined;
}

/** What a live stream is made of. */
export interface LiveStreamParts<T> {
  /** Begins for one reader. `wake` is called when the cursor has more, beside what {@link onAdvance} tells. */
  readonly open: (wake: () => void) => Cursor<T>;
  /** Calls back when a cursor may have more. Returns the way to stop. */
  readonly onAdvance: (listener: AdvanceListener) => () => void;
  /** Ends the stream when the cluster closes. */
  readonly lifetime: Lifetime;
  /** Ends it when the reader says so. */
  readonly signal?: AbortSignal | undefined;
}

/** A cold, live stream. */
export class LiveStream<T> extends Observable<T> implements AsyncIterable<T> {
  readonly #parts: LiveStreamParts<T>;

  constructor(parts: LiveStreamParts<T>) {
    super((subscriber) => this.#push(subscriber));
    this.#parts = parts;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined, undefined> {
    let wake = () => {};
    const cursor = this.#parts.open(() => wake());
    let over = false;
    const stopListening = this.#parts.onAdvance(() => wake());
    const end = () => {
      over = true;
      stopListening();
      stopEnding();
      wake();
    };
    const stopEnding = this.#onEnd(() => end());
    if (this.#over) end();
    const step = async (): Promise<IteratorResult<T, undefined>> => {
      for (;;) {
        if (over) return { done: true, value: undefined };
        const value = cursor.next();
        if (value !== undefined) return { done: false, value };
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    let last: Promise<unknown> = Promise.resolve();
    return {
      next: () => {
        const next = last.then(step);
        last = next;
        return next;
      },
      // Ends at once, also while a value is awaited: a generator would wait for that value first.
      return: async () => {
        end();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #push(subscriber: Subscriber<T>): () => void {
    let queued = false;
    const drain = () => {
      queued = false;
      for (let value = cursor.next(); value !== undefined && !subscriber.closed; value = cursor.next()) {
        subscriber.next(value);
      }
    };
    // Subscribers run after the commit, not inside it: what they do must not hold up or break the log.
    const advance = () => {
      if (queued) return;
      queued = true;
      afterThis(drain);
    };
    const cursor = this.#parts.open(advance);
    const stopListening = this.#parts.onAdvance(advance);
    const stopEnding = this.#onEnd(() => subscriber.complete());
    advance();
    return () => {
      stopListening();
      stopEnding();
    };
  }

  get #over(): boolean {
    return this.#parts.lifetime.ended !== undefined || this.#parts.signal?.aborted === true;
  }

  /** Calls back when the reader's signal aborts or the cluster closes. */
  #onEnd(listener: () => void): () => void {
    const { signal, lifetime } = this.#parts;
    if (signal?.aborted) {
      afterThis(listener);
      return () => {};
    }
    signal?.addEventListener('abort', listener, { once: true });
    const stopLiving = lifetime.ended ? () => {} : lifetime.onEnd(listener);
    if (lifetime.ended) afterThis(listener);
    return () => {
      signal?.removeEventListener('abort', listener);
      stopLiving();
    };
  }
}
