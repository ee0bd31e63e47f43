/** How long a step of a task is tried against an engine that is away or in trouble, before the task is given up. */

import { type DriverContext, DriverError } from '@skep/core/driver';
import { toDriverError, toEngineError } from './engine-error.ts';
import { ATTEMPTS, AWAY_MS, type DockerDriverOptions } from './options.ts';

/** Counts the failures of one task. */
export class Patience {
  readonly #clock: DriverContext['clock'];
  readonly #awayMs: number;
  readonly #attempts: number;
  #silentSince: number | undefined;
  #failures = 0;

  constructor(clock: DriverContext['clock'], { awayMs = AWAY_MS, attempts = ATTEMPTS }: DockerDriverOptions) {
    this.#clock = clock;
    this.#awayMs = awayMs;
    this.#attempts = attempts;
  }

  /** A step succeeded. */
  reset(): void {
    this.#silentSince = undefined;
    this.#failures = 0;
  }

  /** A step failed: what to throw, temporary as long as another attempt is worth it. */
  judge(error: unknown, what: string): DriverError {
    const told = toDriverError(error, what);
    if (!told.temporary) return told;
    if (toEngineError(told.cause ?? error, what).isSilence) {
      const now = this.#clock.monotonic();
      this.#silentSince ??= now;
      const isLong = now - this.#silentSince >= this.#awayMs;
      return isLong ? final(told, `given up after ${this.#awayMs / 1000} s`) : told;
    }
    this.#failures += 1;
    return this.#failures >= this.#attempts ? final(told, `given up after ${this.#failures} attempts`) : told;
  }
}

function final(error: DriverError, why: string): DriverError {
  return new DriverError(`${error.message} (${why})`, { cause: error.cause, about: error.about });
}
