/** What the orchestrators ask of a task's node. Pure; a new leader's `unknown` is never taken for a loss. */

import type { NodeId } from '../../model/ids.ts';
import type { Node, Task } from '../../model/objects.ts';
import { isTerminal, taskStateRank } from '../../model/task-state.ts';

/** Where nodes are looked up; a `ClusterState` is one. */
export interface NodeLookup {
  node(id: NodeId): Node | undefined;
}

/** Tasks must leave it: missing, down or drained. A node that is unknown or paused keeps its tasks (Swarm's rule). */
export function isInvalidNode(node: Node | undefined): boolean {
  return node === undefined || node.status.state === 'down' || node.spec.availability === 'drain';
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
