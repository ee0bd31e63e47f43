/** Who may receive traffic, read off the state. */

import type { Endpoint, Endpoints } from '../model/endpoint.ts';
import type { Node, Service, Task } from '../model/objects.ts';
import { isMeantToRun } from '../model/task-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { isHeldBack } from './update-standing.ts';

/**
 * The task as an endpoint, if it may receive traffic: it runs (which means healthy, where health is probed), it is
 * meant to, and its node is neither down nor about to leave. A task that is told to stop leaves in the same transaction
 * that tells it, and so do all tasks of a node that says that it leaves. Those of a blue/green update join all at once.
 */
export function endpointOf(state: Pick<ClusterState, 'node' | 'service'>, task: Task): Endpoint | undefined {
  if (!mayBeEndpoint(task) || task.nodeId === undefined) return undefined;
  const service = state.service(task.serviceId);
  if (service?.updateStatus && isHeldBack(service, task.specVersion)) return undefined;
  const node = state.node(task.nodeId);
  if (!node || !mayHaveEndpoints(node)) return undefined;
  return {
    taskId: task.id,
    nodeId: task.nodeId,
    address: node.status.address,
    ports: task.status.runtime?.ports ?? [],
    ...(task.attachments && { attachments: task.attachments }),
  };
}

/** The endpoints of a service. */
export function endpointsOf(state: ClusterState, service: Pick<Service, 'id'>): Endpoints {
  const endpoints: Endpoint[] = [];
  for (const task of state.tasksOfService(service.id)) {
    const endpoint = endpointOf(state, task);
    if (endpoint) endpoints.push(endpoint);
  }
  return endpoints.sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
}

/** True where only the task's node, or its service's update, stands between it and the endpoint feeds. */
export function mayBeEndpoint({ status, desiredState }: Task): boolean {
  return status.state === 'running' && isMeantToRun(desiredState);
}

/** True for a node whose tasks may receive traffic. */
export function mayHaveEndpoints({ status }: Node): boolean {
  return status.state !== 'down' && status.state !== 'leaving';
}
