/**
 * Versions of the events on disk. An event is written whole, with its version before it; one of an older version is
 * brought up to the newest when it is read, for ever. To change an event's shape: raise its version here, add the
 * function from the old shape to the new one, and add an old record to `versions.test.ts`.
 */

import type { ClusterEvent, EventType } from './event.ts';

/** An event as it was written, of any version. Its `type` never changes. */
export type WrittenEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** Brings an event from one version to the next. */
type Upcast = (event: WrittenEvent) => WrittenEvent;

/** History of one event's shape: `upcasts[0]` brings version 1 to version 2. The newest version follows from it. */
export type EventHistory = readonly Upcast[];

/** Fields were added that may be absent: an event without them says what it said. */
const unchanged: Upcast = (event) => event;

/**
 * The history of every event. An event that never changed has an empty one: version 1. Version 2 of a service's events
 * came with what a container runs under: init, ulimits, sysctls, capabilities, devices, privileged, log driver, and the
 * health test `none`; version 2 of what the scheduler decided, with its reasons;
 * version 2 of a removal, with tasks that follow the service. Version 3 of a service's events came with what its life
 * from create to remove is like: how it leaves its endpoints; version 2 of the cluster's with how long that is waited
 * for, and of a node's with its endpoint feed and with that it may say that it leaves.
 * Jobs, schedules and start order came with version 3 of a service's events, too, and with version 2 of new tasks and
 * of the desired state (`complete`). Version 4 of a service's events came with how it is updated and rolled
 * back; version 5, and version 2 of a rollback, with a metric that decides about the number of its tasks. Version 2 of
 * what the allocator gave came with addresses in networks; version 3 of the cluster's events with the pools of these.
 */
export const EVENT_HISTORY: Readonly<Record<EventType, EventHistory>> = {
  'cluster.created': [unchanged, unchanged],
  'cluster.updated': [unchanged, unchanged],
  'cluster.rebalancing': [],
  'cluster.rebalanced': [],
  'node.joined': [unchanged],
  'node.updated': [unchanged],
  'node.described': [unchanged],
  'node.status': [unchanged],
  'node.removed': [],
  'node.attached': [],
  'service.created': [unchanged, unchanged, unchanged, unchanged],
  'service.updated': [unchanged, unchanged, unchanged, unchanged],
  'service.update-status': [],
  'service.rolled-back': [unchanged],
  'service.removed': [unchanged],
  'service.allocated': [unchanged],
  'service.unallocated': [unchanged],
  'service.run-started': [],
  'service.run-ended': [],
  'service.run-missed': [],
  'service.autoscaled': [],
  'service.metric-lost': [],
  'service.metric-found': [],
  'task.created': [unchanged, unchanged],
  'task.allocated': [unchanged],
  'task.unallocated': [],
  'task.assigned': [unchanged],
  'task.unplaced': [unchanged],
  'task.status': [],
  'task.desired': [unchanged],
  'task.dependencies-met': [],
  'task.released': [],
  'task.evicted': [],
  'task.kept': [],
  'task.preempted': [],
  'task.nominated': [],
  'task.unnominated': [],
  'task.removed': [],
  'volume.forgotten': [],
  'network.created': [],
  'network.updated': [],
  'network.removed': [],
  'network.allocated': [],
  'network.unallocated': [],
  'secret.created': [],
  'secret.updated': [],
  'secret.rotated': [],
  'secret.pruned': [],
  'secret.removed': [],
  'config.created': [],
  'config.updated': [],
  'config.rotated': [],
  'config.pruned': [],
  'config.removed': [],
  'vault.stored': [],
  'vault.removed': [],
};

/** A record can't be understood by this version of Skep. Going on would make the state drift from the log. */
export class UnreadableEventError extends Error {
  override readonly name = 'UnreadableEventError';
}

/** The version in which an event is written today. */
export function newestVersion(type: EventType, histories = EVENT_HISTORY): number {
  return histories[type].length + 1;
}

/**
 * Brings an event as it was written up to its newest version.
 *
 * @throws UnreadableEventError if a newer Skep wrote it.
 */
export function upcast(version: number, event: WrittenEvent, histories = EVENT_HISTORY): ClusterEvent {
  const { type } = event;
  const history = Object.hasOwn(histories, type) ? histories[type as EventType] : undefined;
  if (!history)
    throw new UnreadableEventError(`event '${type}' is unknown here: a newer Skep wrote this log`);
  const newest = history.length + 1;
  if (!Number.isInteger(version) || version < 1 || version > newest) {
    throw new UnreadableEventError(`event '${type}' has version ${version}, this Skep reads 1 to ${newest}`);
  }
  // Most events are of the newest version, and there are millions of them in a log: they are taken as they are.
  if (version === newest) return event as ClusterEvent;
  return history.slice(version - 1).reduce((older, step) => step(older), event) as ClusterEvent;
}
