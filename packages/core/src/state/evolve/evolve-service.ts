/** What service events do. */

import { castDraft, type Draft, produce } from 'immer';
import type { ClusterEvent } from '../../events/event.ts';
import type { TaskId } from '../../model/ids.ts';
import type { JobStatus, Service } from '../../model/objects.ts';
import { InconsistentEventError, type StateDraft } from '../state-draft.ts';
import { becomesPrevious, isCutShort, isPaused, overtaken } from '../update-standing.ts';
import { updatedAutoscaleStatus } from './evolve-autoscale.ts';
import { endedRun, firstJobStatus, missedRun, startedRun, updatedJobStatus } from './evolve-job.ts';
import { evolveTask } from './evolve-task.ts';
import type { Stamp } from './stamp.ts';

type ServiceEvent = Extract<ClusterEvent, { readonly type: `service.${string}` }>;

export function evolveService(draft: StateDraft, event: ServiceEvent, stamp: Stamp): void {
  switch (event.type) {
    case 'service.created': {
      const jobStatus = firstJobStatus(event.spec, stamp);
      draft.putService({
        id: event.id,
        version: stamp.index,
        createdAt: stamp.at,
        updatedAt: stamp.at,
        spec: event.spec,
        specVersion: stamp.index,
        ...(jobStatus === undefined ? {} : { jobStatus }),
      });
      return;
    }
    case 'service.updated': {
      const before = existing(draft, event.id);
      const jobStatus = updatedJobStatus(before, event, stamp);
      const isGreen = event.spec.update.blueGreen !== undefined;
      const next = { isGreen, specVersion: stamp.index, at: stamp.at };
      const held = event.tasksChanged ? overtaken(before, next) : undefined;
      change(draft, before, stamp, (service) => {
        if (jobStatus !== undefined) service.jobStatus = castDraft(jobStatus);
        if (event.tasksChanged) service.specVersion = stamp.index;
        if (becomesPrevious(before, event)) {
          service.previousSpec = before.spec;
          service.previousSpecVersion = before.specVersion;
        }
        // What was paused begins again, as with Swarm; a change that no task hears of leaves the rest as it is.
        if (event.tasksChanged || isPaused(before.updateStatus)) delete service.updateStatus;
        if (held !== undefined) service.updateStatus = held;
        noteReplicas(service, before, event.spec, stamp);
        service.spec = event.spec;
        if (event.portsChanged) {
          delete service.endpoint;
          delete service.allocationError;
          delete service.allocationErrorAbout;
        }
      });
      return;
    }
    case 'service.update-status':
      change(draft, existing(draft, event.id), stamp, (service) => {
        service.updateStatus = event.status;
      });
      return;
    case 'service.rolled-back': {
      const before = existing(draft, event.id);
      change(draft, before, stamp, (service) => {
        service.specVersion = stamp.index;
        if (isCutShort(before.updateStatus)) {
          delete service.previousSpec;
          delete service.previousSpecVersion;
        } else {
          service.previousSpec = before.spec;
          service.previousSpecVersion = before.specVersion;
        }
        noteReplicas(service, before, event.spec, stamp);
        service.spec = event.spec;
        const { holdsBack } = event.status;
        service.updateStatus =
          holdsBack === undefined ? event.status : { ...event.status, heldUntil: stamp.index };
        if (event.portsChanged) {
          delete service.endpoint;
          delete service.allocationError;
          delete service.allocationErrorAbout;
        }
      });
      return;
    }
    case 'service.removed': {
      existing(draft, event.id);
      if (!event.tasksFollow) {
        const ids: TaskId[] = [];
        for (const task of draft.tasksOfService(event.id)) ids.push(task.id);
        evolveTask(draft, { type: 'task.desired', state: 'remove', ids }, stamp);
      }
      draft.deleteService(event.id, stamp.index);
      return;
    }
    case 'service.allocated':
      change(draft, existing(draft, event.id), stamp, (service) => {
        service.endpoint = { ports: [...event.endpoint.ports] };
        if (event.vips === undefined) delete service.vips;
        else service.vips = castDraft(event.vips);
        delete service.allocationError;
        delete service.allocationErrorAbout;
      });
      return;
    case 'service.unallocated':
      change(draft, existing(draft, event.id), stamp, (service) => {
        service.allocationError = event.error;
        if (event.about === undefined) delete service.allocationErrorAbout;
        else service.allocationErrorAbout = event.about;
      });
      return;
    case 'service.run-started':
      withRuns(draft, event.id, (status) => startedRun(status, event, stamp), stamp);
      return;
    case 'service.run-ended':
      withRuns(draft, event.id, (status) => endedRun(status, event, stamp), stamp);
      return;
    case 'service.run-missed':
      withRuns(draft, event.id, (status) => missedRun(status, event), stamp);
      return;
    case 'service.autoscaled': {
      const { from, to, value, reason } = event;
      change(draft, existing(draft, event.id), stamp, (service) => {
        service.spec.replicas = to;
        service.autoscaleStatus = {
          scaledAt: stamp.at,
          last: { at: stamp.at, from, to, value, reason },
        };
      });
      return;
    }
    case 'service.metric-lost':
      change(draft, existing(draft, event.id), stamp, (service) => {
        const lost = { since: stamp.at, reason: event.reason };
        service.autoscaleStatus = { ...service.autoscaleStatus, lost };
      });
      return;
    case 'service.metric-found':
      change(draft, existing(draft, event.id), stamp, (service) => {
        delete service.autoscaleStatus?.lost;
      });
  }
}

function noteReplicas(service: Draft<Service>, before: Service, spec: Service['spec'], stamp: Stamp): void {
  const status = updatedAutoscaleStatus(before, spec, stamp);
  if (status === undefined) delete service.autoscaleStatus;
  else service.autoscaleStatus = status;
}

function withRuns(
  draft: StateDraft,
  id: Service['id'],
  next: (status: JobStatus | undefined) => JobStatus,
  stamp: Stamp,
): void {
  const service = existing(draft, id);
  draft.putService({
    ...service,
    version: stamp.index,
    updatedAt: stamp.at,
    jobStatus: next(service.jobStatus),
  });
}

/** The service as the event leaves it, with its version and time. */
function change(
  draft: StateDraft,
  before: Service,
  stamp: Stamp,
  recipe: (service: Draft<Service>) => void,
): void {
  draft.putService(
    produce(before, (service) => {
      service.version = stamp.index;
      service.updatedAt = stamp.at;
      recipe(service);
    }),
  );
}

function existing(draft: StateDraft, id: Service['id']): Service {
  const service = draft.service(id);
  if (!service) throw new InconsistentEventError(`service ${id} does not exist`);
  return service;
}
