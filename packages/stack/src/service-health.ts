/**
 * The health probe of a service: compose's `healthcheck`, and `x-skep-health` for probes over HTTP and TCP, which
 * compose has no form for.
 */

import type { TaskSpecInput } from '@skep/core';
import { readEach } from './read-collections.ts';
import { compact, readField, readFields } from './read-fields.ts';
import { readBoolean, readCount, readDurationMs, readInteger, readText } from './read-values.ts';
import { type Place, type Read, type Reading, shown } from './reading.ts';

type Health = NonNullable<TaskSpecInput['health']>;
type HealthTest = Health['test'];

/** What runs a CMD-SHELL test. */
const SHELL = ['/bin/sh', '-c'] as const;

/**
 * Reads both. `x-skep-health` wins over `healthcheck.test`, so that one file serves Docker and Skep; the times are
 * always those of `healthcheck`, and `disable: true` or `NONE` turns any probe off, the image's own too.
 */
export function readHealth(
  reading: Reading,
  healthcheck: Place | undefined,
  extension: Place | undefined,
): Health | undefined {
  const probe = readField(reading, extension, readProbe);
  const fields = readField(reading, healthcheck, (_, place) =>
    readFields(reading, place, {
      read: ['test', 'interval', 'timeout', 'retries', 'start_period', 'start_interval', 'disable'],
    }),
  );
  if (fields === undefined || healthcheck === undefined) return probe && { test: probe };
  const test = readField(reading, fields.test, readTest);
  const times = compact({
    intervalMs: readTime(reading, fields.interval),
    timeoutMs: readTime(reading, fields.timeout),
    retries: readField(reading, fields.retries, readCount) || undefined,
    startPeriodMs: readTime(reading, fields.start_period),
    startIntervalMs: readTime(reading, fields.start_interval),
  });
  if (readField(reading, fields.disable, readBoolean) === true || test?.kind === 'none') {
    return { test: { kind: 'none' } };
  }
  const chosen = probe ?? test;
  if (chosen !== undefined) return { test: chosen, ...times };
  if (fields.test === undefined) {
    reading.warn(
      healthcheck,
      'not-supported',
      'ignored without a test: the image has a probe and times of its own, or none',
    );
  }
  return undefined;
}

/** Zero means the default, as it does to Docker. */
function readTime(reading: Reading, place: Place | undefined): number | undefined {
  return readField(reading, place, readDurationMs) || undefined;
}

const readTest: Read<HealthTest> = (reading, place) => {
  if (place.node.kind !== 'list') {
    const text = readText(reading, place);
    if (text === undefined) return undefined;
    return text === '' ? { kind: 'none' } : { kind: 'exec', command: [...SHELL, text] };
  }
  const [kind, ...command] = readEach(reading, place, readText) ?? [];
  if (kind === 'NONE' || kind === undefined) return { kind: 'none' };
  if (kind === 'CMD' && command.length > 0) return { kind: 'exec', command };
  if (kind === 'CMD-SHELL' && command.length === 1) return { kind: 'exec', command: [...SHELL, ...command] };
  return reading.issue(place, 'must be a text, [NONE], [CMD, program, argument…] or [CMD-SHELL, text]');
};

const readPort: Read<number> = (reading, place) => {
  const port = readInteger(reading, place);
  if (port === undefined) return undefined;
  return port >= 1 && port <= 65_535
    ? port
    : reading.issue(place, `must be from 1 to 65535, not ${shown(place)}`);
};

const readProbe: Read<HealthTest> = (reading, place) => {
  const kinds = readFields(reading, place, { read: ['http', 'tcp'] });
  if (kinds === undefined) return undefined;
  const one = kinds.http ?? kinds.tcp;
  if (one === undefined || (kinds.http !== undefined && kinds.tcp !== undefined)) {
    return reading.issue(place, 'must have either http or tcp');
  }
  const isHttp = kinds.http !== undefined;
  const fields = readFields(reading, one, { read: isHttp ? ['port', 'path'] : ['port'] });
  if (fields === undefined) return undefined;
  if (fields.port === undefined)
    return reading.issue(one, 'must have a port: the one that the task listens on');
  const port = readPort(reading, fields.port);
  const path = readField(reading, fields.path, readText) ?? '/';
  if (fields.path !== undefined && !path.startsWith('/'))
    return reading.issue(fields.path, 'must begin with /');
  if (port === undefined) return undefined;
  return isHttp ? { kind: 'http', port, path } : { kind: 'tcp', port };
};
