/** A metric of a user's own, as a manager is given it. */

import { InvalidSpecError } from '../../errors.ts';
import type { Service } from '../../model/objects.ts';

/**
 * Gives the values of a metric for a service, each a number of 0 or more. The member that leads asks for it once for
 * every service with the metric, and reads on for as long as it does; when the values end or fail, it asks again after
 * the service's `everyMs`. So it may go on for ever, or give one value and end. It has to go on giving values also when
 * they stay the same: silence is taken for a loss.
 *
 * @param service - as it was when it was asked.
 * @param signal - aborts when no more values are wanted.
 */
export type MetricSource = (service: Service, signal: AbortSignal) => AsyncIterable<number>;

/** The metrics that a manager was given, by name. */
export type MetricSources = Readonly<Record<string, MetricSource>>;

/** @throws InvalidSpecError naming those that are no functions, as callers without types may give. */
export function checkSources(sources: MetricSources = {}): void {
  const issues = Object.entries(sources)
    .filter(([, source]) => typeof source !== 'function')
    .map(([name]) => ({ field: `metricSources.${name}`, rule: 'must be a function that gives values' }));
  if (issues.length > 0) throw new InvalidSpecError(issues);
}
