/**
 * What a service waits for before a task of it is started: the conditions of its dependencies, and why one does not
 * hold, in words and as a code. Pure. A condition is looked at for each start, so that after a loss of all nodes things
 * come back in order, too.
 *
 * `started` and `healthy` hold as soon as one task of the other service has come so far: whether that is enough of them
 * to serve is what the other service's health check tells, and a dependency that is being updated keeps nobody waiting.
 */

import type { Service, Task } from '../../../model/objects.ts';
import type { Dependency } from '../../../model/service-spec.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { isJob } from '../jobs/job-runs.ts';

/** Why tasks of a service may not be started yet. */
export interface StartWait {
  readonly code:
    | 'dependency-missing'
    | 'dependency-not-started'
    | 'dependency-not-healthy'
    | 'dependency-not-completed'
    | 'dependency-failed'
    | 'dependency-never-completes';
  /** Name of the service that is waited for. */
  readonly service: string;
  /** In words. */
  readonly message: string;
  /** What would end the wait. */
  readonly remedy: string;
}

/** How far the tasks of a service have come. */
export interface Standing {
  /** One has been started. */
  readonly started: boolean;
  /** One runs, and is healthy where health is probed. */
  readonly healthy: boolean;
}

/** True for a task that has been started and is to live. */
export function isStarted({ status, desiredState }: Task): boolean {
  return isMeantToRun(desiredState) && (status.state === 'starting' || status.state === 'running');
}

/** True for a task that runs, and is healthy where health is probed. */
export function isHealthy({ status, desiredState }: Task): boolean {
  return isMeantToRun(desiredState) && status.state === 'running';
}

/** Everything that tasks of a service wait for just now; nothing: they may be started. */
export function startWaits(state: ClusterState, { spec }: Service): readonly StartWait[] {
  return (spec.dependsOn ?? []).flatMap((dependency) => {
    const service = state.serviceByName(dependency.service);
    return startWait(dependency, service, () => standingOf(state, service)) ?? [];
  });
}

/** Why the condition of one dependency does not hold; undefined: it holds. */
export function startWait(
  { service: name, condition }: Dependency,
  service: Service | undefined,
  standing: () => Standing,
): StartWait | undefined {
  if (!service) {
    return {
      code: 'dependency-missing',
      service: name,
      message: `waits for service ${name}, which does not exist`,
      remedy: `create service ${name}, or take it out of dependsOn`,
    };
  }
  if (condition === 'completed') return completionWait(name, service);
  if (hasCompleted(service)) return undefined;
  const { started, healthy } = standing();
  if (condition === 'started') {
    if (started) return undefined;
    return {
      code: 'dependency-not-started',
      service: name,
      message: `waits for service ${name} to be started`,
      remedy: `a task of service ${name} is started`,
    };
  }
  if (healthy) return undefined;
  return {
    code: 'dependency-not-healthy',
    service: name,
    message: `waits for service ${name} to be healthy`,
    remedy: started
      ? `a task of service ${name} passes its health check`
      : `a task of service ${name} is started`,
  };
}

function completionWait(name: string, service: Service): StartWait | undefined {
  if (!isJob(service)) {
    return {
      code: 'dependency-never-completes',
      service: name,
      message: `waits for service ${name} to complete, which is ${service.spec.mode} and never does`,
      remedy: `make service ${name} anew as a job, or ask for another condition`,
    };
  }
  if (hasCompleted(service)) return undefined;
  const failed = decisiveRun(service);
  if (failed?.outcome === 'failed') {
    return {
      code: 'dependency-failed',
      service: name,
      message: `waits for job ${name}, whose run ${failed.iteration} failed${failed.message === undefined ? '' : `: ${failed.message}`}`,
      remedy: `another run of job ${name} completes: change it, or force an update of it`,
    };
  }
  return {
    code: 'dependency-not-completed',
    service: name,
    message: `waits for job ${name} to complete`,
    remedy: `a run of job ${name} completes`,
  };
}

/** A job that did what it is there for; others never do. */
function hasCompleted(service: Service): boolean {
  return decisiveRun(service)?.outcome === 'completed';
}

/** The run that counts: the newest, if it has ended; by a schedule, the newest that has ended. */
function decisiveRun({ spec, jobStatus }: Service) {
  const ended = jobStatus?.ended.findLast(({ outcome }) => outcome !== 'stopped');
  if (spec.schedule !== undefined || ended?.iteration === jobStatus?.iteration) return ended;
  return undefined;
}

function standingOf(state: ClusterState, service: Service | undefined): Standing {
  let started = false;
  if (service) {
    for (const task of state.tasksOfService(service.id)) {
      if (isHealthy(task)) return { started: true, healthy: true };
      started ||= isStarted(task);
    }
  }
  return { started, healthy: false };
}
