/** What can be set of a cluster's history, with defaults and units. */

import { InvalidSpecError, type SpecIssue } from '../errors.ts';
import { checkOptions, type OptionNames } from '../runtime/check-options.ts';
import type { HistoryStore } from './history-store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Options of a cluster's history. */
export interface HistoryOptions {
  /** What is older is forgotten, checkpoint by checkpoint. Milliseconds; default 7 days. */
  readonly maxAgeMs?: number;
  /**
   * Beyond so many bytes the oldest are forgotten, checkpoint by checkpoint. Default: what the store says, 1 GiB on
   * disk and 64 MiB in memory.
   */
  readonly maxBytes?: number;
  /**
   * A state is kept after so many transactions, to go on from. Default 10,000. One that takes no more bytes than what
   * happened since the last is kept up to five times as often, so that going on from it is quick. One that is large
   * beside it is kept less often: those that are kept take at most eight times the bytes of the events between.
   */
  readonly checkpointEvery?: number;
  /** Where it is kept. Default: in the cluster's directory, or in memory without one. */
  readonly store?: HistoryStore;
}

/** All bounds, decided. */
export interface HistoryBounds {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly checkpointEvery: number;
}

const HISTORY_OPTIONS: OptionNames<HistoryOptions> = {
  maxAgeMs: true,
  maxBytes: true,
  checkpointEvery: true,
  store: true,
};

/** Refuses what is no options of a history, as callers without types may send it. @throws InvalidSpecError */
export function checkHistoryOptions(options: unknown): void {
  checkOptions(options, HISTORY_OPTIONS, 'history');
}

/** Fills in the defaults. @throws InvalidSpecError */
export function historyBounds(options: HistoryOptions, store: HistoryStore): HistoryBounds {
  const bounds = {
    maxAgeMs: options.maxAgeMs ?? 7 * DAY_MS,
    maxBytes: options.maxBytes ?? store.defaultMaxBytes,
    checkpointEvery: options.checkpointEvery ?? 10_000,
  };
  const issues: SpecIssue[] = [];
  const check = (field: keyof HistoryBounds, isRight: boolean, rule: string) => {
    if (!isRight) issues.push({ field: `history.${field}`, rule });
  };
  check('maxAgeMs', isPositive(bounds.maxAgeMs), 'must be a number of milliseconds, more than 0');
  check('maxBytes', isPositive(bounds.maxBytes), 'must be a number of bytes, more than 0');
  const { checkpointEvery: every } = bounds;
  check('checkpointEvery', Number.isSafeInteger(every) && every > 0, 'must be a whole number from 1');
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return bounds;
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && value > 0;
}
