/** Linearizability by its definition: every order is tried. For histories of a handful of operations. */

import type { History, Operation } from '../history.ts';
import { endOf, outputOf } from '../history.ts';
import type { Model } from '../model.ts';

/** Is there an order of all operations that ended, and any of the others, that is right and respects real time? */
export function isLinearizableByDefinition<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
): boolean {
  const extend = (state: State, left: readonly Operation<Input, Output>[]): boolean => {
    if (left.every((operation) => operation.outcome.kind === 'unknown')) return true;
    const earliestEnd = Math.min(...left.map(endOf));
    return left.some((operation) => {
      // Another that had ended before this one began must come first.
      if (operation.call > earliestEnd) return false;
      const next = model.step(state, operation.input, outputOf(operation));
      return (
        next !== undefined &&
        extend(
          next,
          left.filter((other) => other !== operation),
        )
      );
    });
  };
  return extend(model.initial, history);
}
