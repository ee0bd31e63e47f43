/** Why a history is not linearizable, made small enough to read. */

import type { History, Operation } from './history.ts';
import { endOf, outputOf } from './history.ts';
import type { Model } from './model.ts';
import type { Budget } from './search.ts';
import { searchOrder } from './search.ts';

/** A contradiction within a history. */
export interface Explanation<Input, Output> {
  /** Before this operation returned, everything could be explained. */
  readonly culprit: Operation<Input, Output>;
  /**
   * The operations that contradict one another, in order of their calls, the culprit among them. The others don't help:
   * even if each of them might take effect at any moment after its call or never, there would be no order. Smallest in
   * that none of these can be let off as well, if the work allowed was enough to try.
   */
  readonly window: readonly Operation<Input, Output>[];
  /** All of that in words, several lines. */
  readonly text: string;
}

/** Lets an operation off: its answer counts no longer, and it may take effect late or never. */
function letOff<Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> {
  return { ...operation, outcome: { kind: 'unknown' } };
}

/** Finds the smallest contradiction of a history that is not linearizable. */
export function explain<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  budget: Budget,
): Explanation<Input, Output> {
  const fails = (candidate: History<Input, Output>) => searchOrder(model, candidate, budget).kind === 'none';
  const { begin, culprit } = shortestBegin(history, fails);
  const window = contradiction(begin, culprit, fails);
  const text = narrate(model, window, culprit, begin.length - window.length);
  return { culprit, window, text };
}

/** All that was called by the time of an answer; what had no answer yet may take effect late or never. */
function beginOf<Input, Output>(history: History<Input, Output>, until: number): Operation<Input, Output>[] {
  return history
    .filter(({ call }) => call <= until)
    .map((operation) => (endOf(operation) <= until ? operation : letOff(operation)));
}

/** The begin of a linearizable history is linearizable: so the first answer that can't be explained is found by halves. */
function shortestBegin<Input, Output>(
  history: History<Input, Output>,
  fails: (candidate: History<Input, Output>) => boolean,
): { readonly begin: History<Input, Output>; readonly culprit: Operation<Input, Output> } {
  const byEnd = history
    .filter((operation) => endOf(operation) < Number.POSITIVE_INFINITY)
    .sort((a, b) => endOf(a) - endOf(b));
  let low = 0;
  let high = byEnd.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const operation = byEnd[middle];
    if (operation !== undefined && fails(beginOf(history, endOf(operation)))) high = middle;
    else low = middle + 1;
  }
  const culprit = byEnd[low];
  if (culprit === undefined) throw new RangeError('A history without answers has no contradiction.');
  return { begin: beginOf(history, endOf(culprit)), culprit };
}

/** Lets off as many operations as possible, in ever smaller groups. Fewer answers to explain are never harder. */
function contradiction<Input, Output>(
  begin: History<Input, Output>,
  culprit: Operation<Input, Output>,
  fails: (candidate: History<Input, Output>) => boolean,
): readonly Operation<Input, Output>[] {
  let window = begin.filter((operation) => operation.outcome.kind !== 'unknown' && operation !== culprit);
  const withOnly = (kept: ReadonlySet<Operation<Input, Output>>) =>
    begin.map((operation) => (operation === culprit || kept.has(operation) ? operation : letOff(operation)));
  for (let size = Math.ceil(window.length / 2); window.length > 0; size = Math.ceil(size / 2)) {
    for (let from = 0; from < window.length; ) {
      const kept = [...window.slice(0, from), ...window.slice(from + size)];
      if (fails(withOnly(new Set(kept)))) window = kept;
      else from += size;
    }
    if (size === 1) break;
  }
  return [...window, culprit].sort((a, b) => a.call - b.call || endOf(a) - endOf(b));
}

function narrate<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  window: readonly Operation<Input, Output>[],
  culprit: Operation<Input, Output>,
  others: number,
): string {
  const lineOf = (operation: Operation<Input, Output>) =>
    `  ${operation.client}, ${operation.call} to ${endOf(operation)}: ${model.describe(operation.input, outputOf(operation))}`;
  const rest =
    others === 0
      ? 'No order of these explains all answers:'
      : `No order of these explains all answers, wherever the ${others} other operations before it took effect:`;
  return [
    `Until ${endOf(culprit)} every answer can be explained; this one can't:`,
    lineOf(culprit),
    rest,
    ...window.map(lineOf),
  ].join('\n');
}
