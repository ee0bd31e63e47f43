/** Short ways to write down histories. */

import type { Operation } from '../history.ts';
import type { RegisterInput, RegisterOutput } from '../register-model.ts';

/** An operation on the register `x`. */
export type RegisterOperation = Operation<RegisterInput, RegisterOutput>;

export function write(client: string, call: number, at: number, value: string): RegisterOperation {
  const input = { kind: 'write', key: 'x', value } as const;
  return { client, call, input, outcome: { kind: 'returned', at, output: { kind: 'written' } } };
}

export function read(client: string, call: number, at: number, value: string | null): RegisterOperation {
  const input = { kind: 'read', key: 'x' } as const;
  return { client, call, input, outcome: { kind: 'returned', at, output: { kind: 'value', value } } };
}

export function swap(
  client: string,
  call: number,
  at: number,
  [expected, value]: readonly [string | null, string],
  swapped: boolean,
): RegisterOperation {
  const input = { kind: 'compare-and-swap', key: 'x', expected, value } as const;
  return { client, call, input, outcome: { kind: 'returned', at, output: { kind: 'swapped', swapped } } };
}

/** The same operation, but its client never learnt what became of it. */
export function unknown<Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> {
  return { ...operation, outcome: { kind: 'unknown' } };
}

/** The same operation under another key. */
export function under(key: string, operation: RegisterOperation): RegisterOperation {
  return { ...operation, input: { ...operation.input, key } };
}
