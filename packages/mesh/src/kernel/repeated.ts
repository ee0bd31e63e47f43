/** Work that is done whenever it is asked for, and from time to time: one at a time, and once for all that asked. */

import type { Clock } from '@skep/core';

/** The work. */
export class Repeated {
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #ending = new AbortController();
  #isAsked = false;
  #running: Promise<void> | undefined;
  #cancelTimer = () => {};

  /** @param work - tells its own errors, and does not throw */
  constructor(work: (signal: AbortSignal) => Promise<void>, clock: Clock, everyMs: number) {
    this.#work = work;
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  /** Does it now, or once more after it is done that is under way. */
  now(): void {
    if (this.#ending.signal.aborted) return;
    this.#isAsked = true;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is under way or asked for. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async close(): Promise<void> {
    this.#ending.abort(new Error('closed'));
    this.#cancelTimer();
    await this.idle();
  }

  async #run(): Promise<void> {
    this.#cancelTimer();
    const { signal } = this.#ending;
    while (this.#isAsked && !signal.aborted) {
      this.#isAsked = false;
      await this.#work(signal).catch(() => {});
    }
    this.#running = undefined;
    if (!signal.aborted) this.#cancelTimer = this.#clock.setTimer(this.#everyMs, () => this.now());
  }
}
