/**
 * How many tasks one value of a metric asks for. Pure. The rule is that of Kubernetes' HorizontalPodAutoscaler: as many
 * times the tasks as the value is of the target, rounded up; tasks that were not heard of count as having nothing to do
 * where more are asked for, and as being on target where fewer are, so that nobody's silence is taken for either.
 */

import { type Autoscale, isOfService, withinBounds } from '../../../model/autoscale.ts';
import type { MetricSample } from './metric-book.ts';

/** A whole number that came of a division may be a little more than it is. */
const ROUNDING = 1e-9;

/** So many tasks, between the policy's bounds. */
export function recommendedReplicas(policy: Autoscale, sample: MetricSample): number {
  const { replicas } = sample;
  const wanted = isOfService(policy) ? sample.value / policy.target : replicas * loadOf(policy, sample);
  const isOnTarget = replicas > 0 && Math.abs(wanted / replicas - 1) <= policy.tolerance + ROUNDING;
  return withinBounds(isOnTarget ? replicas : Math.ceil(wanted - ROUNDING), policy);
}

/** How much of its target the average task has, those not heard of counted with care. */
function loadOf({ target }: Autoscale, { value, replicas, heard = replicas }: MetricSample): number {
  const load = value / target;
  const known = Math.min(heard, replicas);
  if (known === replicas || load === 1) return load;
  const share = known / replicas;
  return load > 1 ? Math.max(1, load * share) : Math.min(1, load * share + (1 - share));
}
