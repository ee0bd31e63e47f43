/** Why a history is not linearizable, made small enough to read. */

import type { History, Operation } from './history.ts';
import { endOf, outputOf } from './history.ts';
import type { Model } from './model.ts';
import type { Budget, SearchResult } from './search.ts';
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
  const attempt = (candidate: History<Input, Output>) => searchOrder(model, candidate, budget);
  const { begin, culprit } = shortestBegin(history, (candidate) => attempt(candidate).kind === 'none');
  const window = contradiction(begin, culprit, attempt);
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

/**
 * Begins with the culprit alone, all others let off, and holds them to their answers only as an order is found that they
 * contradict, and then those that were nearest in time: with few answers to explain a check is quick. What is not needed
 * after all is let off again, in ever smaller groups; fewer answers to explain are never harder.
 */
function contradiction<Input, Output>(
  begin: History<Input, Output>,
  culprit: Operation<Input, Output>,
  attempt: (candidate: History<Input, Output>) => SearchResult<Input, Output>,
): readonly Operation<Input, Output>[] {
  const answered = begin.filter(({ outcome }) => outcome.kind !== 'unknown');
  const nearestFirst = answered.filter((one) => one !== culprit).sort((a, b) => endOf(b) - endOf(a));
  const held = new Set([culprit]);
  for (let more = 1; ; more *= 2) {
    const original = new Map(begin.map((one) => [held.has(one) ? one : letOff(one), one]));
    const { kind, order } = attempt([...original.keys()]);
    if (kind === 'none') break;
    // Nothing is certain but that all together contradict one another.
    if (kind === 'gave-up') return inOrder(answered);
    const late = lateIn(order.map((one) => original.get(one) ?? one)).filter((one) => !held.has(one));
    const missing = nearestFirst.filter((one) => !held.has(one)).slice(0, more);
    for (const one of late.length > 0 ? late : missing) held.add(one);
  }
  const fails = (kept: readonly Operation<Input, Output>[]) => {
    const stay = new Set([culprit, ...kept]);
    return attempt(begin.map((one) => (stay.has(one) ? one : letOff(one)))).kind === 'none';
  };
  held.delete(culprit);
  return inOrder([...shrink([...held], fails), culprit]);
}

/** Operations that stand in an order behind others which began only after they had ended. */
function lateIn<Input, Output>(order: History<Input, Output>): readonly Operation<Input, Output>[] {
  let latestCall = Number.NEGATIVE_INFINITY;
  return order.filter((operation) => {
    latestCall = Math.max(latestCall, operation.call);
    return endOf(operation) < latestCall;
  });
}

/** Leaves out as much of a list as possible while `fails` holds. */
function shrink<Item>(list: readonly Item[], fails: (kept: readonly Item[]) => boolean): readonly Item[] {
  let kept = list;
  for (let size = Math.ceil(kept.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length; ) {
      const fewer = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (fails(fewer)) kept = fewer;
      else from += size;
    }
  }
  return kept;
}

function inOrder<Input, Output>(operations: History<Input, Output>): readonly Operation<Input, Output>[] {
  return [...operations].sort((a, b) => a.call - b.call || endOf(a) - endOf(b));
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
