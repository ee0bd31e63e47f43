/** What the orchestrators ask of a task's node. Pure; a new leader's `unknown` is never taken for a loss. */

import type { NodeId } from '../../model/ids.ts';
import { leaseWaitMs } from '../../model/lease.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import { isTerminal, taskStateRank } from '../../model/task-state.ts';

/** Where nodes are looked up; a `ClusterState` is one. */
export interface NodeLookup {
  node(id: NodeId): Node | undefined;
}

/**
 * Tasks must leave it: missing, down or drained. A node that is unknown, suspect or paused keeps its tasks (Swarm's
 * rule), and so does one that is down while too much is lost at once.
 */
export function isInvalidNode(node: Node | undefined): boolean {
  if (node === undefined || node.spec.availability === 'drain') return true;
  return node.status.state === 'down' && !node.status.tasksKept;
}

/**
 * When the tasks of a service on this node are to be replaced because it is down: the service may want to wait for it,
 * or has to until their leases have run out.
 * Undefined when that time has come, and when there is nothing to wait for.
 */
export function evictsAt(service: Service, node: Node | undefined, at: number): number | undefined {
  if (node?.status.state !== 'down') return undefined;
  const { evictAfterMs = 0, maxOne } = service.spec;
  const waitMs = node.spec.availability === 'drain' ? 0 : evictAfterMs;
  const due = node.status.since + Math.max(waitMs, maxOne ? leaseWaitMs(maxOne.leaseMs) : 0);
  return due > at ? due : undefined;
}

/** Nothing can be heard from it any more, so there is no sense in waiting for what runs there. */
export function isGoneNode(node: Node | undefined): boolean {
  return node === undefined || node.status.state === 'down';
}

/** The task has a node, and must leave it. */
export function isOnInvalidNode(task: Task, nodes: NodeLookup): boolean {
  return task.nodeId !== undefined && isInvalidNode(nodes.node(task.nodeId));
}

/** The task may be at work somewhere: it was given to a node that can be heard, and has not ended. */
export function mayBeAtWork(task: Task, nodes: NodeLookup): boolean {
  const { state } = task.status;
  return (
    task.nodeId !== undefined &&
    !isTerminal(state) &&
    taskStateRank(state) >= taskStateRank('assigned') &&
    !isGoneNode(nodes.node(task.nodeId))
  );
}

/** The same nodes, each looked up once: for looks at very many tasks of few nodes in one state. */
export function rememberingNodes(nodes: NodeLookup): NodeLookup {
  const known = new Map<NodeId, Node | undefined>();
  return {
    node(id) {
      let node = known.get(id);
      if (node === undefined && !known.has(id)) {
        node = nodes.node(id);
        known.set(id, node);
      }
      return node;
    },
  };
}
