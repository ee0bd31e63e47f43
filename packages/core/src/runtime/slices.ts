/** Long work in slices: a generator is driven so that others get their turn in between. */

import { type Clock, yieldTurn } from './clock.ts';

/** Milliseconds of work after which others get their turn. */
const SLICE_MS = 8;
/** Steps after which they do under a clock that stands still while work is done. */
const STEPS_PER_SLICE = 64;

/**
 * Runs a generator to its end, a slice at a time and none in the caller's own turn. Each of its steps must be short.
 *
 * @throws the signal's reason once it is aborted, or what the generator throws.
 */
export async function inSlices<R>(
  clock: Clock,
  work: Generator<unknown, R, undefined>,
  signal?: AbortSignal,
): Promise<R> {
  for (;;) {
    await yieldTurn(clock);
    signal?.throwIfAborted();
    const end = clock.monotonic() + SLICE_MS;
    for (let steps = 0; steps < STEPS_PER_SLICE; steps++) {
      const step = work.next();
      if (step.done) return step.value;
      if (clock.monotonic() >= end) break;
    }
  }
}
