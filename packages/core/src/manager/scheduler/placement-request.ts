/** What the scheduler asks of placing: so many tasks of one kind. */

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
