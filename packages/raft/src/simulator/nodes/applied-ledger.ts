/**
 * State machine safety for nodes: at an index the same command everywhere, none left out, none applied twice, and none
 * that its proposer was told is certainly not in the log.
 */

import type { LogIndex, MemberId } from '../../core/types.ts';
import { Violation } from '../violation.ts';
import type { MachineState, SetCommand } from './register-machine.ts';

/** What was applied anywhere. Every method throws a {@link Violation}. */
export class AppliedLedger {
  /** The hash after each index at which a command was applied. */
  readonly #hashes = new Map<LogIndex, number>();
  /** The indexes at which commands were applied, in order. */
  #indexes: LogIndex[] = [];
  readonly #indexOf = new Map<number, LogIndex>();
  readonly #rejected = new Set<number>();

  /** Commands that were applied. */
  get size(): number {
    return this.#indexOf.size;
  }

  /** A member has applied a command. */
  applied(member: MemberId, index: LogIndex, { value }: SetCommand, { hash }: MachineState): void {
    const known = this.#hashes.get(index);
    if (known !== undefined && known !== hash) {
      throw new Violation(`${member} is in another state after ${index} than others were`);
    }
    const before = this.#indexOf.get(value);
    if (before !== undefined && before !== index) {
      throw new Violation(
        `${member} applied the command ${value} at ${index}, and it was applied at ${before}`,
      );
    }
    if (this.#rejected.has(value)) {
      throw new Violation(
        `${member} applied the command ${value}, which was said to be certainly not in the log`,
      );
    }
    this.#indexOf.set(value, index);
    if (known !== undefined) return;
    const last = this.#indexes.at(-1) ?? 0;
    if (index <= last)
      throw new Violation(`${member} applied a command at ${index}, others passed it without one`);
    this.#hashes.set(index, hash);
    this.#indexes.push(index);
  }

  /** A member's state was replaced by that of a snapshot at `index`. */
  restored(member: MemberId, index: LogIndex, { hash, last }: MachineState): void {
    const due = this.#indexes.findLast((each) => each <= index) ?? 0;
    if (last !== due || (due > 0 && this.#hashes.get(due) !== hash)) {
      throw new Violation(
        `${member} was restored from a snapshot at ${index} whose last command is ${last}, and it was ${due}`,
      );
    }
  }

  /** A proposer was told that its command is applied there. */
  acknowledged(value: number, index: LogIndex): void {
    const at = this.#indexOf.get(value);
    if (at !== index)
      throw new Violation(`the command ${value} was acknowledged at ${index}, and applied at ${at}`);
  }

  /** A proposer was told that its command is certainly not in the log. */
  rejected(value: number): void {
    if (this.#indexOf.has(value)) {
      throw new Violation(
        `the command ${value} was rejected, and was applied at ${this.#indexOf.get(value)}`,
      );
    }
    this.#rejected.add(value);
  }
}
