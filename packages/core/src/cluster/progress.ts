/**
 * How far something that was asked for has come: one form for all that is waited for, whether a service is created,
 * updated, rolled back or removed, or a node is drained.
 */

import { InvalidSpecError } from '../errors.ts';
import { type Finding, needsSomebody } from '../model/finding.ts';
import { plainEqual } from '../model/plain-equal.ts';
import type { WaitOptions } from '../runtime/abort.ts';
import type { Clock } from '../runtime/clock.ts';

/** How far it has come. */
export interface Progress {
  /** Tasks that are left to come to what is waited for. */
  readonly left: number;
  /** The most that were left since it is waited for. */
  readonly total: number;
  /** It has come to what is waited for. */
  readonly finished: boolean;
  /**
   * It stands still: what is left waits for somebody, or nothing has moved for `stallMs`. It may go on all the same, and
   * the wait does.
   */
  readonly stalled: boolean;
  /** What it waits for, each once, {@link FINDINGS_TOLD} at most. */
  readonly findings: readonly Finding[];
}

/** What a look finds out; the rest comes of what was found before. */
export type Measured<P extends Progress> = Omit<P, 'total' | 'stalled'>;

/** How to wait for something, and hear how far it has come. */
export interface ProgressOptions<P extends Progress = Progress> extends WaitOptions {
  /** Hears how far it has come, at first and each time that it differs. */
  readonly onProgress?: ((progress: P) => void) | undefined;
  /** After so many milliseconds in which nothing moved it counts as stalled. Default 10 s. */
  readonly stallMs?: number | undefined;
}

/** Most findings that a progress tells. */
export const FINDINGS_TOLD = 20;

/** Nothing has moved for so long: it stands still. */
const STALL_MS = 10_000;

/** Splits what concerns progress from what concerns waiting. @throws InvalidSpecError */
export function splitOptions<P extends Progress>(
  options: ProgressOptions<P>,
): { readonly waiting: WaitOptions; readonly telling: Pick<ProgressOptions<P>, 'onProgress' | 'stallMs'> } {
  const { onProgress, stallMs, ...waiting } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new InvalidSpecError([{ field: 'onProgress', rule: 'must be a function' }]);
  if (stallMs !== undefined && !(Number.isFinite(stallMs) && stallMs > 0))
    throw new InvalidSpecError([{ field: 'stallMs', rule: 'must be a number of milliseconds, more than 0' }]);
  return { waiting, telling: { onProgress, stallMs } };
}

/** Tells one waiter how far it has come. Without a listener it measures nothing. */
export class ProgressTeller<P extends Progress> {
  /** Look again so often, though nothing may have changed; undefined: nobody listens. */
  readonly everyMs: number | undefined;
  readonly #clock: Clock;
  readonly #onProgress: ((progress: P) => void) | undefined;
  readonly #stallMs: number;
  #measured: Measured<P> | undefined;
  #told: P | undefined;
  #total = 0;
  #movedAt: number;

  constructor(
    clock: Clock,
    { onProgress, stallMs = STALL_MS }: Pick<ProgressOptions<P>, 'onProgress' | 'stallMs'>,
  ) {
    this.#clock = clock;
    this.#onProgress = onProgress;
    this.#stallMs = stallMs;
    this.#movedAt = clock.monotonic();
    this.everyMs = onProgress === undefined ? undefined : stallMs;
  }

  /** Tells what is measured, if that differs from what was told. */
  look(measure: () => Measured<P>): void {
    if (!this.#onProgress) return;
    const measured = measure();
    const now = this.#clock.monotonic();
    if (!plainEqual(measured, this.#measured)) this.#movedAt = now;
    this.#measured = measured;
    this.#total = Math.max(this.#total, measured.left);
    const isQuiet = now - this.#movedAt >= this.#stallMs;
    const stalled = !measured.finished && (isQuiet || measured.findings.some(needsSomebody));
    const progress = { ...measured, total: this.#total, stalled } as unknown as P;
    if (plainEqual(progress, this.#told)) return;
    this.#told = progress;
    this.#onProgress(progress);
  }
}

/** The findings without what tells of one task, each once, in their order. */
export function distinct(findings: Iterable<Finding>): Finding[] {
  const told = new Map<string, Finding>();
  for (const { code, message, remedy, retryAt } of findings) {
    if (told.size === FINDINGS_TOLD) break;
    const finding = { code, message, remedy, ...(retryAt === undefined ? {} : { retryAt }) };
    const key = `${code}/${message}`;
    if (!told.has(key)) told.set(key, finding);
  }
  return [...told.values()];
}
