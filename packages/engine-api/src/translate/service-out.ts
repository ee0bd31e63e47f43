/** A service as the engine's `Service`. */

import type { Service, Task, UpdateStatus } from '@skep/core';
import { filledList } from '../json/absent.ts';
import { timestamp } from '../json/time.ts';
import { virtualIpsOut } from './attachment-out.ts';
import type { Written } from './container-spec-out.ts';
import { portOut, serviceSpecOut } from './service-spec-out.ts';

/** The engine's `Service`. */
export function serviceOut(service: Service, written: Written) {
  const { id, version, createdAt, updatedAt, spec, previousSpec } = service;
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: timestamp(createdAt),
    UpdatedAt: timestamp(updatedAt),
    Spec: serviceSpecOut(spec, written),
    PreviousSpec: previousSpec && serviceSpecOut(previousSpec, { ...written, withDefaults: false }),
    Endpoint: endpointOut(service, written),
    UpdateStatus: updateStatusOut(service.updateStatus),
    JobStatus: jobStatusOut(service),
  };
}

/** What `status=true` adds. @param tasks - all tasks of the service */
export function serviceStatusOut({ spec, jobStatus }: Service, tasks: readonly Task[]) {
  let running = 0;
  let meant = 0;
  let completed = 0;
  for (const { desiredState, status, jobIteration } of tasks) {
    if (jobStatus !== undefined && jobIteration !== jobStatus.iteration) continue;
    if (desiredState === 'running' || desiredState === 'complete') meant += 1;
    if (status.state === 'running' && desiredState !== 'remove') running += 1;
    if (status.state === 'complete' && jobStatus !== undefined) completed += 1;
  }
  const asked = { replicated: spec.replicas ?? 1, 'replicated-job': spec.job?.concurrency ?? 1 };
  const desired = spec.mode in asked ? asked[spec.mode as keyof typeof asked] : meant;
  return { RunningTasks: running, DesiredTasks: desired, CompletedTasks: completed };
}

function endpointOut(service: Service, { names }: Written) {
  const { spec, endpoint, vips } = service;
  const isReached = spec.ports.length > 0 || endpoint !== undefined || vips !== undefined;
  if (!isReached) return { Spec: {} };
  return {
    Spec: { Mode: spec.endpointMode, Ports: filledList(spec.ports.map(portOut)) },
    Ports: filledList((endpoint?.ports ?? []).map(portOut)),
    VirtualIPs: virtualIpsOut(service, names),
  };
}

/** The engine has no word for an update that waits to be promoted. It is one that goes on. */
function updateStatusOut(status: UpdateStatus | undefined) {
  if (status === undefined) return undefined;
  const { state, startedAt, completedAt, message } = status;
  return {
    State: state === 'waiting' ? 'updating' : state,
    StartedAt: timestamp(startedAt),
    CompletedAt: completedAt === undefined ? undefined : timestamp(completedAt),
    Message: message,
  };
}

function jobStatusOut({ jobStatus }: Service) {
  if (jobStatus === undefined) return undefined;
  const { iteration, lastExecution } = jobStatus;
  return {
    JobIteration: jobIterationOut(iteration),
    LastExecution: lastExecution === undefined ? undefined : timestamp(lastExecution),
  };
}

/** The engine counts runs from 0, and leaves that out. */
export function jobIterationOut(iteration: number) {
  return { Index: iteration <= 1 ? undefined : iteration - 1 };
}
