/** `x-skep-autoscale` of a service: a metric that decides how many tasks there are. */

import type { ServiceSpecInput } from '@skep/core';
import { compact, readField, readFields } from './read-fields.ts';
import {
  readBytes,
  readCount,
  readDecimal,
  readDurationMs,
  readOneOf,
  readRatio,
  readWord,
} from './read-values.ts';
import type { Place, Read, Reading } from './reading.ts';

type Autoscale = NonNullable<ServiceSpecInput['autoscale']>;
type Metric = Autoscale['metric'];

export const readAutoscale: Read<Autoscale> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: [
      ...(['min', 'max', 'metric', 'target', 'tolerance', 'every'] as const),
      ...(['scale_up_cooldown', 'scale_down_cooldown', 'stabilization', 'stale'] as const),
    ],
  });
  if (fields === undefined) return undefined;
  for (const key of ['min', 'max', 'metric', 'target'] as const)
    if (fields[key] === undefined) reading.issue(place, `must have a ${key}`);
  const min = readField(reading, fields.min, readCount);
  const max = readField(reading, fields.max, readCount);
  const metric = readField(reading, fields.metric, readMetric);
  const target = readField(reading, fields.target, metric === 'memory' ? readBytes : readDecimal);
  if (min === undefined || max === undefined || metric === undefined || target === undefined)
    return undefined;
  return compact({
    ...{ min, max, metric, target },
    tolerance: readField(reading, fields.tolerance, readRatio),
    everyMs: readField(reading, fields.every, readDurationMs),
    scaleUpCooldownMs: readField(reading, fields.scale_up_cooldown, readDurationMs),
    scaleDownCooldownMs: readField(reading, fields.scale_down_cooldown, readDurationMs),
    stabilizationMs: readField(reading, fields.stabilization, readDurationMs),
    staleMs: readField(reading, fields.stale, readDurationMs),
  });
};

/** `cpu`, `memory`, or one of the user's own by its name. */
function readMetric(reading: Reading, place: Place): Metric | undefined {
  if (place.node.kind !== 'map') return readOneOf(['cpu', 'memory'])(reading, place);
  const fields = readFields(reading, place, { read: ['name', 'of'] });
  if (fields === undefined) return undefined;
  if (fields.name === undefined) return reading.issue(place, 'must have a name');
  const name = readField(reading, fields.name, readWord);
  return name === undefined
    ? undefined
    : compact({ name, of: readField(reading, fields.of, readOneOf(['service', 'task'])) });
}
