/** `update_config` and `rollback_config` of a service: how its tasks are replaced, forward and back. */

import type { ServiceSpecInput } from '@skep/core';
import { compact, readField, readFields } from './read-fields.ts';
import { readCount, readDurationMs, readOneOf, readRatio } from './read-values.ts';
import type { Place, Read, Reading } from './reading.ts';

type Update = NonNullable<ServiceSpecInput['update']>;
type Rollback = NonNullable<ServiceSpecInput['rollback']>;

export const readUpdate: Read<Update> = (reading, place) =>
  readPolicy(reading, place, ['pause', 'continue', 'rollback']);

/** A rollback is never rolled back. */
export const readRollback: Read<Rollback> = (reading, place) =>
  readPolicy(reading, place, ['pause', 'continue']);

/** The two differ in nothing else. */
function readPolicy<const Actions extends readonly string[]>(
  reading: Reading,
  place: Place,
  actions: Actions,
): (Omit<Rollback, 'failureAction'> & { failureAction?: Actions[number] }) | undefined {
  const fields = readFields(reading, place, {
    read: ['parallelism', 'delay', 'failure_action', 'monitor', 'max_failure_ratio', 'order'],
  });
  if (fields === undefined) return undefined;
  const monitorMs = readField(reading, fields.monitor, readDurationMs);
  return compact({
    parallelism: readField(reading, fields.parallelism, readCount),
    delayMs: readField(reading, fields.delay, readDurationMs),
    failureAction: readField(reading, fields.failure_action, readOneOf(actions)),
    // Docker takes 0 for its default.
    monitorMs: monitorMs === 0 ? undefined : monitorMs,
    maxFailureRatio: readField(reading, fields.max_failure_ratio, readRatio),
    order: readField(reading, fields.order, readOneOf(['stop-first', 'start-first'])),
  });
}
