/** What clients did and saw, kept as a history and judged at the end: could one machine alone have answered so? */

import type { Operation, RegisterInput, RegisterOutput } from '../../linearizability/index.ts';
import { checkLinearizability, registerModel } from '../../linearizability/index.ts';

/** An operation that was begun. Moments are numbers that only grow, one for each beginning and end. */
export interface OpenOperation {
  readonly client: number;
  readonly input: RegisterInput;
  readonly call: number;
}

/** How a history was judged. */
export type Judgement =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'undecided' }
  /** A contradiction, in several lines. */
  | { readonly kind: 'contradictory'; readonly why: string };

/** Work that one judgement may take: far more than the histories of a simulation need. */
const STEPS_MAX = 500_000;

/** All operations of one simulation. */
export class ClientHistory {
  readonly #open = new Set<OpenOperation>();
  readonly #ended: Operation<RegisterInput, RegisterOutput>[] = [];
  #moment = 0;

  /** Operations that may have had an effect, or were answered. */
  get size(): number {
    return this.#open.size + this.#ended.length;
  }

  /** A client begins to set a register. Until it ends it may have its effect at any time from now on. */
  beginWrite(client: number, key: string, value: number): OpenOperation {
    const operation = this.beginRead(client, key);
    const write = { ...operation, input: { kind: 'write', key, value: `${value}` } } as const;
    this.#open.add(write);
    return write;
  }

  /** A client begins to read a register. */
  beginRead(client: number, key: string): OpenOperation {
    return { client, input: { kind: 'read', key }, call: this.#moment++ };
  }

  /** A register was set. */
  written(operation: OpenOperation): void {
    this.#open.delete(operation);
    this.#end(operation, { kind: 'written' });
  }

  /** A register was read. */
  read(operation: OpenOperation, value: number | undefined): void {
    this.#end(operation, { kind: 'value', value: value === undefined ? null : `${value}` });
  }

  /** It certainly had no effect, and never will. */
  undo(operation: OpenOperation): void {
    this.#open.delete(operation);
  }

  /** After Wing and Gong, and Lowe, register by register. */
  judge(): Judgement {
    const open = [...this.#open].map(({ client, input, call }) => ({
      client: `client ${client}`,
      input,
      call,
      outcome: { kind: 'unknown' } as const,
    }));
    const verdict = checkLinearizability(registerModel, [...this.#ended, ...open], { stepsMax: STEPS_MAX });
    if (verdict.kind === 'linearizable') return verdict;
    if (verdict.kind === 'gave-up') return { kind: 'undecided' };
    return { kind: 'contradictory', why: verdict.explanation.text };
  }

  #end({ client, input, call }: OpenOperation, output: RegisterOutput): void {
    const outcome = { kind: 'returned', at: this.#moment++, output } as const;
    this.#ended.push({ client: `client ${client}`, input, call, outcome });
  }
}
