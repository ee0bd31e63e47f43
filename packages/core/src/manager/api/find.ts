/** Finding objects by what people type: an id or a name. */

import { AmbiguousError, InvalidSpecError, NotFoundError, VersionConflictError } from '../../errors.ts';
import type { NodeId, ServiceId, TaskId } from '../../model/ids.ts';
import type { Meta, Node, Service, Task } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

/** Refuses what can't name an object, as callers without types may send it. @throws InvalidSpecError */
export function checkRef(kind: string, ref: unknown): void {
  if (typeof ref !== 'string')
    throw new InvalidSpecError([{ field: kind, rule: 'must be an id or a name, as text' }]);
  if (ref.trim() === '')
    throw new InvalidSpecError([{ field: kind, rule: 'must be an id or a name, and is empty' }]);
}

/** The service with this id or name. @throws NotFoundError, InvalidSpecError */
export function findService(state: ClusterState, ref: string): Service {
  checkRef('service', ref);
  const service = state.service(ref as ServiceId) ?? state.serviceByName(ref);
  if (!service) throw new NotFoundError('service', ref);
  return service;
}

/**
 * The id of the service that this id or name stands for, one that was removed and whose tasks still stop included. A
 * name that is in use again is that of the present service.
 *
 * @throws NotFoundError, InvalidSpecError
 */
export function findServiceOrDeparted(state: ClusterState, ref: string): ServiceId {
  checkRef('service', ref);
  const id = ref as ServiceId;
  if (state.service(id) || state.hasDeparted(id)) return id;
  const named = state.serviceByName(ref)?.id ?? state.departedService(ref);
  if (named === undefined) throw new NotFoundError('service', ref);
  return named;
}

/** The node with this id, or the only one with this hostname. @throws NotFoundError, AmbiguousError, InvalidSpecError */
export function findNode(state: ClusterState, ref: string): Node {
  checkRef('node', ref);
  const byId = state.node(ref as NodeId);
  if (byId) return byId;
  const named = [...state.nodes()].filter((node) => node.description.hostname === ref);
  const [only] = named;
  if (!only) throw new NotFoundError('node', ref);
  if (named.length > 1) {
    throw new AmbiguousError(
      'node',
      ref,
      named.map(({ id }) => id),
    );
  }
  return only;
}

/** The task with this id. @throws NotFoundError, InvalidSpecError */
export function findTask(state: ClusterState, ref: string): Task {
  checkRef('task', ref);
  const task = state.task(ref as TaskId);
  if (!task) throw new NotFoundError('task', ref);
  return task;
}

/** Compares the version that a caller read with the object's. @throws VersionConflictError */
export function checkVersion(
  kind: string,
  object: Meta & { readonly id: string },
  version: number | undefined,
): void {
  if (version !== undefined && version !== object.version) {
    throw new VersionConflictError(kind, object.id, version, object.version);
  }
}
