/** What a service should be: how many tasks of which kind, and how they are reached and updated. */

import * as z from 'zod';
import { dnsName, labels, milliseconds } from './names.ts';
import { taskSpecSchema } from './task-spec.ts';

/** Most replicas that one service may ask for. */
export const REPLICAS_MAX = 1_000_000;

const portNumber = z
  .number()
  .int('must be a whole number')
  .min(1, 'must be from 1 to 65535')
  .max(65_535, 'must be from 1 to 65535');

const port = z.strictObject({
  /** The port that the task listens on. */
  target: portNumber,
  /** The port that people connect to. Absent: given from 30000–32767 in ingress mode, by the node in host mode. */
  published: portNumber.optional(),
  protocol: z.enum(['tcp', 'udp', 'sctp']).default('tcp'),
  /** `ingress`: on every node. `host`: on the task's node alone. */
  mode: z.enum(['ingress', 'host']).default('ingress'),
});

/** Schema of {@link ServiceSpec}. */
export const serviceSpecSchema = z.strictObject({
  name: dnsName,
  labels: labels.default({}),
  /** `replicated`: so many tasks anywhere. `global`: one on every node that may have it. */
  mode: z.enum(['replicated', 'global']).default('replicated'),
  /** Tasks of a replicated service. Default 1. */
  replicas: z
    .number('must be a number')
    .int('must be a whole number')
    .min(0, 'must not be negative')
    .max(REPLICAS_MAX, `must be at most ${REPLICAS_MAX}`)
    .optional(),
  task: taskSpecSchema,
  ports: z.array(port).default([]),
  endpointMode: z.enum(['vip', 'dnsrr']).default('vip'),
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
  /** How changed tasks are replaced: stop the old one, then start the new one, so many slots at a time. */
  update: z
    .strictObject({ parallelism: z.number().int().min(0, 'must not be negative').default(1) })
    .default({ parallelism: 1 }),
});

/** What a service should be, complete with defaults. */
export type ServiceSpec = z.output<typeof serviceSpecSchema>;
/** A service spec as people write it. */
export type ServiceSpecInput = z.input<typeof serviceSpecSchema>;
/** One port of a service. */
export type PortSpec = ServiceSpec['ports'][number];
