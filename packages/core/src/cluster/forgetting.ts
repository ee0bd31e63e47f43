/**
 * Makes the log forget removed secrets: a snapshot without them, and no entry that held them. It follows the commits,
 * also those that are replayed at the start, so that what a dying process left undone is done by the next one.
 */

import { UnavailableError } from '../errors.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import type { Logger } from '../runtime/logger.ts';

/** Between two attempts to compact. Doubles up to the most. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;

/** What forgetting works with. */
export interface ForgettingParts {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lifetime: Lifetime;
}

/** Keeps the log from remembering what was removed. */
export class Forgetting {
  readonly #parts: ForgettingParts;
  #started = false;
  /** Something was removed since the last compaction began. */
  #due = false;
  #attempt: Promise<void> = Promise.resolve();
  #retryMs = RETRY_MS;

  constructor(parts: ForgettingParts) {
    this.#parts = parts;
  }

  /** A committed transaction dropped a value. */
  note(): void {
    if (this.#due) return;
    this.#due = true;
    if (this.#started) this.#begin();
  }

  /** The log is open and takes snapshots: from here on, what is noted is done. */
  start(): void {
    this.#started = true;
    if (this.#due) this.#begin();
  }

  /**
   * Resolves once all that was noted is gone from the log.
   *
   * @throws UnavailableError when the attempt failed; it is made again, with back-off.
   */
  done(): Promise<void> {
    return this.#attempt;
  }

  #begin(): void {
    // One after the other: a compaction that runs already may have begun before the last removal.
    const attempt = this.#attempt.catch(() => {}).then(() => this.#compact());
    this.#attempt = attempt;
    attempt.catch(() => {});
  }

  async #compact(): Promise<void> {
    const { log, logger, clock, lifetime } = this.#parts;
    this.#due = false;
    try {
      await log.checkpoint({ discard: true });
      this.#retryMs = RETRY_MS;
    } catch (error) {
      this.#due = true;
      if (lifetime.ended) return;
      logger.error({ error }, 'could not compact the log after a secret was removed; trying again');
      const cancel = clock.setTimer(this.#retryMs, () => this.#due && this.#begin());
      lifetime.onEnd(cancel);
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
      throw new UnavailableError(
        'not-compacted',
        'it was removed, but its value is still in the log on disk, which could not be compacted; this is tried again',
        { cause: error },
      );
    }
  }
}
