/**
 * How the parts of a leading manager read and change the cluster: one head state that all decide against, one
 * committed state that effects follow. The ledger is the real one; tests put a state and `evolve` behind it.
 */

import type { Actor, ClusterEvent, CommandAnswer } from '../events/event.ts';
import type { CommandId } from '../model/ids.ts';
import type { ChangeSet } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { DecideContext } from './control-loop.ts';

/** What a transaction function answers: what is to happen, and what its caller is told once it has. */
export interface Decided<R> {
  /** Empty: nothing is appended, and the caller is answered once all that was decided before is committed. */
  readonly events: readonly ClusterEvent[];
  readonly result: R;
  /** What a retry of the command is told that this one did. Kept only where there are events and a command id. */
  readonly answer?: CommandAnswer;
}

/** What kind of command one is, by what it can have done. */
export interface CommandKind {
  /** Kind of the object, as in {@link CommandAnswer}. */
  readonly what: string;
  readonly actions: readonly CommandAnswer['action'][];
}

/** Options of {@link LeaderStore.transact}. */
export interface TransactOptions<R> {
  /** Carried out once, however often it is asked for under this id. */
  readonly command?: {
    readonly id: CommandId;
    /** An id that did something of another kind is refused with a PreconditionError. Default: it is not checked. */
    readonly kind?: CommandKind;
    /** The answer when the command was carried out before; `answer` is what it said then that it did. */
    readonly repeated: (head: ClusterState, answer: CommandAnswer | undefined) => R;
  };
  /** Index of the transaction that led to this one. */
  readonly cause?: number;
}

/** Hears of each transaction, in order. */
export type ChangeListener = (changes: ChangeSet, state: ClusterState) => void;

/** The cluster as a leader sees and changes it. */
export interface LeaderStore {
  /** Committed plus pending: what to decide against. */
  readonly head: ClusterState;
  /** What is certain: what to act on. */
  readonly committed: ClusterState;
  /**
   * Decides on the head state, synchronously, and appends what was decided as one transaction.
   *
   * @returns the result, once the transaction is committed and applied.
   * @throws whatever `decide` throws, with nothing appended; PreconditionError when the command's id was used for
   *   another kind of command; UnavailableError when it was certainly not committed;
   *   OutcomeUnknownError when nobody knows.
   */
  transact<R>(
    actor: Actor,
    decide: (head: ClusterState, context: DecideContext) => Decided<R>,
    options?: TransactOptions<R>,
  ): Promise<R>;
  /** Hears of what was decided, at once. Returns the way to stop. */
  onHead(listener: ChangeListener): () => void;
  /** Hears of what was committed. Returns the way to stop. */
  onCommitted(listener: ChangeListener): () => void;
}
