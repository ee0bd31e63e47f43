/** The way back to a service's previous spec, by hand or because an update failed. */

import type { ClusterEvent } from '../../../events/event.ts';
import { withinBounds } from '../../../model/autoscale.ts';
import type { Service, UpdateStatus } from '../../../model/objects.ts';
import { plainEqual } from '../../../model/plain-equal.ts';
import type { ServiceSpec } from '../../../model/service-spec.ts';

/**
 * The events of a rollback that nobody asked for, or that ends an update which goes on; undefined: there is no spec to go
 * back to. The number of replicas stays as it is now: whoever scaled the service meanwhile did not mean to undo that.
 */
export function rollBack(service: Service, message: string, at: number): ClusterEvent[] | undefined {
  const { previousSpec: previous, spec } = service;
  if (previous === undefined) return undefined;
  return [rolledBack(service, withReplicasOf(previous, spec), message, at)];
}

/** The spec with the number of replicas of another one, as far as its own autoscaling allows. */
function withReplicasOf(spec: ServiceSpec, { replicas }: ServiceSpec): ServiceSpec {
  const { replicas: _, ...rest } = spec;
  return replicas === undefined ? rest : { ...rest, replicas: withinBounds(replicas, spec.autoscale) };
}

/**
 * The event of a rollback by hand: all of the previous spec comes back, save for a number of replicas that a metric
 * decides about. A job begins another run with it.
 */
export function returnToPrevious(service: Service, before: ServiceSpec, at: number): ClusterEvent {
  const previous = before.autoscale === undefined ? before : withReplicasOf(before, service.spec);
  if (!service.jobStatus) return rolledBack(service, previous, 'manually requested rollback', at);
  const portsChanged = differInPorts(service.spec, previous);
  const { id } = service;
  return { type: 'service.updated', id, spec: previous, tasksChanged: true, portsChanged, beginsRun: true };
}

/** The spec that it leaves becomes the previous one. */
function rolledBack(
  { id, spec: present, updateStatus }: Service,
  spec: ServiceSpec,
  message: string,
  at: number,
): ClusterEvent {
  const { holdsBack, servesOnly } = updateStatus ?? {};
  const status: UpdateStatus = {
    state: 'rollback_started',
    startedAt: at,
    message,
    slots: updateStatus?.slots ?? 0,
    failures: 0,
    // Those that got no traffic get none on the way back either.
    ...(holdsBack === undefined || servesOnly !== undefined ? {} : { holdsBack }),
  };
  return { type: 'service.rolled-back', id, status, spec, portsChanged: differInPorts(present, spec) };
}

function differInPorts(a: ServiceSpec, b: ServiceSpec): boolean {
  return !plainEqual(a.ports, b.ports) || a.endpointMode !== b.endpointMode;
}
