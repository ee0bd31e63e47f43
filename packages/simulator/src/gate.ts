/** A process that can be made to stand still: its door to time and to everybody else, which can be shut for a while. */

import type { CancelTimer, Clock } from '@skep/core';

/**
 * The door of one process. While it is shut, the process stands still, as in a long collection of garbage or in a
 * stopped container: time goes on without it, and what was due or has arrived meanwhile comes when it goes on, in order.
 */
export class Gate implements Clock {
  readonly #clock: Clock;
  #held: (() => void)[] = [];
  #isShut = false;

  /** @param clock - the time outside. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isShut(): boolean {
    return this.#isShut;
  }

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
    // One after the other, each in a turn of its own: what the first does, the next finds done.
    for (const enter of this.#held.splice(0)) this.#clock.setTimer(0, () => this.pass(enter));
  }

  /** Has this happen inside: now, or when the process goes on. */
  pass(enter: () => void): void {
    if (this.#isShut) this.#held.push(enter);
    else enter();
  }

  /** The result, as it is seen from inside. */
  async result<T>(outside: Promise<T>): Promise<T> {
    const passed = new Promise<void>((resolve) => {
      const enter = () => this.pass(resolve);
      outside.then(enter, enter);
    });
    await passed;
    return outside;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    return this.#cancellable(callback, (enter) => this.#clock.setTimer(delayMs, enter));
  }

  defer(callback: () => void): CancelTimer {
    return this.#cancellable(callback, (enter) => this.#clock.defer(enter));
  }

  /** What was cancelled while it waited at the door does not happen either. */
  #cancellable(callback: () => void, begin: (enter: () => void) => CancelTimer): CancelTimer {
    let isCancelled = false;
    const cancel = begin(() =>
      this.pass(() => {
        if (!isCancelled) callback();
      }),
    );
    return () => {
      isCancelled = true;
      cancel();
    };
  }
}

/** The doors of all processes, by their names. A process that starts again has the door of before. */
export class Gates {
  readonly #clock: Clock;
  readonly #gates = new Map<string, Gate>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(name: string): Gate {
    const known = this.#gates.get(name);
    if (known !== undefined) return known;
    const gate = new Gate(this.#clock);
    this.#gates.set(name, gate);
    return gate;
  }
}
