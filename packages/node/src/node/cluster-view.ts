/** What RPC and Raft ask of the cluster to know whom they deal with, also while it is not open yet. */

import type { Clock, Cluster, ClusterId, NodeId } from '@skep/core';
import { withDeadline } from '@skep/core/member';
import { membersOf } from '@skep/raft';
import type { RaftEventLog } from '@skep/raft/event-log';
import { NodeError } from '../errors.ts';
import { roleOf } from '../membership/news-desk.ts';
import type { Membership } from '../rpc/caller.ts';
import type { LeaderPlace } from '../rpc/leader-route.ts';
import { nodeOfMember } from '../security/identity.ts';

/** What a view is of. */
export interface ClusterViewParts {
  readonly log: Pick<RaftEventLog, 'barrier' | 'leadership'> & {
    readonly node: { readonly status: Pick<RaftEventLog['node']['status'], 'configuration' | 'leader'> };
  };
  readonly clusterId: ClusterId;
  readonly clock: Clock;
}

/** A manager that lags gives up after so long, in ms. */
const CATCH_UP_MS = 5_000;

/** The cluster as this manager knows it. */
export class ClusterView implements Membership {
  readonly #parts: ClusterViewParts;
  cluster: Pick<Cluster, 'nodes' | 'leading'> | undefined;

  constructor(parts: ClusterViewParts) {
    this.#parts = parts;
  }

  get clusterId(): ClusterId {
    return this.#parts.clusterId;
  }

  roleOf(node: NodeId) {
    return this.cluster === undefined ? undefined : roleOf({ cluster: this.cluster }, node);
  }

  async catchUp(): Promise<void> {
    if (this.cluster === undefined) throw new NodeError('BUSY', 'this manager does not know the cluster yet');
    const { log, clock } = this.#parts;
    try {
      await withDeadline(clock, { timeout: CATCH_UP_MS }, 'the state of the others', (signal) =>
        log.barrier({ signal }),
      );
    } catch (error) {
      throw new NodeError('NOT_LEADER', 'this manager can not catch up with the others', error);
    }
  }

  /**
   * Whether a member, which has shown a certificate of a manager, may speak in Raft. A manager of before has one still,
   * and could depose who leads. While nobody is known to lead, what is known here may be of long ago, and the others
   * all new: then only those are refused that are out for good.
   */
  mayTakePart(member: string): boolean {
    const { configuration, leader } = this.#parts.log.node.status;
    if (membersOf(configuration).includes(member)) return true;
    if (configuration.removed.includes(member)) return false;
    if (this.cluster === undefined || leader === undefined) return true;
    return this.roleOf(nodeOfMember(member)) === 'manager';
  }

  place(memberId: string): LeaderPlace {
    if (this.cluster?.leading) return { kind: 'here' };
    const { log } = this.#parts;
    const leadership = log.leadership();
    const leader = leadership.role === 'follower' ? leadership.leader : undefined;
    const address = leader === undefined ? undefined : log.node.status.configuration.addresses[leader];
    if (leader === undefined || leader === memberId || address === undefined) return { kind: 'unknown' };
    return { kind: 'there', nodeId: nodeOfMember(leader), address };
  }
}
