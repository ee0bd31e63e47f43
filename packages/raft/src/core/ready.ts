/**
 * What the core wants done, taken with `takeReady()` after inputs were given. The core hands over and goes on: it
 * never waits. What must wait for what is written at each field.
 */

import type { Message } from './message.ts';
import type { Entry, HardState, LogIndex, MemberId, RoleName, SnapshotDescription, Term } from './types.ts';

/**
 * One write. Batches are numbered and must become durable in that order. When one has, the driver sends its messages
 * and then reports `persisted(sequence)`; several batches may be under way at once.
 */
export interface PersistBatch {
  readonly sequence: number;
  /** Written before everything else in the batch. */
  readonly hardState?: HardState;
  /** Replaces the whole log; its bytes were received already and become the newest snapshot now. */
  readonly snapshot?: SnapshotDescription;
  /** Appended; whatever the disk holds at and behind the first one's index is dropped. */
  readonly entries: readonly Entry[];
  /** To be sent only when this batch, and all before it, are durable: votes, and acknowledgements of entries. */
  readonly messages: readonly Message[];
}

/** Why a read was not confirmed. It was not served; asking again is safe. */
export type ReadRefusal =
  | 'no-leader'
  | 'leadership-lost'
  | 'timed-out'
  | 'busy'
  | 'refused-by-leader'
  | 'faulted';

/** How a read ended. */
export type ReadResult =
  /** The local state machine holds all that was committed before the read was asked for, at least up to `index`. */
  | { readonly kind: 'ready'; readonly read: ReadToken; readonly index: LogIndex }
  | { readonly kind: 'refused'; readonly read: ReadToken; readonly reason: ReadRefusal };

/** Names a read between the driver and its core. */
export type ReadToken = number;

/** This member's part, whenever it changed. */
export interface RoleChange {
  readonly role: RoleName;
  readonly term: Term;
  /** Who leads, if known. */
  readonly leader?: MemberId;
}

/** A transfer that came to nothing. One that succeeds shows as a change of role. */
export interface TransferFailure {
  readonly target: MemberId;
  readonly reason: 'timed-out' | 'refused' | 'target-removed';
}

/** Work for the driver. Fields that have nothing to do are absent or empty. */
export interface Ready {
  /** May be sent at once, in this order. */
  readonly messages: readonly Message[];
  readonly persist?: PersistBatch;
  /** Replace the state machine by this snapshot, before applying `apply`; then report `applied(index)`. */
  readonly restore?: SnapshotDescription;
  /** Committed and durable here: apply in order, then report `applied(index of the last)`. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadResult[];
  readonly roleChange?: RoleChange;
  readonly transferFailure?: TransferFailure;
  /**
   * This member's disk has forgotten what it had acknowledged. It takes no part any more: it has to be removed and
   * come back empty under a new id.
   */
  readonly fault?: 'log-regressed';
}
