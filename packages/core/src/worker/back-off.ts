/** How long to wait before the next attempt: twice as long each time, up to a limit. */

import type { Random } from '../runtime/random.ts';

/** One row of failures. */
export class BackOff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: Random | undefined;
  #failures = 0;

  /**
   * @param options.random Given, each wait is drawn between zero and its full length ("full jitter", M. Brooker,
   *   AWS Architecture Blog 2015), so that many that failed together do not come back together.
   */
  constructor(options: { readonly firstMs: number; readonly maxMs: number; readonly random?: Random }) {
    this.#firstMs = options.firstMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random;
  }

  /** Counts a failure; how long to wait after it, in whole milliseconds. */
  next(): number {
    const fullMs = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return this.#random ? Math.ceil(fullMs * this.#random.next()) : fullMs;
  }

  /** The row of failures has ended. */
  reset(): void {
    this.#failures = 0;
  }
}
