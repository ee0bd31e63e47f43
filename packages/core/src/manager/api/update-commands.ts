/**
 * What users ask of updates that go on, decided: to go back, to go on, to stop. Each function looks at the head state and
 * answers with events, or throws a typed error and nothing is changed.
 */

import { PreconditionError } from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import type { ServiceId } from '../../model/ids.ts';
import type { Service, UpdateStatus } from '../../model/objects.ts';
import { isPaused, isRollback, isUnderWay } from '../../state/update-standing.ts';
import type { DecideContext } from '../control-loop.ts';
import type { Decided } from '../leader-store.ts';
import { returnToPrevious, rollBack } from '../orchestrator/updater/roll-back.ts';
import { promoted } from '../orchestrator/updater/updater.ts';
import { checkVersion } from './find.ts';

/** What a command on an update answers. */
export interface UpdateCommanded {
  readonly id: ServiceId;
}

/** A command on the update of a service. */
export type UpdateCommand = (
  service: Service,
  context: DecideContext,
  version?: number,
) => Decided<UpdateCommanded>;

/** Goes back to the spec before. @throws PreconditionError if there is none; VersionConflictError */
export const rollBackService: UpdateCommand = (service, { at }, version) => {
  checkVersion('service', service, version);
  const { previousSpec } = service;
  if (!previousSpec) {
    const issue = { field: 'previousSpec', rule: 'must be there: the service has not been updated yet' };
    throw new PreconditionError(`service ${service.spec.name} does not have a previous spec`, [issue]);
  }
  return commanded(service, [returnToPrevious(service, previousSpec, at)]);
};

/** Lets an update go on beyond its canaries, or switches traffic. @throws PreconditionError if none waits for that */
export const promoteUpdate: UpdateCommand = (service, _, version) => {
  checkVersion('service', service, version);
  const { updateStatus } = service;
  if (updateStatus?.state !== 'waiting') {
    throw new PreconditionError(`no update of service ${service.spec.name} waits to be promoted`);
  }
  return withStatus(service, promoted(service, updateStatus));
};

/** Ends an update by going back. @throws PreconditionError if none is under way or paused */
export const abortUpdate: UpdateCommand = (service, { at }, version) => {
  checkVersion('service', service, version);
  const { updateStatus } = service;
  const isThere = isUnderWay(updateStatus) || isPaused(updateStatus);
  const events = isThere && !isRollback(updateStatus) ? rollBack(service, 'update aborted', at) : undefined;
  if (!events) throw new PreconditionError(`service ${service.spec.name} has no update to abort`);
  return commanded(service, events);
};

/** Stops replacing tasks. What is being replaced goes on. @throws PreconditionError if no update is under way */
export const pauseUpdate: UpdateCommand = (service, _, version) => {
  checkVersion('service', service, version);
  const { updateStatus } = service;
  if (!isUnderWay(updateStatus)) {
    throw new PreconditionError(`service ${service.spec.name} has no update to pause`);
  }
  const { waitingSince: __, ...rest } = updateStatus;
  return isRollback(updateStatus)
    ? withStatus(service, { ...rest, state: 'rollback_paused', message: 'rollback paused by hand' })
    : withStatus(service, { ...rest, state: 'paused', message: 'update paused by hand' });
};

/** Goes on with a paused update, its failures forgotten. @throws PreconditionError if none is paused */
export const resumeUpdate: UpdateCommand = (service, _, version) => {
  checkVersion('service', service, version);
  const { updateStatus } = service;
  if (!updateStatus || !isPaused(updateStatus)) {
    throw new PreconditionError(`service ${service.spec.name} has no update that is paused`);
  }
  const isBack = isRollback(updateStatus);
  return withStatus(service, {
    ...updateStatus,
    state: isBack ? 'rollback_started' : 'updating',
    message: isBack ? 'rollback resumed' : 'update resumed',
    failures: 0,
  });
};

function withStatus(service: Service, status: UpdateStatus): Decided<UpdateCommanded> {
  return commanded(service, [{ type: 'service.update-status', id: service.id, status }]);
}

function commanded({ id }: Service, events: ClusterEvent[]): Decided<UpdateCommanded> {
  return { events, result: { id }, answer: { id, action: 'updated', what: 'service' } };
}
