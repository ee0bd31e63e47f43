/** What clients saw: each operation with the moments of its call and answer, on one clock. */

import { HistoryError } from './errors.ts';

/** How an operation ended, as its client knows. */
export type Outcome<Output> =
  /** Answered with `output` at `at`: it took effect between its call and then. */
  | { readonly kind: 'returned'; readonly at: number; readonly output: Output }
  /** It has taken effect by `at`, but what it answered is not known. */
  | { readonly kind: 'completed'; readonly at: number }
  /** No answer that can be relied on: it takes effect at any moment after its call, even much later, or never. */
  | { readonly kind: 'unknown' };

/** One operation of one client. */
export interface Operation<Input, Output> {
  /** Who asked. For the reader only: two operations of one client may overlap, as those after a time-out do. */
  readonly client: string;
  /** When it was asked for, in any unit that grows with time. */
  readonly call: number;
  readonly input: Input;
  readonly outcome: Outcome<Output>;
}

/** All operations of a run, in any order. */
export type History<Input, Output> = readonly Operation<Input, Output>[];

/** When an operation had taken effect at the latest; Infinity if that is not known. */
export function endOf(operation: Operation<unknown, unknown>): number {
  return operation.outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : operation.outcome.at;
}

/** What an operation answered, if that is known. */
export function outputOf<Output>(operation: Operation<unknown, Output>): Output | undefined {
  return operation.outcome.kind === 'returned' ? operation.outcome.output : undefined;
}

/**
 * Refuses a history whose times make no sense.
 *
 * @throws HistoryError `invalid-history`, with the operation's place and the field
 */
export function validateHistory(history: History<unknown, unknown>): void {
  for (const [place, operation] of history.entries()) {
    const { call } = operation;
    if (!Number.isFinite(call))
      throw new HistoryError(`operations[${place}].call`, 'must be a finite number');
    const end = endOf(operation);
    if (Number.isNaN(end) || end < call)
      throw new HistoryError(
        `operations[${place}].outcome.at`,
        `must be a number not before the call, ${call}`,
      );
  }
}
