/** What users ask of nodes, and how a node comes and goes, decided. */

import { PreconditionError } from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import { type NodeId, newId, type TaskId } from '../../model/ids.ts';
import type { Node, NodeDescription, TaskStatus } from '../../model/objects.ts';
import type { NodeSpec } from '../../model/other-specs.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import { isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { DecideContext } from '../control-loop.ts';
import type { Decided } from '../leader-store.ts';
import { checkVersion } from './find.ts';

/** Makes a node a member. The dispatcher declares it ready once its agent has a session. */
export function joinNode(
  request: {
    readonly id?: NodeId;
    readonly spec: NodeSpec;
    readonly description: NodeDescription;
    readonly address: string;
  },
  context: DecideContext,
): Decided<NodeId> {
  const id = request.id ?? newId<NodeId>(context.random);
  return { events: [{ type: 'node.joined', ...request, id }], result: id };
}

/** Changes what a node is to be. @throws VersionConflictError; PreconditionError if it is the last manager. */
export function changeRole(
  head: ClusterState,
  node: Node,
  role: NodeSpec['role'],
  version?: number,
): Decided<NodeId> {
  checkVersion('node', node, version);
  const { id } = node;
  if (node.spec.role === role) {
    return { events: [], result: id, answer: { id, action: 'unchanged', what: 'node' } };
  }
  const isManager = (other: Node) => other.spec.role === 'manager' && other.id !== id;
  if (role === 'worker' && ![...head.nodes()].some(isManager)) {
    throw new PreconditionError(`node ${id} is the last manager and can't be demoted`);
  }
  return {
    events: [{ type: 'node.updated', id, spec: { ...node.spec, role } }],
    result: id,
    answer: { id, action: 'updated', what: 'node' },
  };
}

/** Changes what users may change of a node: labels, availability. @throws VersionConflictError */
export function updateNode(node: Node, spec: NodeSpec, version?: number): Decided<Node['id']> {
  checkVersion('node', node, version);
  if (spec.role !== node.spec.role)
    throw new PreconditionError('a node changes its role by promote and demote');
  const { id } = node;
  return {
    events: [{ type: 'node.updated', id, spec }],
    result: id,
    answer: { id, action: 'updated', what: 'node' },
  };
}

/** Changes whether a node takes tasks, and keeps them. @throws VersionConflictError */
export function setAvailability(
  node: Node,
  wanted: Pick<NodeSpec, 'availability' | 'drainDeadline'>,
  version?: number,
): Decided<NodeId> {
  checkVersion('node', node, version);
  const { id } = node;
  const { drainDeadline: _, ...others } = node.spec;
  const spec: NodeSpec = { ...others, ...wanted };
  if (plainEqual(spec, node.spec)) {
    return { events: [], result: id, answer: { id, action: 'unchanged', what: 'node' } };
  }
  return {
    events: [{ type: 'node.updated', id, spec }],
    result: id,
    answer: { id, action: 'updated', what: 'node' },
  };
}

/**
 * Forgets a node. Its tasks of replicated services are orphaned and replaced, those of global ones are removed.
 *
 * @throws PreconditionError if the node is neither down nor an empty worker that is drained, and `force` is not given.
 */
export function removeNode(
  head: ClusterState,
  node: Node,
  context: DecideContext,
  options: { readonly force?: boolean; readonly version?: number },
): Decided<Node['id']> {
  checkVersion('node', node, options.version);
  if (node.status.state !== 'down' && !options.force && !isEmptied(node, head)) {
    throw new PreconditionError(
      `node ${node.id} is not down and can't be removed: drain it or stop it first, or use force`,
    );
  }
  const orphaned: TaskStatus = {
    state: 'orphaned',
    at: context.at,
    message: 'node removed from the cluster',
  };
  const orphans: { id: TaskId; status: TaskStatus }[] = [];
  const removed: TaskId[] = [];
  for (const task of head.tasksOfNode(node.id)) {
    if (task.slot === 0) removed.push(task.id);
    else if (!isTerminal(task.status.state)) orphans.push({ id: task.id, status: orphaned });
  }
  const events: ClusterEvent[] = [];
  if (orphans.length > 0) events.push({ type: 'task.status', rows: orphans });
  if (removed.length > 0) events.push({ type: 'task.removed', ids: removed });
  const { id } = node;
  return {
    events: [...events, { type: 'node.removed', id }],
    result: id,
    answer: { id, action: 'removed', what: 'node' },
  };
}

/** A worker that takes no tasks and has none left. */
function isEmptied({ id, spec }: Node, head: ClusterState): boolean {
  if (spec.role !== 'worker' || spec.availability !== 'drain') return false;
  for (const { status } of head.tasksOfNode(id)) if (!isTerminal(status.state)) return false;
  return true;
}
