/** How a member is, as one object. */

import type { LogStatus } from '../log/event-log.ts';
import type { LoopStatus } from '../manager/loop-runner.ts';

/** What a cluster tells of itself, for health pages and metrics. */
export interface ClusterHealth {
  /** Index of the newest committed transaction. */
  readonly index: number;
  /** When that was committed, by the leader's clock; milliseconds since 1970. */
  readonly at: number;
  readonly leading: boolean;
  readonly log: LogStatus;
  readonly loops: readonly LoopStatus[];
}
