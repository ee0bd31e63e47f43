/**
 * Runs one control loop for one leadership. The loop is flushed at once when something it cares for changes while it
 * is idle; while it is busy, changes gather and are decided together next time. There is no fixed pause anywhere.
 *
 * Between two slices of work others get their turn, so that a decision about a million tasks never holds up a
 * heartbeat. A loop that throws harms nobody else: it begins again, from the state as it is then.
 */

import type { CancelTimer, Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { afterThis } from '../runtime/microtask.ts';
import { causeOf } from './cause.ts';
import type { ControlLoop, Decision } from './control-loop.ts';
import type { Ledger } from './ledger.ts';

/** A loop that failed begins again when the state moves, or after this time, milliseconds, if it does not. */
export const RECOVER_MS = 1_000;

/** Counters of one loop, for metrics and health. */
export interface LoopStatus {
  readonly name: string;
  readonly decisions: number;
  readonly transactions: number;
  readonly events: number;
}

/** A running control loop. */
export class LoopRunner {
  readonly #loop: ControlLoop;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stopObserving: () => void;
  readonly #stopListening: () => void;
  #cancelWake: CancelTimer = () => {};
  #cancelTurn: CancelTimer = () => {};
  /** The loop has begun on a state and has observed every change since. */
  #begun = false;
  #marked = true;
  #scheduled = false;
  #stopped = false;
  #counts = { decisions: 0, transactions: 0, events: 0 };

  constructor(loop: ControlLoop, parts: { ledger: Ledger; clock: Clock; logger: Logger }) {
    this.#loop = loop;
    this.#ledger = parts.ledger;
    this.#clock = parts.clock;
    this.#logger = parts.logger.child({ loop: loop.name });
    this.#stopObserving = parts.ledger.onHead((changes, state) => {
      if (this.#begun) this.#guard(() => loop.observe(changes, state));
      this.#mark();
    });
    this.#stopListening = loop.listen?.(() => this.#mark()) ?? (() => {});
    this.#mark();
  }

  get status(): LoopStatus {
    return { name: this.#loop.name, ...this.#counts };
  }

  /** Stops at once: nothing is decided any more. */
  stop(): void {
    this.#stopped = true;
    this.#stopObserving();
    this.#stopListening();
    this.#cancelWake();
    this.#cancelTurn();
  }

  #mark(): void {
    this.#marked = true;
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    // A microtask, not a call: the transaction that marked us must be seen by every loop before any decides.
    afterThis(() => this.#flush());
  }

  #flush(): void {
    if (this.#stopped || this.#ledger.failure) return;
    const wait = this.#ledger.ready();
    if (wait) {
      void wait.then(() => this.#flush());
      return;
    }
    this.#marked = false;
    this.#cancelWake();
    const decision = this.#guard(() => this.#decide());
    if (!decision) return;
    if (decision.events.length > 0) this.#propose(decision);
    if (decision.more || this.#marked) {
      this.#cancelTurn = this.#clock.defer(() => this.#flush());
      return;
    }
    this.#scheduled = false;
    if (decision.wakeAt !== undefined) this.#wakeIn(decision.wakeAt - this.#ledger.now());
  }

  #decide(): Decision {
    const { head } = this.#ledger;
    if (!this.#begun) {
      this.#loop.begin(head);
      this.#begun = true;
    }
    this.#counts.decisions += 1;
    return this.#loop.decide(head, this.#ledger.context());
  }

  #propose(decision: Decision): void {
    this.#counts.transactions += 1;
    this.#counts.events += decision.events.length;
    const { events } = decision;
    const cause = causeOf(events, this.#ledger.head);
    const done = this.#ledger.transact(
      { kind: 'loop', name: this.#loop.name },
      () => ({ events, result: undefined }),
      cause === undefined ? {} : { cause },
    );
    done.catch((error: unknown) => {
      // A spent ledger ends all loops, and the manager begins another on what is committed. Otherwise the loop alone
      // has failed: it asked for what does not fit the state or the log.
      if (this.#ledger.failure) this.#logger.debug({ error }, 'transaction was not committed');
      else this.#recover(error);
    });
  }

  #guard<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#recover(error);
      return undefined;
    }
  }

  #recover(error: unknown): void {
    this.#logger.error({ error }, 'control loop failed; it begins again');
    this.#begun = false;
    // It must not spin: a turn that was due is given up for the pause.
    this.#cancelTurn();
    this.#scheduled = false;
    if (!this.#stopped) this.#wakeIn(RECOVER_MS);
  }

  #wakeIn(delayMs: number): void {
    this.#cancelWake();
    this.#cancelWake = this.#clock.setTimer(Math.max(0, delayMs), () => this.#mark());
  }
}
