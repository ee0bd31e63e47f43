/** Single events of arbitrary histories, made from the numbers that were drawn for them. */

import type { ClusterEvent } from '../events/event.ts';
import { asId, type NetworkId, type ServiceId } from '../model/ids.ts';

/** What a service's tasks are counted by. */
export function metricOf(c: number): 'cpu' | 'memory' {
  return c % 5 === 0 ? 'memory' : 'cpu';
}

/** A metric asks for another number of tasks, is lost or found. */
export function scaleEvent(id: ServiceId, b: number, c: number): ClusterEvent {
  switch (c % 3) {
    case 0:
      return { type: 'service.autoscaled', id, from: 1, to: 1 + (b % 5), value: c, reason: 'cpu is high' };
    case 1:
      return { type: 'service.metric-lost', id, reason: 'no value has come' };
    default:
      return { type: 'service.metric-found', id };
  }
}

/** A run of a job begins, ends or is missed; those that it names may not be there. */
export function runEvent(id: ServiceId, b: number, c: number): ClusterEvent {
  const iteration = 1 + (c % 4);
  switch (b % 3) {
    case 0:
      return {
        type: 'service.run-started',
        id,
        iteration: iteration + 4,
        dueAt: b,
        stops: [c % 9, iteration],
      };
    case 1:
      return {
        type: 'service.run-ended',
        id,
        iteration,
        ...(c % 2 === 0 ? { outcome: 'completed' } : { outcome: 'failed', message: 'exit code 1' }),
      };
    default:
      return { type: 'service.run-missed', id, missed: { dueAt: b, count: 1, reason: 'late' } };
  }
}

/** A network gets its subnet, or hears why there is none. */
export function networkAllocated(id: NetworkId, b: number): ClusterEvent {
  if (b % 2 === 0) return { type: 'network.unallocated', id, error: `pool ${b} is full` };
  const subnet = { subnet: `10.${b % 256}.0.0/24`, gateway: `10.${b % 256}.0.1` };
  return { type: 'network.allocated', id, allocation: { subnets: [subnet], vni: 4_096 + b } };
}

/** A secret or config has another value. */
export function fileRotated(kind: 'secret' | 'config', name: string, b: number): ClusterEvent {
  const revision = 2 + (b % 5);
  if (kind === 'config')
    return { type: 'config.rotated', id: asId(name), revision, data: Uint8Array.of(b % 256) };
  return { type: 'secret.rotated', id: asId(name), revision, digest: `digest-${b}`, sizeBytes: b };
}
