/**
 * Virtual time: a clock that stands still until a test moves it. It sits behind the `Clock` port in place of the
 * system's, so that hours of a cluster's life pass in milliseconds, and the same way each time.
 *
 * It never reads the host's time. The host's event loop is used for one thing only: between two callbacks it is given
 * one whole turn, in which every promise that can go on does.
 */

import { TimeoutError } from '../errors.ts';
import type { CancelTimer, Clock } from '../runtime/clock.ts';

/** Callbacks that may run at one instant before the clock takes it for a loop that never lets time pass. */
export const STEPS_AT_ONE_INSTANT_MAX = 1_000_000;

/** Wall time at which a simulated clock starts unless told otherwise: 2026-01-01T00:00:00Z. */
export const SIMULATED_EPOCH_MS = 1_767_225_600_000;

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

const turn: () => Promise<void> = (() => {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (setImmediate) return () => new Promise<void>((resolve) => void setImmediate(resolve));
  const channel = new MessageChannel();
  const waiting: (() => void)[] = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  return () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      channel.port2.postMessage(0);
    });
})();

const earlier = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Timers by time, then by the order in which they were set: a binary heap that skips the cancelled. */
class TimerHeap {
  #heap: Timer[] = [];
  #cancelled = 0;

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || earlier(parent, timer)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = timer;
  }

  cancel(timer: Timer): void {
    if (timer.cancelled) return;
    timer.cancelled = true;
    this.#cancelled++;
    // Deadlines are mostly cancelled long before their time; they must not pile up until then.
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
  }

  peek(): Timer | undefined {
    while (this.#heap[0]?.cancelled) {
      this.#removeFirst();
      this.#cancelled--;
    }
    return this.#heap[0];
  }

  shift(): Timer | undefined {
    const first = this.peek();
    if (first === undefined) return undefined;
    this.#removeFirst();
    // It fires now: a cancel that comes later finds nothing to do.
    first.cancelled = true;
    return first;
  }

  #compact(): void {
    // A sorted array is a heap.
    this.#heap = this.#heap
      .filter((timer) => !timer.cancelled)
      .sort((a, b) => a.at - b.at || a.order - b.order);
    this.#cancelled = 0;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && earlier(right, child)) {
        child = right;
        childIndex++;
      }
      if (earlier(last, child)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

/**
 * A clock moved by hand.
 *
 * @example
 * const clock = new SimulatedClock();
 * clock.setTimer(5_000, () => console.log('five seconds later'));
 * await clock.advance(5_000);
 */
export class SimulatedClock implements Clock {
  readonly #timers = new TimerHeap();
  #deferred: Timer[] = [];
  #elapsed = 0;
  #wallStart: number;
  #order = 0;
  #moving = false;

  /** @param options.startAt Wall time at the start, in milliseconds since 1970. Default {@link SIMULATED_EPOCH_MS}. */
  constructor(options: { readonly startAt?: number } = {}) {
    this.#wallStart = options.startAt ?? SIMULATED_EPOCH_MS;
  }

  now(): number {
    return this.#wallStart + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    const timer = this.#make(this.#elapsed + Math.max(delayMs || 0, 0), callback);
    this.#timers.push(timer);
    return () => this.#timers.cancel(timer);
  }

  defer(callback: () => void): CancelTimer {
    const deferred = this.#make(this.#elapsed, callback);
    this.#deferred.push(deferred);
    return () => {
      deferred.cancelled = true;
    };
  }

  /** Timers that are set and not yet fired or cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** True when nothing will happen by itself at this instant: no deferred callback waits and no timer is due. */
  idle(): boolean {
    const next = this.#timers.peek();
    return this.#deferred.every((each) => each.cancelled) && (next === undefined || next.at > this.#elapsed);
  }

  /** Moves the wall clock alone, as an administrator or NTP does. No timer notices. */
  jumpWallTime(ms: number): void {
    this.#wallStart += ms;
  }

  /** Lets everything happen that can without time passing: promises, deferred callbacks, timers that are due. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /**
   * Lets `ms` pass. Timers fire in the order of their times, then of their setting; between any two callbacks all
   * promises that can go on do. Rejects with what a callback throws; time then stands where it was thrown.
   */
  advance(ms: number): Promise<void> {
    return this.#exclusively(async () => {
      const end = this.#elapsed + ms;
      await this.#settleNow(() => false);
      for (let next = this.#timers.peek(); next && next.at <= end; next = this.#timers.peek()) {
        this.#elapsed = next.at;
        await this.#settleNow(() => false);
      }
      this.#elapsed = end;
    });
  }

  /**
   * Lets time pass until the predicate holds. It is asked after every callback.
   *
   * @param options.limitMs How much virtual time may pass. Default one hour.
   * @throws TimeoutError when the predicate does not hold by then, or when nothing is left that could happen.
   */
  runUntil(predicate: () => boolean, options: { readonly limitMs?: number } = {}): Promise<void> {
    const limitMs = options.limitMs ?? 3_600_000;
    return this.#exclusively(async () => {
      const start = this.#elapsed;
      if (await this.#settleNow(predicate)) return;
      for (let next = this.#timers.peek(); next && next.at <= start + limitMs; next = this.#timers.peek()) {
        this.#elapsed = next.at;
        if (await this.#settleNow(predicate)) return;
      }
      const nothingLeft = this.#timers.size === 0;
      if (!nothingLeft) this.#elapsed = start + limitMs;
      const why = nothingLeft
        ? 'no timer is set: nothing more can happen'
        : 'the limit of virtual time has passed';
      throw new TimeoutError(`condition not met after ${this.#elapsed - start} ms of virtual time`, [why]);
    });
  }

  /** Lets time pass, as far as is needed, until the promise settles, and gives what it gives. */
  async run<T>(work: Promise<T>, options: { readonly limitMs?: number } = {}): Promise<T> {
    let settled = false;
    const note = () => {
      settled = true;
    };
    work.then(note, note);
    await this.runUntil(() => settled, options);
    return work;
  }

  #make(at: number, callback: () => void): Timer {
    return { at, order: this.#order++, callback, cancelled: false };
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#moving) throw new Error('the simulated clock is being moved already: await the first call');
    this.#moving = true;
    try {
      await work();
    } finally {
      this.#moving = false;
    }
  }

  /** Runs all that is due at this instant. Resolves to true as soon as the predicate holds. */
  async #settleNow(predicate: () => boolean): Promise<boolean> {
    await turn();
    for (let steps = 0; ; steps++) {
      if (predicate()) return true;
      const callback = this.#takeDue();
      if (callback === undefined) return false;
      if (steps >= STEPS_AT_ONE_INSTANT_MAX) {
        throw new Error(`more than ${STEPS_AT_ONE_INSTANT_MAX} callbacks at one instant: time can't pass`);
      }
      callback();
      await turn();
    }
  }

  #takeDue(): (() => void) | undefined {
    const timer = this.#timers.peek();
    if (timer !== undefined && timer.at <= this.#elapsed) {
      const deferredFirst = this.#firstDeferred();
      if (deferredFirst === undefined || timer.order < deferredFirst.order)
        return this.#timers.shift()?.callback;
    }
    const deferred = this.#firstDeferred();
    this.#deferred.shift();
    return deferred?.callback;
  }

  #firstDeferred(): Timer | undefined {
    while (this.#deferred[0]?.cancelled) this.#deferred.shift();
    return this.#deferred[0];
  }
}
