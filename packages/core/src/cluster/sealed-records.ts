/**
 * `cluster.records`: bytes that a program which builds on the cluster keeps in it, under a name. Replicated and sealed
 * with the log, they are in no watch and no history; what was replaced is gone from the log, too. The cluster does not
 * know what they say.
 */

import { PreconditionError } from '../errors.ts';
import type { ClusterEvent } from '../events/event.ts';
import { type CommandOptions, type Control, commandsOn } from './control.ts';

/** Where records are in the vault, apart from the values of secrets, which are found by their digests. */
const PREFIX = 'record/';

const RECORD = commandsOn('record');

/** The sealed records of a cluster. */
export class SealedRecords {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /** The record of that name, as it is here; undefined if there is none. */
  get(name: string): Uint8Array | undefined {
    return this.#control.state.roots.vault.get(PREFIX + name);
  }

  /**
   * Puts a record in the place of another, if that is still the one which the caller has seen.
   *
   * @param expected - the present record; undefined if there should be none.
   * @throws PreconditionError if it is another one by now; UnavailableError, OutcomeUnknownError
   */
  replace(
    name: string,
    expected: Uint8Array | undefined,
    next: Uint8Array,
    options: CommandOptions = {},
  ): Promise<void> {
    const key = PREFIX + name;
    return this.#control.command(
      `replace record ${name}`,
      options,
      (head) => {
        const present = head.roots.vault.get(key);
        if (!isSame(present, expected)) throw new PreconditionError(`record ${name} has changed meanwhile`);
        const events: ClusterEvent[] = [{ type: 'vault.stored', digest: key, data: new Uint8Array(next) }];
        if (present) events.unshift({ type: 'vault.removed', digests: [key] });
        return { events, result: undefined, answer: { id: name, action: 'updated', what: 'record' } };
      },
      RECORD.update,
      () => undefined,
    );
  }

  /** Calls back when the record of that name has changed here. Returns the way to stop. */
  onChange(name: string, listener: () => void): () => void {
    let last = this.get(name);
    return this.#control.feed.onAdvance(() => {
      const now = this.get(name);
      if (now === last) return;
      last = now;
      listener();
    });
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
