/** The cluster as it is shown, as plain data that one process can hand to another. */

import type { Cluster, Node, NodeId, Service, ServiceStatus, Task } from '@skep/core';

/** The cluster at one moment, as one manager knew it. */
export interface Picture {
  readonly services: readonly ServicePicture[];
  readonly tasks: readonly Task[];
  readonly nodes: readonly Node[];
  /** Undefined while the managers elect one. */
  readonly leader: NodeId | undefined;
}

/** A service and how far it is. */
export interface ServicePicture {
  readonly service: Service;
  readonly status: ServiceStatus;
}

/** Takes a picture. @param nodeId - of the manager that takes it */
export function takePicture(cluster: Cluster, nodeId: NodeId): Picture {
  const services = cluster.services.list();
  return {
    services: services.map((service) => ({ service, status: cluster.services.status(service.id) })),
    tasks: cluster.tasks.list(),
    nodes: cluster.nodes.list(),
    leader: leaderOf(cluster, nodeId),
  };
}

function leaderOf(cluster: Cluster, nodeId: NodeId): NodeId | undefined {
  const { leadership } = cluster.health.log;
  if (leadership.role === 'leader') return nodeId;
  if (leadership.role === 'none') return undefined;
  // A member of the log is a node at one time of its being a manager, and named `<node id>.<which time>`.
  return leadership.leader?.split('.')[0] as NodeId | undefined;
}
