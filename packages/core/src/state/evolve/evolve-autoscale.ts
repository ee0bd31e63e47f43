/** What becomes of a service's autoscaling when the service is changed. Pure. */

import type { AutoscaleStatus, Service } from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';
import type { Stamp } from './stamp.ts';

/**
 * The status with another spec. Whoever changes the number of tasks by hand begins a cooldown, so that it is not undone
 * at once; of another metric nothing is known yet.
 */
export function updatedAutoscaleStatus(
  before: Service,
  spec: ServiceSpec,
  stamp: Stamp,
): AutoscaleStatus | undefined {
  if (spec.autoscale === undefined) return undefined;
  const { lost, ...rest } = before.autoscaleStatus ?? {};
  const isSameMetric = plainEqual(before.spec.autoscale?.metric, spec.autoscale.metric);
  const status: AutoscaleStatus = {
    ...rest,
    ...(lost !== undefined && isSameMetric ? { lost } : {}),
    ...(before.spec.replicas === spec.replicas ? {} : { scaledAt: stamp.at }),
  };
  return Object.keys(status).length === 0 ? undefined : status;
}
