/**
 * State machine safety for cores: a state is a hash of all entries up to an index, the same wherever it is reached, by
 * applying or by a snapshot. And no read may be served from a state that is too old.
 */

import type { Entry, LogIndex } from '../../core/types.ts';
import { entryText } from '../observed-member.ts';
import { hashText } from '../seeded-random.ts';
import { Violation } from '../violation.ts';
import type { OpenRead, SimulatedMember } from './simulated-member.ts';

/** The states that were reached. Every method throws a {@link Violation}. */
export class AppliedStates {
  readonly #states: number[] = [0];

  /** The state that every member has after `index`. */
  at(index: LogIndex): number {
    const state = this.#states[index];
    if (state === undefined) throw new Violation(`nobody has reached a state after ${index}`);
    return state;
  }

  /** An entry was given to a state machine. */
  applied(member: SimulatedMember, entry: Entry): void {
    if (entry.index !== member.appliedIndex + 1) {
      throw new Violation(`${member.id} applied ${entry.index} after ${member.appliedIndex}`);
    }
    if (member.disk.entryAt(entry.index) === undefined) {
      throw new Violation(`${member.id} applied ${entry.index}, which its disk does not hold`);
    }
    const state = hashText(entryText(entry), member.state);
    const known = this.#states[entry.index];
    if (known !== undefined && known !== state) {
      throw new Violation(`${member.id} applied another entry ${entry.index} than others did`);
    }
    this.#states[entry.index] = state;
    member.state = state;
    member.appliedIndex = entry.index;
  }

  /** A state machine was replaced by a snapshot. */
  restored(member: SimulatedMember, index: LogIndex): void {
    if (member.disk.snapshotIndex < index) {
      throw new Violation(`${member.id} restored the snapshot ${index}, which its disk does not hold`);
    }
    if (index < member.appliedIndex) {
      throw new Violation(`${member.id} went back from ${member.appliedIndex} to the snapshot ${index}`);
    }
    member.state = this.at(index);
    member.appliedIndex = index;
  }

  /** A read was served. */
  read({ id, appliedIndex }: SimulatedMember, { lease, floor }: OpenRead, index: LogIndex): void {
    if (index >= floor && appliedIndex >= index) return;
    throw new Violation(
      `${id} served a ${lease ? 'lease ' : ''}read at ${index}, having applied ${appliedIndex}; ${floor} was committed when it was asked`,
    );
  }
}
