/**
 * What a control loop is: it reads the change feed, decides, and proposes events. It never calls another loop; loops
 * meet only in the log. The runner (`loop-runner.ts`) owns time, turns and proposing; a loop only decides, and so
 * can be tested with plain data: given this state, it wants these events.
 *
 * A loop may remember what it has yet to look at, and indexes that are folded from the same changes. It may remember
 * nothing that could not be had again by `begin`: a new leader starts from the state alone.
 */

import type { ClusterEvent } from '../events/event.ts';
import type { Random } from '../runtime/random.ts';
import type { ChangeSet } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** What a loop is given to decide with. */
export interface DecideContext {
  /** The leader's time, milliseconds since 1970; never before the state's own. */
  readonly at: number;
  /** For ids and for choices among equals. */
  readonly random: Random;
  /** In a rehearsal: what an update waits for (a delay, its monitor, a promotion) counts as having come. */
  readonly waits?: 'over';
}

/** What a loop wants. */
export interface Decision {
  /** Events that are to happen together. Empty: nothing to do. */
  readonly events: readonly ClusterEvent[];
  /** There is more to decide: call again in a later turn, on the state as it is then. */
  readonly more: boolean;
  /** Look again at this time though nothing may have changed by then; milliseconds since 1970, the leader's clock. */
  readonly wakeAt?: number;
}

/** Nothing to do. */
export const NOTHING: Decision = { events: [], more: false };

/**
 * Most rows that one transaction of a loop carries. Deciding, applying and telling them is one piece of work, which must
 * not hold up a heartbeat; 10,000 would still be under the 512 KiB that a transaction may have.
 */
export const ROWS_PER_TRANSACTION = 2_000;

/** One control loop. */
export interface ControlLoop {
  /** `orchestrator/replicated`: the folder, and which. It is the actor of the loop's transactions. */
  readonly name: string;
  /** A leadership begins: forget everything, and mark for looking at whatever the state leaves to do. */
  begin(state: ClusterState): void;
  /** Marks what these changes make worth looking at. Called for every transaction, in order, the loop's own too. */
  observe(changes: ChangeSet, state: ClusterState): void;
  /**
   * Of a loop that also goes by what is not of the state, such as a metric: it calls `wake` when there is news. Returns the
   * way to stop.
   */
  listen?(wake: () => void): () => void;
  /** Decides about what is marked. The state holds all that was observed. */
  decide(state: ClusterState, context: DecideContext): Decision;
}
