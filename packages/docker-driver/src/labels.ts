/**
 * Whose an object of the engine is. Everything that a driver makes carries its cluster's and its node's id, and it
 * touches nothing that does not carry both, so that many nodes and strangers may share an engine.
 */

import type { DriverContext, RuntimeTask } from '@skep/core/driver';

/** The node's ids. */
export type Owner = Pick<DriverContext, 'clusterId' | 'nodeId'>;

type Labels = Readonly<Record<string, string>>;

/** Names of the labels. */
export const CLUSTER_LABEL = 'skep.cluster.id';
export const NODE_LABEL = 'skep.node.id';
export const TASK_LABEL = 'skep.task.id';
/** On containers that run under a lease. */
const LEASE_LABEL = 'skep.lease.ms';

/** What every object of a node carries. */
export function ownLabels({ clusterId, nodeId }: Owner): Labels {
  return { [CLUSTER_LABEL]: clusterId, [NODE_LABEL]: nodeId };
}

/** What a task's container carries: the spec's labels, and over them those that say whose it is. */
export function taskLabels(task: RuntimeTask, owner: Owner): Labels {
  return {
    ...task.spec.labels,
    ...ownLabels(owner),
    [TASK_LABEL]: task.id,
    'skep.task.name': task.name,
    'skep.task.slot': String(task.slot),
    'skep.service.id': task.serviceId,
    'skep.service.name': task.serviceName,
    ...(task.leaseMs !== undefined && { [LEASE_LABEL]: String(task.leaseMs) }),
  };
}

/** Filter for a list of the node's objects, or of one task's. */
export function ownFilter(owner: Owner, taskId?: RuntimeTask['id']): { label: string[] } {
  const labels = { ...ownLabels(owner), ...(taskId !== undefined && { [TASK_LABEL]: taskId }) };
  return { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
}

/** The lease under which the task of a container runs, if it has one; milliseconds. */
export function leaseOf(labels: Labels | undefined): { readonly leaseMs?: number } {
  const text = labels?.[LEASE_LABEL];
  return text === undefined ? {} : { leaseMs: Number(text) };
}

/** The task whose object it is, if it is one of this node. */
export function taskOf(labels: Labels | undefined, owner: Owner): RuntimeTask['id'] | undefined {
  if (labels === undefined) return undefined;
  const isOwn = Object.entries(ownLabels(owner)).every(([name, value]) => labels[name] === value);
  return isOwn ? (labels[TASK_LABEL] as RuntimeTask['id'] | undefined) : undefined;
}
