/**
 * Looks for an order of one partition's operations that explains their answers: the algorithm of Wing and Gong ("Testing
 * and verifying concurrent objects", 1993) with Lowe's memory of configurations ("Testing for linearizability", 2017).
 * Operations of unknown outcome, which need not be in the order, are taken in only directly before another, the fewest
 * first: otherwise every subset of them would be tried.
 */

import { BitSet } from './bit-set.ts';
import { EventList } from './event-list.ts';
import type { History, Operation } from './history.ts';
import { endOf, outputOf } from './history.ts';
import { LeastUsed } from './least-used.ts';
import type { Model } from './model.ts';
import { OptionalRuns } from './optional-runs.ts';

/** How much work may still be done, in calls of `step`; shared by the searches of one check. */
export interface Budget {
  left: number;
}

/** What a search found. */
export interface SearchResult<Input, Output> {
  readonly kind: 'found' | 'none' | 'gave-up';
  /** The order that was found, or else the longest begin of one: after it nothing fits. */
  readonly order: readonly Operation<Input, Output>[];
}

/** A configuration on the way, and how far its successors have been tried. */
interface Frame<State, Runs> {
  /** The operation that led here; -1 at the start. */
  readonly operation: number;
  /** The optional ones that were taken in before it. */
  readonly run: readonly number[];
  readonly runs: Runs;
  readonly state: State;
  /** The event to try next after the current run. */
  node: number;
}

/** Searches depth first, each operation as early as it was called. */
export function searchOrder<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  budget: Budget,
): SearchResult<Input, Output> {
  const byCall = [...history].sort((a, b) => a.call - b.call);
  const required = byCall.filter((operation) => endOf(operation) < Number.POSITIVE_INFINITY);
  const optional = byCall.filter((operation) => endOf(operation) === Number.POSITIVE_INFINITY);
  const optionalInputs = optional.map(({ input }) => input);
  const events = new EventList(required);
  const linearised = new BitSet(required.length);
  const visited = new LeastUsed();

  const frameOf = (
    operation: number,
    run: readonly number[],
    start: { readonly state: State; readonly used: Uint32Array },
  ): Frame<State, OptionalRuns<State, Input>> => {
    // What was called after the first return can't come before it.
    const firstReturn = required[events.firstToReturn];
    const limit = firstReturn === undefined ? 0 : endOf(firstReturn);
    const called = optional.length === 0 ? 0 : countUntil(optional, limit);
    const runs = new OptionalRuns(model, optionalInputs.slice(0, called), start);
    return { operation, run, runs, state: start.state, node: events.first };
  };
  const frames = [
    frameOf(-1, [], { state: model.initial, used: new Uint32Array((optional.length + 31) >>> 5) }),
  ];
  let longest: typeof frames = [];
  const orderOf = (path: typeof frames) =>
    path.flatMap(({ operation, run }) => [
      ...run.flatMap((index) => optional[index] ?? []),
      ...(required[operation] === undefined ? [] : [required[operation]]),
    ]);
  const remember = () => {
    if (frames.length > longest.length) longest = [...frames];
  };

  while (!events.isEmpty) {
    const frame = frames.at(-1);
    if (frame === undefined) return { kind: 'none', order: orderOf(longest) };
    if (budget.left <= 0) {
      remember();
      return { kind: 'gave-up', order: orderOf(longest) };
    }
    const run = frame.runs.current;
    if (run === undefined) {
      frames.pop();
      if (frame.operation >= 0) {
        linearised.delete(frame.operation);
        events.unlift(frame.operation);
      }
      continue;
    }
    if (!events.isCall(frame.node)) {
      // A return: whoever it belongs to must come before all that is called later.
      remember();
      budget.left--;
      if (frame.runs.advance()) frame.node = events.first;
      continue;
    }
    const index = events.operationAt(frame.node);
    frame.node = events.after(frame.node);
    const operation = required[index];
    if (operation === undefined) continue;
    budget.left--;
    const next = model.step(run.state, operation.input, outputOf(operation));
    if (next === undefined) continue;
    linearised.add(index);
    if (!visited.add(`${linearised.key}|${model.keyOf(next)}`, run.used)) {
      linearised.delete(index);
      continue;
    }
    events.lift(index);
    frames.push(frameOf(index, run.operations, { state: next, used: run.used }));
  }
  return { kind: 'found', order: orderOf(frames) };
}

/** How many of the operations, which are in order of their calls, were called by then. */
function countUntil(operations: History<unknown, unknown>, moment: number): number {
  let count = 0;
  while ((operations[count]?.call ?? Number.POSITIVE_INFINITY) <= moment) count++;
  return count;
}
