/** Waiting for something to happen without polling hot: many triggers, one waiter, none lost in between. */

import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from './core-types.ts';

/** Wakes one waiter, now or when it next waits. */
export class Wakeup {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #pending = false;
  #waiter: (() => void) | undefined;
  readonly #watchers: FSWatcher[] = [];
  readonly #onAbort = () => this.wake();

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  /** A trigger: ends the present or the next wait. */
  readonly wake = (): void => {
    this.#pending = true;
    this.#waiter?.();
  };

  /**
   * Lets changes of the named files in a directory wake. Where the system has no watches left, or does not tell
   * names, the poll alone must do.
   */
  watchFiles(directory: string, names: readonly string[]): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name !== null && names.includes(name)) this.wake();
      });
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // The poll alone, then.
    }
  }

  /**
   * Resolves at the next trigger, at the latest after `pollMs`.
   *
   * @throws the signal's reason once it has aborted.
   */
  async wait(pollMs: number): Promise<void> {
    this.#signal.throwIfAborted();
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.setTimer(pollMs, resolve);
        this.#waiter = () => {
          cancel();
          resolve();
        };
      });
      this.#waiter = undefined;
    }
    this.#pending = false;
    this.#signal.throwIfAborted();
  }

  /** Lets go of all triggers. */
  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#waiter?.();
  }
}
