/** What the scheduler asks of placing: so many tasks of one kind; and what it gets. */

import type { PlacementCandidate } from '../../model/placement.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import type { Requirements } from './requirements.ts';
import type { ServiceEntry } from './service-entry.ts';

/** Tasks that are alike and want nodes. */
export interface PlacementRequest {
  readonly service: ServiceEntry;
  readonly specVersion: number;
  readonly requirements: Requirements;
  /** How many tasks. */
  readonly count: number;
  /** For what counts as lately; milliseconds since 1970. */
  readonly at: number;
  /**
   * Whether all nodes are looked at, or no more than it takes to be sure. The placement is the same; what differs is
   * the cost, and of how many nodes it can say why they won't do. Default: whichever is cheaper.
   */
  readonly look?: 'all' | 'few';
}

/** Nodes looked at, or tasks placed, between two chances to stop. */
export const WORK_PER_STEP = 4_096;

/** What came of a request. */
export interface Placement {
  /** How many tasks got a node. */
  readonly placed: number;
  /** The nodes' slots, in the order in which they were given; as long as the request, filled up to `placed`. */
  readonly slots: Int32Array;
  /** For the same tasks, the named resources that they get; empty when none were asked for. */
  readonly generic: readonly (AssignedGeneric | undefined)[];
  /** Nodes looked at: all, when not every task was placed. */
  readonly nodes: number;
  /** By verdict, how many nodes each filter turned away at the end, of those looked at. */
  readonly rejected: Uint32Array;
  /** The best nodes for the first of the tasks. */
  readonly candidates: readonly PlacementCandidate[];
}
