/** Is a history linearizable? Asked of each independent part by itself, as porcupine does. */

import type { Explanation } from './explanation.ts';
import { explain } from './explanation.ts';
import type { History, Operation } from './history.ts';
import { validateHistory } from './history.ts';
import type { Model } from './model.ts';
import { searchOrder } from './search.ts';

/** The answer. `steps` is the work done: how often the model was asked. */
export type Verdict<Input, Output> =
  /** In these orders, one for each partition, all answers are right. */
  | {
      readonly kind: 'linearizable';
      readonly orders: ReadonlyMap<string, readonly Operation<Input, Output>[]>;
      readonly steps: number;
    }
  /** There is no such order of the operations of `partition`. */
  | {
      readonly kind: 'not-linearizable';
      readonly partition: string;
      /** The most operations in a row that can be explained: after them none fits. */
      readonly longest: readonly Operation<Input, Output>[];
      readonly explanation: Explanation<Input, Output>;
      readonly steps: number;
    }
  /** The work was more than was allowed; `partition` is the first that was not decided, and no partition failed. */
  | {
      readonly kind: 'gave-up';
      readonly partition: string;
      readonly longest: readonly Operation<Input, Output>[];
      readonly steps: number;
    };

/** How hard to try. */
export interface CheckOptions {
  /** How often the model may be asked in all. Default 2,000,000: some seconds, and tens of megabytes. */
  readonly stepsMax?: number;
  /** How often it may be asked besides, to find the smallest contradiction in a history that failed. Default 2,000,000. */
  readonly explanationStepsMax?: number;
}

/**
 * Decides whether some order of the operations, each between its call and its answer, makes all answers right.
 * Operations of unknown outcome are taken in where that helps, or left out.
 *
 * @throws HistoryError for times that make no sense
 */
export function checkLinearizability<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options: CheckOptions = {},
): Verdict<Input, Output> {
  validateHistory(history);
  const stepsMax = options.stepsMax ?? 2_000_000;
  const budget = { left: stepsMax };
  const orders = new Map<string, readonly Operation<Input, Output>[]>();
  let undecided:
    | { readonly partition: string; readonly longest: readonly Operation<Input, Output>[] }
    | undefined;
  for (const [partition, part] of partitionsOf(model, history)) {
    const { kind, order } = searchOrder(model, part, budget);
    if (kind === 'found') orders.set(partition, order);
    else if (kind === 'gave-up') undecided ??= { partition, longest: order };
    else {
      const explanation = explain(model, part, { left: options.explanationStepsMax ?? 2_000_000 });
      const steps = stepsMax - budget.left;
      return { kind: 'not-linearizable', partition, longest: order, explanation, steps };
    }
  }
  const steps = stepsMax - budget.left;
  return undecided === undefined
    ? { kind: 'linearizable', orders, steps }
    : { kind: 'gave-up', ...undecided, steps };
}

function partitionsOf<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
): ReadonlyMap<string, History<Input, Output>> {
  const parts = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const partition = model.partitionOf?.(operation.input) ?? '';
    const part = parts.get(partition);
    if (part === undefined) parts.set(partition, [operation]);
    else part.push(operation);
  }
  return parts;
}
