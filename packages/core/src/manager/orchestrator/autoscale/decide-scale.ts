/**
 * What a metric means for a service: more tasks, fewer, nothing, or that it is lost. Pure: a service, what is known of its
 * metric and the time in, events out.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import { type Autoscale, isOfService, metricName } from '../../../model/autoscale.ts';
import type { Service } from '../../../model/objects.ts';
import type { MetricReading, MetricSample } from './metric-book.ts';
import { recommendedReplicas } from './recommend.ts';

/** When the metric counts as lost if nothing comes until then; milliseconds since 1970. */
export function staleAt({ staleMs }: Autoscale, { samples, since }: MetricReading): number {
  return (samples.at(-1)?.at ?? since) + staleMs;
}

/** What is to happen to a service with this reading of its metric. */
export function decideScale(service: Service, reading: MetricReading, at: number): readonly ClusterEvent[] {
  const { id, spec, autoscaleStatus: status } = service;
  const policy = spec.autoscale;
  if (policy === undefined) return [];
  const problem = whyLost(policy, reading, at);
  if (problem !== undefined) {
    return status?.lost === undefined ? [{ type: 'service.metric-lost', id, reason: problem }] : [];
  }
  const sample = reading.samples.at(-1);
  // Nothing has come yet, and it is early days: what was lost before is lost still.
  if (sample === undefined) return [];
  const found: ClusterEvent[] = status?.lost === undefined ? [] : [{ type: 'service.metric-found', id }];
  const scaled = scaling(service, policy, { ...reading, sample }, at);
  return scaled ? [...found, scaled] : found;
}

function whyLost(policy: Autoscale, reading: MetricReading, at: number): string | undefined {
  const { problem, isHopeless } = reading;
  if (isHopeless) return problem;
  if (at < staleAt(policy, reading)) return undefined;
  const silence = `no value of ${metricName(policy)} has come for ${inSeconds(policy.staleMs)}`;
  return problem === undefined ? silence : `${silence}: ${problem}`;
}

function scaling(
  { id, spec, autoscaleStatus }: Service,
  policy: Autoscale,
  reading: MetricReading & { readonly sample: MetricSample },
  at: number,
): ClusterEvent | undefined {
  const { replicas = 1 } = spec;
  const { sample } = reading;
  // It was measured with another number of tasks. The next value tells of the present ones.
  if (sample.replicas !== replicas) return undefined;
  const wanted = recommendedReplicas(policy, sample);
  const to = wanted < replicas ? steadyLow(policy, reading, replicas, at) : wanted;
  if (to === replicas) return undefined;
  const cooldownMs = to > replicas ? policy.scaleUpCooldownMs : policy.scaleDownCooldownMs;
  const { scaledAt } = autoscaleStatus ?? {};
  if (scaledAt !== undefined && at < scaledAt + cooldownMs) return undefined;
  return {
    type: 'service.autoscaled',
    ...{ id, from: replicas, to, value: sample.value },
    reason: inWords(policy, sample, to > replicas),
  };
}

/**
 * The most that a value has asked for in the policy's time. As long as that time is not known whole, as after a change of
 * leader, the number stays.
 */
function steadyLow(
  policy: Autoscale,
  { samples, since }: MetricReading,
  replicas: number,
  at: number,
): number {
  const from = at - policy.stabilizationMs;
  if (since > from) return replicas;
  let most = 0;
  for (const sample of samples) {
    if (sample.at >= from) most = Math.max(most, recommendedReplicas(policy, sample));
  }
  return Math.min(most, replicas);
}

function inWords(policy: Autoscale, { value, replicas }: MetricSample, isUp: boolean): string {
  const side = isUp ? 'above' : 'below';
  const name = metricName(policy);
  if (!isOfService(policy))
    return `${name} is ${short(value)} a task, ${side} its target of ${policy.target}`;
  const share = replicas > 0 ? `, ${short(value / replicas)} for each of ${replicas} tasks` : '';
  return `${name} is ${short(value)}${share}, ${side} its target of ${policy.target} a task`;
}

/** Three digits and no more: what is read by people. */
function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function inSeconds(ms: number): string {
  return `${ms / 1_000} s`;
}
