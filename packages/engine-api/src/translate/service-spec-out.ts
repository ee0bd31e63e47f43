/** What a service should be, as the engine's `ServiceSpec`. */

import type { PortSpec, ServiceSpec } from '@skep/core';
import { filledList } from '../json/absent.ts';
import { nanos } from '../json/time.ts';
import type { Written } from './container-spec-out.ts';
import { taskTemplateOut } from './task-template-out.ts';

/** The engine's `ServiceSpec`. */
export function serviceSpecOut(spec: ServiceSpec, written: Written) {
  return {
    Name: spec.name,
    Labels: spec.labels,
    TaskTemplate: { ...taskTemplateOut(spec.task, written), Runtime: 'container' },
    Mode: modeOut(spec),
    UpdateConfig: policyOut(spec.update, written),
    RollbackConfig: policyOut(spec.rollback, written),
    EndpointSpec: { Mode: spec.endpointMode, Ports: filledList(spec.ports.map(portOut)) },
  };
}

/** The engine's `PortConfig`. */
export function portOut({ target, published, protocol, mode }: PortSpec) {
  return { Protocol: protocol, TargetPort: target, PublishedPort: published, PublishMode: mode };
}

function modeOut({ mode, replicas, job }: ServiceSpec) {
  switch (mode) {
    case 'replicated':
      return { Replicated: { Replicas: replicas ?? 1 } };
    case 'global':
      return { Global: {} };
    case 'replicated-job':
      return {
        ReplicatedJob: { MaxConcurrent: job?.concurrency ?? 1, TotalCompletions: job?.completions ?? 1 },
      };
    case 'global-job':
      return { GlobalJob: {} };
  }
}

/** Nothing where nobody said anything, unless defaults are asked for. */
function policyOut(
  policy: ServiceSpec['update'] | ServiceSpec['rollback'],
  { withDefaults }: Written,
): object | undefined {
  if (!withDefaults && (policy === undefined || isSilent(policy))) return undefined;
  const { parallelism = 1, delayMs = 0, monitorMs = 5_000 } = policy ?? {};
  const { failureAction = 'pause', maxFailureRatio = 0, order = 'stop-first' } = policy ?? {};
  return {
    Parallelism: parallelism,
    Delay: delayMs === 0 ? undefined : nanos(delayMs),
    FailureAction: failureAction,
    Monitor: nanos(monitorMs),
    MaxFailureRatio: maxFailureRatio,
    Order: order,
  };
}

function isSilent(policy: NonNullable<ServiceSpec['update'] | ServiceSpec['rollback']>): boolean {
  const { parallelism, ...others } = policy;
  return parallelism === 1 && Object.values(others).every((value) => value === undefined);
}
