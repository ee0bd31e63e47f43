/**
 * How the number of a service's tasks follows a metric: the policy as people write it, what it can't be combined with,
 * and what the state keeps of it. Defaults are close to those of Kubernetes' HorizontalPodAutoscaler.
 */

import * as z from 'zod';
import type { SpecIssue } from '../errors.ts';
import { milliseconds } from './names.ts';
import { taskCount } from './task-count.ts';

/** A metric of the user's own, by the name under which a manager was given it. */
const ownMetric = z.strictObject({
  name: z.string('must be text').min(1, 'must not be empty').max(200, 'must have at most 200 characters'),
  /**
   * What a value is of. `service`: of all tasks together, as requests per second or the length of a queue; `target` is
   * one task's share. `task`: of the average task already.
   */
  of: z.enum(['service', 'task']).default('service'),
});

/** Schema of a service's `autoscale`. */
export const autoscaleSchema = z.strictObject({
  /** Fewest tasks. */
  min: taskCount,
  /** Most tasks. */
  max: taskCount.min(1, 'must be at least 1'),
  /**
   * What is measured. `cpu`: processors in use, 1 = one whole, and `memory`: bytes in use, both of the average task, by
   * its node's driver. Or a metric of the user's own.
   */
  metric: z.union([z.literal('cpu'), z.literal('memory'), ownMetric], {
    error: "must be 'cpu', 'memory' or a metric by its name, as {name, of}",
  }),
  /** As much as one task should have of it, in the metric's unit. */
  target: z.number('must be a number').positive('must be more than 0'),
  /** So far off the target, as a part of it, nothing is done. Default 0.1. */
  tolerance: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1').default(0.1),
  /** How often the metric is looked at. Default 15 s. */
  everyMs: milliseconds.min(1_000, 'must be at least 1000').default(15_000),
  /** After a change of the number of tasks, so long no more are asked for. Default 30 s. */
  scaleUpCooldownMs: milliseconds.default(30_000),
  /** After a change of the number of tasks, so long no fewer are asked for. Default 60 s. */
  scaleDownCooldownMs: milliseconds.default(60_000),
  /** Tasks are given up only once so long no value has asked for as many. Default 5 min. */
  stabilizationMs: milliseconds.default(300_000),
  /** When no value has come for so long, the metric counts as lost, and nothing is changed. Default 60 s. */
  staleMs: milliseconds.min(1_000, 'must be at least 1000').default(60_000),
});

/** How the number of a service's tasks follows a metric. */
export type Autoscale = z.output<typeof autoscaleSchema>;

/** A change of the number of tasks that a metric asked for. */
export interface Autoscaled {
  /** Milliseconds since 1970, the leader's clock. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
  /** What was measured, in the metric's unit. */
  readonly value: number;
  /** In words. */
  readonly reason: string;
}

/** What autoscaling has come to. Written by the autoscaler; `scaledAt` by whatever changes the number of tasks. */
export interface AutoscaleStatus {
  /** When the number of tasks changed last, whoever did it: cooldowns begin then. Absent: never. */
  readonly scaledAt?: number;
  /** The last change that the metric asked for. */
  readonly last?: Autoscaled;
  /** The metric can't be had, so nothing is changed. */
  readonly lost?: {
    /** Milliseconds since 1970, the leader's clock. */
    readonly since: number;
    /** Why, in words. */
    readonly reason: string;
  };
}

/** What of a spec a policy is looked at with. */
interface Scaled {
  readonly mode: string;
  readonly replicas?: number | undefined;
  readonly autoscale?: Autoscale | undefined;
}

/** True where a value is of the whole service, and so there is one also when no task runs. */
export function isOfService({ metric }: Pick<Autoscale, 'metric'>): boolean {
  return typeof metric === 'object' && metric.of === 'service';
}

/** The metric, as messages name it. */
export function metricName({ metric }: Pick<Autoscale, 'metric'>): string {
  return typeof metric === 'string' ? metric : metric.name;
}

/** The rules that need more than one field. */
export function autoscaleIssues({ mode, replicas, autoscale }: Scaled): SpecIssue[] {
  if (autoscale === undefined) return [];
  const { min, max, everyMs, staleMs } = autoscale;
  const issues: SpecIssue[] = [];
  if (mode !== 'replicated') {
    issues.push({ field: 'autoscale', rule: `is for replicated services, and the mode is ${mode}` });
  }
  if (max < min) issues.push({ field: 'autoscale.max', rule: `must be at least min, ${min}` });
  if (min === 0 && !isOfService(autoscale)) {
    const rule = `must be at least 1: ${metricName(autoscale)} is measured at tasks, and without any nothing brings one back`;
    issues.push({ field: 'autoscale.min', rule });
  }
  if (staleMs <= everyMs) {
    issues.push({ field: 'autoscale.staleMs', rule: `must be more than everyMs, ${everyMs}` });
  }
  if (mode === 'replicated' && replicas !== undefined && (replicas < min || replicas > max)) {
    issues.push({ field: 'replicas', rule: `must be from ${min} to ${max}, as autoscale has it` });
  }
  return issues;
}

/** A number of tasks, brought between the bounds of a policy. Without one it stays as it is. */
export function withinBounds(
  replicas: number,
  autoscale: Pick<Autoscale, 'min' | 'max'> | undefined,
): number {
  return autoscale === undefined ? replicas : Math.min(autoscale.max, Math.max(autoscale.min, replicas));
}
