/** What events of nodes, and of the cluster itself, do. */

import type { ClusterEvent } from '../../events/event.ts';
import type { ClusterObject, Node } from '../../model/objects.ts';
import { InconsistentEventError, type StateDraft } from '../state-draft.ts';
import type { Stamp } from './stamp.ts';

type NodeEvent = Extract<ClusterEvent, { readonly type: `node.${string}` | `cluster.${string}` }>;

export function evolveNode(draft: StateDraft, event: NodeEvent, stamp: Stamp): void {
  const touched = { version: stamp.index, updatedAt: stamp.at };
  switch (event.type) {
    case 'cluster.created':
      draft.setCluster({ id: event.id, spec: event.spec, createdAt: stamp.at, ...touched });
      draft.setDigestKey(new Uint8Array(event.digestKey));
      return;
    case 'cluster.updated':
      draft.setCluster({ ...formed(draft), ...touched, spec: event.spec });
      return;
    case 'cluster.rebalancing':
      draft.setCluster({ ...formed(draft), ...touched, rebalance: event.rebalance });
      return;
    case 'cluster.rebalanced': {
      const { type: _, ...outcome } = event;
      const { rebalance: __, ...cluster } = formed(draft);
      draft.setCluster({ ...cluster, ...touched, lastRebalance: { ...outcome, at: stamp.at } });
      return;
    }
    case 'node.joined':
      draft.putNode({
        id: event.id,
        createdAt: stamp.at,
        ...touched,
        spec: event.spec,
        description: event.description,
        status: { state: 'unknown', message: 'joined', since: stamp.at, address: event.address },
      });
      return;
    case 'node.updated':
      draft.putNode({ ...existing(draft, event.id), ...touched, spec: event.spec });
      return;
    case 'node.described': {
      const node = existing(draft, event.id);
      draft.putNode({
        ...node,
        ...touched,
        description: event.description,
        status: { ...node.status, address: event.address },
      });
      return;
    }
    case 'node.status':
      for (const id of event.ids) {
        const node = existing(draft, id);
        draft.putNode({
          ...node,
          ...touched,
          status: {
            state: event.state,
            message: event.message,
            since: event.state === node.status.state ? node.status.since : stamp.at,
            address: node.status.address,
            ...(event.tasksKept ? { tasksKept: true } : {}),
          },
        });
      }
      return;
    case 'node.attached':
      for (const { nodeId, attachments } of event.rows) {
        const { attachments: _, ...node } = existing(draft, nodeId);
        draft.putNode({ ...node, ...touched, ...(attachments.length === 0 ? {} : { attachments }) });
      }
      return;
    case 'node.removed':
      draft.deleteNode(event.id);
  }
}

function formed({ cluster }: StateDraft): ClusterObject {
  if (!cluster) throw new InconsistentEventError('there is no cluster yet');
  return cluster;
}

function existing(draft: StateDraft, id: Node['id']): Node {
  const node = draft.node(id);
  if (!node) throw new InconsistentEventError(`node ${id} does not exist`);
  return node;
}
