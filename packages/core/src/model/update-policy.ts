/**
 * How a service is changed under way: the policies of updates and of rollbacks, as people write them and with their
 * defaults, and what makes a start before the stop impossible. Defaults are Swarm's.
 */

import * as z from 'zod';
import { milliseconds } from './names.ts';

const shared = {
  /** So many slots are replaced at a time; 0 = all at once. Default 1. */
  parallelism: z.number().int('must be a whole number').min(0, 'must not be negative').default(1),
  /** From a new task's start to the next replacement. Default 0. */
  delayMs: milliseconds.optional(),
  /**
   * `stop-first` (default): the new task is prepared (its image pulled), then the old one is stopped, then the new one
   * starts. `start-first`: the old one is stopped once the new one runs, and is healthy where health is probed.
   */
  order: z.enum(['stop-first', 'start-first']).optional(),
  /** So long after its start the end of a new task counts as a failure of the update. Default 5 s. */
  monitorMs: milliseconds.optional(),
  /** Failures that are put up with, as a part of the slots to replace: from 0 (default) to 1. */
  maxFailureRatio: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1').optional(),
};

/** Schema of a service's `update`. */
export const updateSchema = z.strictObject({
  ...shared,
  /** What more failures lead to. Default `pause`. */
  failureAction: z.enum(['pause', 'continue', 'rollback']).optional(),
  /** Stop after so many replaced slots, until the update is promoted or aborted. */
  canary: z
    .strictObject({
      tasks: z.number().int('must be a whole number').min(1, 'must be at least 1'),
      /** It is promoted by itself after the canaries ran so long without a failure. Default: by hand alone. */
      promoteAfterMs: milliseconds.optional(),
    })
    .optional(),
  /**
   * All new tasks are started beside the old ones and get no traffic; once all of them run, and are healthy, traffic is
   * switched to them at once, and the old ones are stopped.
   */
  blueGreen: z
    .strictObject({
      /** The switch comes by itself after all new tasks ran so long. 0 = at once. Default: by hand alone. */
      promoteAfterMs: milliseconds.optional(),
    })
    .optional(),
});

/** Schema of a service's `rollback`. */
export const rollbackSchema = z.strictObject({
  ...shared,
  /** A rollback is never rolled back. Default `pause`. */
  failureAction: z.enum(['pause', 'continue']).optional(),
});

type UpdateSpec = z.output<typeof updateSchema>;
type RollbackSpec = z.output<typeof rollbackSchema>;

/** A policy with its defaults. */
export interface UpdatePolicy {
  readonly parallelism: number;
  readonly delayMs: number;
  readonly order: 'stop-first' | 'start-first';
  readonly monitorMs: number;
  readonly failureAction: 'pause' | 'continue' | 'rollback';
  readonly maxFailureRatio: number;
  readonly canary?: NonNullable<UpdateSpec['canary']>;
  readonly blueGreen?: NonNullable<UpdateSpec['blueGreen']>;
}

type Given = UpdateSpec | RollbackSpec;

// Specs are immutable, and every slot of a service is looked at by the same.
const known = new WeakMap<Given, UpdatePolicy>();
const PLAIN: UpdatePolicy = complete({ parallelism: 1 });

/** The policy of a service's updates. */
export function updatePolicy({ update }: { readonly update: UpdateSpec }): UpdatePolicy {
  return remembered(update);
}

/** The policy of a service's rollbacks. */
export function rollbackPolicy({ rollback }: { readonly rollback?: RollbackSpec | undefined }): UpdatePolicy {
  return rollback === undefined ? PLAIN : remembered(rollback);
}

function remembered(given: Given): UpdatePolicy {
  const policy = known.get(given) ?? complete(given);
  known.set(given, policy);
  return policy;
}

function complete(given: Given): UpdatePolicy {
  const { parallelism, delayMs = 0, order = 'stop-first', monitorMs = 5_000 } = given;
  const { failureAction = 'pause', maxFailureRatio = 0 } = given;
  return {
    ...{ parallelism, delayMs, order, monitorMs, failureAction, maxFailureRatio },
    ...('canary' in given && given.canary ? { canary: given.canary } : {}),
    ...('blueGreen' in given && given.blueGreen ? { blueGreen: given.blueGreen } : {}),
  };
}

/** What of a spec two tasks may not be able to share. */
interface Exclusive {
  readonly mode: string;
  readonly maxOne?: object | undefined;
  readonly ports: readonly {
    readonly mode: string;
    readonly published?: number | undefined;
    readonly protocol: string;
  }[];
  readonly task: {
    readonly mounts: readonly {
      readonly type: string;
      readonly readOnly: boolean;
      readonly source?: string | undefined;
    }[];
  };
}

/**
 * What keeps a new task from running beside the old one of its slot, wherever it runs, in words; undefined: nothing. A
 * host port may be free on another node, which a task of a global service does not get.
 */
export function startFirstIsImpossible(spec: Exclusive): string | undefined {
  if (spec.maxOne) return 'there is never more than one task of a slot';
  const port = spec.mode === 'global' ? takenPort(spec) : undefined;
  if (port !== undefined) return port;
  const mount = spec.task.mounts.find(({ type, readOnly, source }) => isWritten(type, readOnly, source));
  return mount && `two tasks must not write to the volume '${mount.source}'`;
}

/** What keeps all new tasks from running beside all old ones, in words; undefined: nothing. */
export function blueGreenIsImpossible(spec: Exclusive): string | undefined {
  return takenPort(spec) ?? startFirstIsImpossible(spec);
}

function takenPort({ ports }: Exclusive): string | undefined {
  const port = ports.find(({ mode, published }) => mode === 'host' && published !== undefined);
  return port && `two tasks can't share the host port ${port.published}/${port.protocol}`;
}

/** A named volume that a task writes to. What a bind mount is for, only its owner knows. */
function isWritten(type: string, readOnly: boolean, source: string | undefined): boolean {
  return type === 'volume' && !readOnly && source !== undefined;
}
