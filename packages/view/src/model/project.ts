/** Objects of a cluster as rows of the view. Pure. */

import type { Cluster, Network, Node, PastCluster, Service, ServiceStatus, Task } from '@skep/core';
import type { NetworkRow, NodeRow, PortRow, ServiceRow, TaskRow, ViewSnapshot } from './rows.ts';

/** What a snapshot is read off: a cluster now, or one of the past. */
export type Readable = Pick<Cluster | PastCluster, 'services' | 'nodes' | 'tasks' | 'networks'>;

/** Longest text of a row; what an object tells may be longer. */
const TEXT_MAX = 500;

export function nodeRow({ id, spec, status, description }: Node): NodeRow {
  return {
    ...{ id, name: description.hostname, state: status.state, message: status.message },
    ...{ availability: spec.availability, role: spec.role, address: status.address },
    driver: description.engine.driver,
    cpus: description.resources.cpus,
    memoryBytes: description.resources.memoryBytes,
    labels: spec.labels,
  };
}

export function serviceRow(service: Service, status: ServiceStatus): ServiceRow {
  const { id, spec, endpoint } = service;
  const { desired, running, current, converged, reasons, update } = status;
  const ports = (endpoint?.ports ?? spec.ports).map(
    ({ published, target, protocol }): PortRow => ({
      ...(published === undefined ? {} : { published }),
      ...{ target, protocol },
    }),
  );
  return {
    ...{ id, name: spec.name, mode: spec.mode },
    image: spec.task.image ?? spec.task.command?.join(' ') ?? '',
    ...{ desired, running, current, converged, ports },
    reasons: reasons.map(clipped),
    networks: spec.task.networks.map(({ name }) => name),
    ...(update === undefined
      ? {}
      : {
          update: {
            ...{ state: update.state, message: clipped(update.message) },
            ...{ slots: update.slots, failures: update.failures },
          },
        }),
  };
}

export function taskRow({ id, serviceId, slot, nodeId, status, desiredState, explanation }: Task): TaskRow {
  const error = status.error ?? explanation?.message;
  return {
    ...{ id, service: serviceId, slot },
    ...(nodeId === undefined ? {} : { node: nodeId }),
    ...{ state: status.state, desired: desiredState, since: status.at },
    ...(error === undefined ? {} : { error: clipped(error) }),
  };
}

export function networkRow({ id, spec }: Network): NetworkRow {
  return { id, name: spec.name };
}

/** All rows of a cluster. @param moment - what it is the state of */
export function snapshotOf(
  readable: Readable,
  moment: { readonly index: number; readonly at: number },
): ViewSnapshot {
  const { services, nodes, tasks, networks } = readable;
  return {
    ...{ index: moment.index, at: moment.at },
    nodes: nodes.list().map(nodeRow),
    services: services.list().map((service) => serviceRow(service, services.status(service.id))),
    tasks: tasks.list().map(taskRow),
    networks: networks.list().map(networkRow),
  };
}

/** A text that is no longer than a row may be. */
export function clipped(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}
