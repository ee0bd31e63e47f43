/**
 * Gathers what is asked for in one turn of the event loop into one run at its end. A run is never begun inside another:
 * what is asked for meanwhile gets a run of its own afterwards.
 */

/** Runs the work that it was made for. */
export class Turns {
  readonly #run: () => void;
  #isScheduled = false;
  #isRunning = false;
  #isAskedAgain = false;

  /** @param run - must not throw. */
  constructor(run: () => void) {
    this.#run = run;
  }

  /** There is work: it is done before the next turn of the event loop. */
  ask(): void {
    if (this.#isRunning) this.#isAskedAgain = true;
    if (this.#isScheduled || this.#isRunning) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#isRunning = true;
      this.#run();
      this.#isRunning = false;
      if (!this.#isAskedAgain) return;
      this.#isAskedAgain = false;
      this.ask();
    });
  }
}
