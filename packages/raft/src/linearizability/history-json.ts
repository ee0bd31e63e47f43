/** Histories as JSON, to keep them and to let other checkers read them. */

import { HistoryError } from './errors.ts';
import type { History, Operation, Outcome } from './history.ts';
import { validateHistory } from './history.ts';

/** Reads what a model's operations carry; each throws if the value is not one of its own. */
export interface HistoryReaders<Input, Output> {
  readonly input: (value: unknown) => Input;
  readonly output: (value: unknown) => Output;
}

const FORMAT = 'skep-history/1';

/** One operation a line, so that two histories can be compared by eye. Inputs and outputs must be JSON already. */
export function historyToJson(history: History<unknown, unknown>): string {
  const lines = history.map(({ client, call, input, outcome }) =>
    JSON.stringify({ client, call, input, outcome }),
  );
  return `{"format":"${FORMAT}","operations":[\n${lines.join(',\n')}\n]}\n`;
}

/**
 * Reads a history back.
 *
 * @throws HistoryError with the field and the rule that it breaks
 */
export function historyFromJson<Input, Output>(
  text: string,
  readers: HistoryReaders<Input, Output>,
): History<Input, Output> {
  const document = fieldsOf(parse(text), 'the history');
  if (document['format'] !== FORMAT) throw new HistoryError('format', `must be "${FORMAT}"`);
  const { operations } = document;
  if (!Array.isArray(operations)) throw new HistoryError('operations', 'must be a list');
  const history = operations.map((value, place) => operationOf(value, `operations[${place}]`, readers));
  validateHistory(history);
  return history;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HistoryError('the history', 'must be JSON');
  }
}

function operationOf<Input, Output>(
  value: unknown,
  place: string,
  readers: HistoryReaders<Input, Output>,
): Operation<Input, Output> {
  const { client, call, input, outcome } = fieldsOf(value, place);
  if (typeof client !== 'string') throw new HistoryError(`${place}.client`, 'must be a text');
  return {
    client,
    call: numberOf(call, `${place}.call`),
    input: read(readers.input, input, `${place}.input`),
    outcome: outcomeOf(outcome, `${place}.outcome`, readers.output),
  };
}

function outcomeOf<Output>(
  value: unknown,
  place: string,
  reader: (value: unknown) => Output,
): Outcome<Output> {
  const { kind, at, output } = fieldsOf(value, place);
  switch (kind) {
    case 'unknown':
      return { kind };
    case 'completed':
      return { kind, at: numberOf(at, `${place}.at`) };
    case 'returned':
      return { kind, at: numberOf(at, `${place}.at`), output: read(reader, output, `${place}.output`) };
    default:
      throw new HistoryError(`${place}.kind`, 'must be "returned", "completed" or "unknown"');
  }
}

function read<Value>(reader: (value: unknown) => Value, value: unknown, place: string): Value {
  try {
    return reader(value);
  } catch (error) {
    throw new HistoryError(
      place,
      `must be readable: ${error instanceof Error ? error.message : 'it is not'}`,
    );
  }
}

function numberOf(value: unknown, place: string): number {
  if (typeof value !== 'number') throw new HistoryError(place, 'must be a number');
  return value;
}

function fieldsOf(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HistoryError(place, 'must be an object');
  return { ...value };
}
