/** What the services of a manager work with. */

import type { Clock, Cluster, ClusterId, Logger, NodeId, Random } from '@skep/core';
import type { RaftEventLog } from '@skep/raft/event-log';
import type { Credentials } from '../security/credentials.ts';
import type { TrustKeeper } from './trust-keeper.ts';

/** One running manager. */
export interface ManagerContext {
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  /** Its membership in Raft. */
  readonly memberId: string;
  readonly cluster: Cluster;
  /** The member of Raft under the cluster's log. */
  readonly raft: RaftEventLog['node'];
  readonly trust: TrustKeeper;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Addresses of the managers, as Raft's configuration has them. */
export function managerAddresses({ raft }: Pick<ManagerContext, 'raft'>): readonly string[] {
  return Object.values(raft.status.configuration.addresses);
}
