/**
 * Counts time for a node: a timer that is set anew each time, and says how many ticks have passed since it last spoke.
 * A process that was held up is told of all it missed at once.
 */

import type { CancelTimer, RaftClock } from './ports.ts';

/** What a ticker sits between. */
export interface TickerParts {
  readonly clock: RaftClock;
  /** How long a tick is, in ms. */
  readonly tickMs: number;
  /** So many whole ticks have passed, at least one. `now` is the clock's time in ms. */
  readonly onTick: (elapsed: number, now: number) => void;
}

/** Ticks between its start and its stop. */
export class Ticker {
  readonly #parts: TickerParts;
  #cancel: CancelTimer = () => {};
  #tickedAt = 0;
  #isStopped = false;

  constructor(parts: TickerParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, tickMs } = this.#parts;
    this.#tickedAt = clock.monotonic();
    this.#cancel = clock.setTimer(tickMs, () => this.#tick());
  }

  /** Stops for good. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Tells at once of whole ticks that have passed, if any have, and does not wait for the timer. */
  catchUp(): void {
    if (this.#isStopped) return;
    const { clock, tickMs, onTick } = this.#parts;
    const now = clock.monotonic();
    const elapsed = Math.floor((now - this.#tickedAt) / tickMs);
    if (elapsed < 1) return;
    this.#tickedAt += elapsed * tickMs;
    onTick(elapsed, now);
  }

  #tick(): void {
    if (this.#isStopped) return;
    const { clock, tickMs } = this.#parts;
    this.catchUp();
    const left = this.#tickedAt + tickMs - clock.monotonic();
    this.#cancel = clock.setTimer(Math.max(1, left), () => this.#tick());
  }
}
