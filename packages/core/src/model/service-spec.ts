/** What a service should be: how many tasks of which kind, and how they are reached and updated. */

import * as z from 'zod';
import { autoscaleSchema } from './autoscale.ts';
import { cronIssue, isTimeZone } from './cron-line.ts';
import { dnsName, labels, milliseconds } from './names.ts';
import { taskCount } from './task-count.ts';
import { taskSpecSchema } from './task-spec.ts';
import { rollbackSchema, updateSchema } from './update-policy.ts';

const portNumber = z
  .number()
  .int('must be a whole number')
  .min(1, 'must be from 1 to 65535')
  .max(65_535, 'must be from 1 to 65535');

const port = z
  .strictObject({
    /** The port that the task listens on. */
    target: portNumber,
    /** The port that people connect to. Absent: given from 30000–32767 in ingress mode, by the node in host mode. */
    published: portNumber.optional(),
    protocol: z.enum(['tcp', 'udp', 'sctp']).default('tcp'),
    /** `ingress`: on every node. `host`: on the task's node alone. */
    mode: z.enum(['ingress', 'host']).default('ingress'),
    /**
     * Tasks are told the client's address by this version of the PROXY protocol, in front of what the client sends; over
     * UDP by `v2` alone, in front of each datagram. Default: they are not, and see the node's.
     */
    proxyProtocol: z.enum(['v1', 'v2']).optional(),
  })
  .refine(({ mode, proxyProtocol }) => proxyProtocol === undefined || mode === 'ingress', {
    path: ['proxyProtocol'],
    error: 'must be absent in host mode: clients connect to the task itself',
  })
  .refine(
    ({ protocol, proxyProtocol }) =>
      proxyProtocol === undefined || protocol === 'tcp' || (protocol === 'udp' && proxyProtocol === 'v2'),
    { path: ['proxyProtocol'], error: 'must be v2 over udp, and absent over sctp' },
  );

/** Highest priority that a service may have; the lowest is its negative. */
export const PRIORITY_MAX = 1_000_000_000;

const dependency = z.strictObject({
  /** Name of the other service. It may come later. */
  service: dnsName,
  /**
   * `started`: a task of it runs. `healthy`: a task of it runs, and is healthy where health is probed. `completed`: its
   * last run, as that of a job, has completed.
   */
  condition: z.enum(['started', 'healthy', 'completed']).default('started'),
});

const job = z.strictObject({
  /** So many tasks must complete. Default: `concurrency`, else 1. */
  completions: taskCount.optional(),
  /** Most tasks at once. Default: all. */
  concurrency: taskCount.min(1, 'must be at least 1').optional(),
});

const schedule = z.strictObject({
  /** A cron line: minute, hour, day of month, month, day of week; before them, if need be, second. Or `@daily`. */
  cron: z.string().superRefine((line, context) => {
    const issue = cronIssue(line);
    if (issue !== undefined) context.addIssue({ code: 'custom', message: issue });
  }),
  /** The time zone of its clock: an IANA name such as `Europe/Berlin`. */
  timeZone: z.string().refine(isTimeZone, 'must be the IANA name of a time zone').default('UTC'),
  /**
   * When a run is due while one is going on. `forbid`: it is left out, and told as missed. `replace`: it takes the
   * place of the other, which is stopped. `allow`: both go on.
   */
  overlap: z.enum(['allow', 'forbid', 'replace']).default('forbid'),
  /**
   * When a run could not begin within a minute of its time, since nothing led the cluster. `run-once`: one run takes the
   * place of all that were missed. `skip`: they are left out, and told as missed.
   */
  missed: z.enum(['run-once', 'skip']).default('run-once'),
  /** With `run-once`: a run that would begin later than this after its time is left out. Default: none is too late. */
  deadlineMs: milliseconds.optional(),
});

/** Schema of {@link ServiceSpec}. */
export const serviceSpecSchema = z.strictObject({
  name: dnsName,
  labels: labels.default({}),
  /**
   * `replicated`: so many tasks anywhere. `global`: one on every node that may have it. `replicated-job`, `global-job`:
   * the same with tasks that run to their end, once; a change of what they run, or a force update, begins another run.
   */
  mode: z.enum(['replicated', 'global', 'replicated-job', 'global-job']).default('replicated'),
  /** Tasks of a replicated service. Default 1; with `autoscale` as many as it has, at first `autoscale.min`. */
  replicas: taskCount.optional(),
  /** A metric decides how many there are. */
  autoscale: autoscaleSchema.optional(),
  /** How a replicated job is done. */
  job: job.optional(),
  /** When runs of a job begin. Default: at once, and once. */
  schedule: schedule.optional(),
  /** What other services must have come to before a task is started. */
  dependsOn: z.array(dependency).optional(),
  task: taskSpecSchema,
  ports: z.array(port).default([]),
  endpointMode: z.enum(['vip', 'dnsrr']).default('vip'),
  /** Which task the next connection goes to. */
  balancing: z
    .strictObject({
      /** Default: `least-connections` where nodes see connections end, as in userspace; else `round-robin`. */
      algorithm: z.enum(['least-connections', 'round-robin']).optional(),
      /**
       * What makes connections of one client go to one task for as long as that takes traffic: its address, or, for HTTP,
       * a cookie that the first answer sets. Default: nothing.
       */
      stickiness: z.enum(['client-address', 'cookie']).optional(),
    })
    .optional(),
  /** How tasks that could run on are moved: off a node that is drained, or that they may not stay on. */
  disruption: z
    .strictObject({
      /**
       * So many tasks may be missing at once because they are moved. Only where a task is stopped before its successor
       * starts does a move make any missing. Default 1.
       */
      maxUnavailable: z.number().int('must be a whole number').min(0, 'must not be negative').default(1),
      /**
       * `start-first`: the successor runs before the task is stopped. `stop-first`: never two of a slot at once.
       * Default: start-first, unless tasks write to volumes or directories of their machine.
       */
      order: z.enum(['start-first', 'stop-first']).optional(),
      /** Tasks may be moved for no other reason than that other nodes have less to do. Default: they may. */
      rebalance: z.boolean().optional(),
    })
    .optional(),
  /**
   * How long a task goes on after it has left the endpoint feeds and before it is sent its stop signal. Default: 2 s
   * where the service has ports, else 0.
   */
  drainDelayMs: milliseconds.optional(),
  /**
   * How long the service's tasks on a node that is down are waited for before others take their place. Default 0: not
   * at all.
   */
  evictAfterMs: milliseconds.optional(),
  /**
   * Never two tasks of a slot at once, not even while a node can't be heard: another takes its place only once its lease
   * has run out, by when its own agent has stopped it.
   */
  maxOne: z
    .strictObject({
      /** So long after its last word with the managers an agent has stopped the task. Default 30 s. */
      leaseMs: milliseconds.default(30_000),
    })
    .optional(),
  /**
   * Tasks of services with a higher priority get nodes first; one that fits nowhere may have tasks of services with a
   * lower one stopped for it. A change of it holds for the tasks that are there, and replaces none. Default 0.
   */
  priority: z
    .number('must be a number')
    .int('must be a whole number')
    .min(-PRIORITY_MAX, `must be at least ${-PRIORITY_MAX}`)
    .max(PRIORITY_MAX, `must be at most ${PRIORITY_MAX}`)
    .optional(),
  /** How changed tasks are replaced. */
  update: updateSchema.default({ parallelism: 1 }),
  /** How they are replaced in going back to the spec before. */
  rollback: rollbackSchema.optional(),
});

/** What a service should be, complete with defaults. */
export type ServiceSpec = z.output<typeof serviceSpecSchema>;
/** A service spec as people write it. */
export type ServiceSpecInput = z.input<typeof serviceSpecSchema>;
/** When runs of a job begin. */
export type Schedule = NonNullable<ServiceSpec['schedule']>;
/** What another service must have come to. */
export type Dependency = NonNullable<ServiceSpec['dependsOn']>[number];
/** One port of a service. */
export type PortSpec = ServiceSpec['ports'][number];

/** The priority of a service's tasks. */
export function priorityOf({ priority = 0 }: Pick<ServiceSpec, 'priority'>): number {
  return priority;
}

/** So many tasks of a replicated job, and so many at once: all, as Docker's CLI has it of a job that does not say. */
export function jobSize({ job }: Pick<ServiceSpec, 'job'>): {
  readonly completions: number;
  readonly concurrency: number;
} {
  const completions = job?.completions ?? job?.concurrency ?? 1;
  return { completions, concurrency: job?.concurrency ?? Math.max(1, completions) };
}
