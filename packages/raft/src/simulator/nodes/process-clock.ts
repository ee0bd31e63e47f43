/**
 * The clock of one member: runs at a speed of its own, stands still and leaps as misfortune has it, and never goes back.
 * Timers follow it, and die with the process that set them.
 */

import type { CancelTimer, RaftClock } from '../../node/ports.ts';

/** What a clock stands in. */
export interface ClockHost {
  /** True time, in ms. */
  now(): number;
  /** Lets something happen to the present process after so much true time, when it is awake, unless it dies before. */
  plan(delay: number, happen: () => void): void;
}

/** One member's clock, kept over its processes, as a machine's is. */
export class ProcessClock implements RaftClock {
  readonly #host: ClockHost;
  readonly #rate: number;
  #local = 0;
  #since = 0;

  /** @param rate - its seconds in a true second. */
  constructor(host: ClockHost, rate: number) {
    this.#host = host;
    this.#rate = rate;
  }

  monotonic(): number {
    return this.#local + Math.max(0, this.#host.now() - this.#since) * this.#rate;
  }

  /** It stands still for so long, in true time, while the process goes on. */
  stop(duration: number): void {
    this.#local = this.monotonic();
    this.#since = Math.max(this.#since, this.#host.now() + duration);
  }

  /** It goes on from where it stands. */
  go(): void {
    this.#since = Math.min(this.#since, this.#host.now());
  }

  /** It leaps ahead, in its own time. */
  leap(by: number): void {
    this.#local += by;
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    const due = this.monotonic() + delayMs;
    let isCancelled = false;
    const wait = () => {
      const late = Math.max(0, this.#since - this.#host.now());
      this.#host.plan(late + (due - this.monotonic()) / this.#rate, () => {
        if (isCancelled) return;
        // It stood still meanwhile.
        if (this.monotonic() < due - 1e-6) wait();
        else callback();
      });
    };
    wait();
    return () => {
      isCancelled = true;
    };
  }

  defer(callback: () => void): CancelTimer {
    return this.setTimer(0, callback);
  }
}
