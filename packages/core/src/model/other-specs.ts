/** Specs of the cluster, nodes, secrets and configs. */

import * as z from 'zod';
import { addressPools } from './address-pools.ts';
import { labels, milliseconds, objectName } from './names.ts';
import { placementStrategy } from './task-spec.ts';

const rebalance = z.strictObject({
  /** Begin by itself, some time after a node has come or come back. Default: only when it is asked for. */
  automatic: z.boolean().default(false),
  /** After that time, so that what goes on with it comes to rest. Default 60 s. */
  settleMs: milliseconds.default(60_000),
  /** Tasks on the move at once. Default 2. */
  movesAtOnce: z.number().int('must be a whole number').min(1, 'must be at least 1').default(2),
  /** Most tasks that one rebalance moves. Default 100. */
  movesMax: z
    .number()
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(1_000, 'must be at most 1000')
    .default(100),
});

/** Schema of {@link ClusterSpec}. */
export const clusterSpecSchema = z.strictObject({
  labels: labels.default({}),
  /** Ended tasks kept per slot, the live one included; negative keeps all. Default 5. */
  taskHistoryLimit: z.number().int().default(5),
  dispatcher: z
    .strictObject({
      /** Between two heartbeats of an agent. Default 1 s. */
      heartbeatMs: milliseconds.min(10, 'must be at least 10 ms').default(1_000),
      /**
       * A node that was silent for so long is suspect: it gets no new tasks and keeps those that it has. Default: two
       * and a half heartbeats.
       */
      suspectMs: milliseconds.min(10, 'must be at least 10 ms').optional(),
      /** A node that was silent for so long is down. Default 5 s. */
      silentDownMs: milliseconds.min(10, 'must be at least 10 ms').default(5_000),
      /** A node whose session closed and was not renewed for so long is down. Default 3.5 s. */
      closedDownMs: milliseconds.default(3_500),
      /**
       * How long nodes with an endpoint feed are waited for to confirm that a task has left it, before the task is
       * stopped all the same. Default 3 s.
       */
      confirmMs: milliseconds.optional(),
      /** Tasks of a node that was down for so long are given up as orphaned. Default 24 h. */
      orphanAfterMs: milliseconds.default(86_400_000),
      /** How quickly tasks are replaced when many nodes go down at once. */
      eviction: z
        .strictObject({
          /** Tasks that may be replaced at once. The last node that fits is not divided. Default 1,000. */
          tasksAtOnce: z.number().int('must be a whole number').min(1, 'must be at least 1').default(1_000),
          /** Tasks that may be replaced each second after that. Default 100. */
          tasksPerSecond: z.number().positive('must be more than 0').default(100),
        })
        .optional(),
    })
    .refine(({ suspectMs, silentDownMs }) => suspectMs === undefined || suspectMs <= silentDownMs, {
      path: ['suspectMs'],
      error: 'must not be longer than silentDownMs',
    })
    .refine(({ heartbeatMs, silentDownMs }) => silentDownMs > heartbeatMs, {
      path: ['silentDownMs'],
      error: 'must be longer than heartbeatMs, or every node would be down between two heartbeats',
    })
    .default({ heartbeatMs: 1_000, silentDownMs: 5_000, closedDownMs: 3_500, orphanAfterMs: 86_400_000 }),
  /** How nodes are taken by tasks of services that do not say. Default: `spread`. */
  placement: z.strictObject({ strategy: placementStrategy.default('spread') }).optional(),
  /** How tasks are moved so that the cluster is spread better. */
  rebalance: rebalance.optional(),
  /** Where networks that name no subnet get one from. */
  addressPools: addressPools.optional(),
});
/** What goes for rebalancing unless the settings say otherwise. */
export const REBALANCE_DEFAULTS: z.output<typeof rebalance> = rebalance.parse({});
/** Settings of the whole cluster. */
export type ClusterSpec = z.output<typeof clusterSpecSchema>;
/** Cluster settings as people write them. */
export type ClusterSpecInput = z.input<typeof clusterSpecSchema>;

/** Schema of {@link NodeSpec}. */
export const nodeSpecSchema = z.strictObject({
  labels: labels.default({}),
  role: z.enum(['manager', 'worker']).default('worker'),
  /** `pause`: no new tasks. `drain`: no tasks at all. */
  availability: z.enum(['active', 'pause', 'drain']).default('active'),
  /**
   * While it is drained: when tasks that have found no other place are stopped all the same. Milliseconds since 1970.
   * Absent: they stay until there is one.
   */
  drainDeadline: z.number().int().min(0).optional(),
});
/** What users ask of a node. */
export type NodeSpec = z.output<typeof nodeSpecSchema>;
/** A node spec as people write it. */
export type NodeSpecInput = z.input<typeof nodeSpecSchema>;

/** Largest secret, in bytes (exclusive). */
export const SECRET_BYTES_MAX = 512_000;
/** Largest config, in bytes (exclusive). */
export const CONFIG_BYTES_MAX = 1_024_000;

/**
 * Fill in the text for each task that gets it: `{{.Task.Slot}}`, and `{{env "NAME"}}`, `{{secret "TARGET"}}`,
 * `{{config "TARGET"}}` of that task. Default: give it as it is.
 */
const template = z.boolean().optional();

/** Schema of {@link SecretSpec}. */
export const secretSpecSchema = z.strictObject({ name: objectName, labels: labels.default({}), template });
/** What is public of a secret. */
export type SecretSpec = z.output<typeof secretSpecSchema>;
/** A secret spec as people write it. */
export type SecretSpecInput = z.input<typeof secretSpecSchema>;

/** Schema of {@link ConfigSpec}. */
export const configSpecSchema = z.strictObject({ name: objectName, labels: labels.default({}), template });
/** What a config should be. */
export type ConfigSpec = z.output<typeof configSpecSchema>;
/** A config spec as people write it. */
export type ConfigSpecInput = z.input<typeof configSpecSchema>;
