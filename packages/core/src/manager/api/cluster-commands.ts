/** What users ask of the cluster itself, decided. */

import { PreconditionError } from '../../errors.ts';
import type { ClusterSpec } from '../../model/other-specs.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { Decided } from '../leader-store.ts';
import { checkVersion } from './find.ts';

/** Changes the cluster's settings. @throws VersionConflictError */
export function updateCluster(head: ClusterState, spec: ClusterSpec, version?: number): Decided<undefined> {
  if (!head.cluster) throw new PreconditionError('the cluster is not formed yet');
  checkVersion('cluster', head.cluster, version);
  return {
    events: [{ type: 'cluster.updated', spec }],
    result: undefined,
    answer: { id: head.cluster.id, action: 'updated', what: 'cluster' },
  };
}
