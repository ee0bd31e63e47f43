/**
 * The part of leadership that is the same in every log: who listens, and which terms run. It sits between an
 * engine, which knows when an epoch begins and ends, and the work that hangs on it. It never decides who leads,
 * and it never lets two terms of one task overlap.
 */

import type { Epoch, Leadership, LeaderTerm } from './event-log.ts';
import { LogError } from './event-log.ts';

/** Keeps the present leadership, tells listeners of changes and runs the tasks given to `whileLeader`. */
export class LeadershipTerms {
  readonly #onError: (error: unknown, epoch: Epoch) => void;
  readonly #listeners = new Set<(leadership: Leadership) => void>();
  readonly #runners = new Set<TermRunner>();
  #current: Leadership = { role: 'none', epoch: 0 };

  /** @param onError - told when a listener throws, or a term rejects for another reason than its own abort. */
  constructor(onError: (error: unknown, epoch: Epoch) => void) {
    this.#onError = onError;
  }

  /** The leadership of now. */
  get current(): Leadership {
    return this.#current;
  }

  /** The epoch led just now, or undefined when another member leads, or none. */
  get epoch(): Epoch | undefined {
    return this.#current.role === 'leader' ? this.#current.epoch : undefined;
  }

  /**
   * Moves to `next`: first the terms of an ended epoch are aborted, then listeners are told, then terms of the new
   * epoch start, each once its predecessor has settled.
   */
  change(next: Leadership): void {
    const ended = this.epoch;
    this.#current = next;
    if (ended !== undefined && (next.role !== 'leader' || next.epoch !== ended)) {
      for (const runner of this.#runners) runner.end(new LogError('unavailable', `epoch ${ended} has ended`));
    }
    for (const listener of [...this.#listeners]) {
      if (this.#current !== next) return;
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(next);
      } catch (error) {
        // The engine is amid a change of epoch here: a listener's fault must not leave it half done.
        this.#onError(error, next.epoch);
      }
    }
    if (next.role === 'leader') for (const runner of this.#runners) runner.begin(next.epoch);
  }

  /** See {@link EventLog.onLeadership}. */
  onLeadership(listener: (leadership: Leadership) => void): () => void {
    const own = (leadership: Leadership) => listener(leadership);
    this.#listeners.add(own);
    own(this.#current);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** See {@link EventLog.whileLeader}. */
  whileLeader(term: (term: LeaderTerm) => Promise<void>): () => void {
    const runner = new TermRunner(term, this.#onError);
    this.#runners.add(runner);
    const epoch = this.epoch;
    if (epoch !== undefined) runner.begin(epoch);
    return () => {
      this.#runners.delete(runner);
      runner.end(new LogError('closed', 'the term was stopped'));
    };
  }
}

/** One task's terms, one behind the other. */
class TermRunner {
  readonly #term: (term: LeaderTerm) => Promise<void>;
  readonly #onError: (error: unknown, epoch: Epoch) => void;
  #wanted: { readonly epoch: Epoch; readonly abort: AbortController } | undefined;
  #running = false;

  constructor(term: (term: LeaderTerm) => Promise<void>, onError: (error: unknown, epoch: Epoch) => void) {
    this.#term = term;
    this.#onError = onError;
  }

  begin(epoch: Epoch): void {
    if (this.#wanted?.epoch === epoch) return;
    this.#wanted = { epoch, abort: new AbortController() };
    if (!this.#running) void this.#run();
  }

  end(reason: LogError): void {
    const ended = this.#wanted;
    this.#wanted = undefined;
    ended?.abort.abort(reason);
  }

  async #run(): Promise<void> {
    this.#running = true;
    let last: Epoch | undefined;
    for (;;) {
      // A turn of the microtask queue lets the caller of whileLeader receive its stop function first.
      await undefined;
      const wanted = this.#wanted;
      if (wanted === undefined || wanted.epoch === last) break;
      last = wanted.epoch;
      const { signal } = wanted.abort;
      try {
        await this.#term({ epoch: wanted.epoch, signal });
      } catch (error) {
        if (!signal.aborted) this.#onError(error, wanted.epoch);
      }
    }
    this.#running = false;
  }
}
