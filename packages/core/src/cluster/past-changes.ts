/**
 * Change sets that the feed has forgotten, out of the history, for one reader that can't wait: it takes what has come,
 * or hears that something has.
 */

import type { FeedEntry } from '../state/change-feed.ts';

/** Where what the feed has forgotten may still be had. */
export interface FeedArchive {
  /** What was committed behind an index, in order; ends or throws where it is not known. */
  after(index: number): AsyncIterator<FeedEntry>;
}

/** What can be taken now: the next change set; nothing yet; or nothing any more. */
export type Taken = FeedEntry | 'coming' | 'over';

/** Goes along the history from one index on. */
export class PastChanges {
  readonly #entries: AsyncIterator<FeedEntry>;
  readonly #wake: () => void;
  #next: Taken | undefined;

  /** @param wake - called when there is something to take. */
  constructor(archive: FeedArchive, after: number, wake: () => void) {
    this.#entries = archive.after(after);
    this.#wake = wake;
  }

  take(): Taken {
    const next = this.#next;
    if (next === undefined) {
      this.#next = 'coming';
      this.#entries.next().then(
        ({ done, value }) => this.#come(done ? 'over' : value),
        // Whatever the reason: it can't be had, and the reader is told so by its gap.
        () => this.#come('over'),
      );
      return 'coming';
    }
    if (typeof next === 'object') this.#next = undefined;
    return next;
  }

  #come(taken: Taken): void {
    this.#next = taken;
    this.#wake();
  }
}
