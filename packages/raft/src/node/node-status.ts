/** A node at one moment, for health pages, callbacks and tests. */

import type { Configuration, LogIndex, MemberId, RoleName, Term } from '../core/types.ts';

/** This member's part as others may rely on it. */
export interface NodeLeadership {
  readonly role: RoleName;
  readonly term: Term;
  /** Who leads, if known. */
  readonly leader?: MemberId;
  /** This member leads, and has applied everything that was committed before its term. */
  readonly isServing: boolean;
}

/** One node. */
export interface NodeStatus extends NodeLeadership {
  readonly id: MemberId;
  readonly state: 'new' | 'starting' | 'running' | 'failed' | 'closed';
  /** Why it has failed. */
  readonly failure?: Error;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly snapshotIndex: LogIndex;
  readonly configuration: Configuration;
  readonly pendingProposals: number;
  readonly pendingReads: number;
}
