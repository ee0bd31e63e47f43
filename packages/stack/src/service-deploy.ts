/** The `deploy` section of a service: how many tasks, where they may stand, what they take, how they are restarted. */

import { checkConstraints, type ServiceSpecInput, type TaskSpecInput } from '@skep/core';
import { CONSTRAINTS_MAX } from './limits.ts';
import { readList, readTextRecord } from './read-collections.ts';
import { compact, readField, readFields } from './read-fields.ts';
import {
  readBytes,
  readCount,
  readCpus,
  readDurationMs,
  readOneOf,
  readText,
  readWord,
} from './read-values.ts';
import { type Place, type Read, type Reading, shown } from './reading.ts';
import { readAutoscale } from './service-autoscale.ts';
import { readRollback, readUpdate } from './service-update.ts';

/** What `deploy` says of a service. */
export interface Deploy {
  readonly mode?: NonNullable<ServiceSpecInput['mode']>;
  readonly replicas?: number;
  readonly job?: NonNullable<ServiceSpecInput['job']>;
  readonly schedule?: NonNullable<ServiceSpecInput['schedule']>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly endpointMode?: NonNullable<ServiceSpecInput['endpointMode']>;
  readonly update?: NonNullable<ServiceSpecInput['update']>;
  readonly rollback?: NonNullable<ServiceSpecInput['rollback']>;
  readonly resources?: NonNullable<TaskSpecInput['resources']>;
  readonly restart?: NonNullable<TaskSpecInput['restart']>;
  readonly placement?: NonNullable<TaskSpecInput['placement']>;
  readonly autoscale?: NonNullable<ServiceSpecInput['autoscale']>;
  readonly disruption?: NonNullable<ServiceSpecInput['disruption']>;
}

export const readDeploy: Read<Deploy> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: [
      'mode',
      'replicas',
      'labels',
      'endpoint_mode',
      'update_config',
      'rollback_config',
      'resources',
      'restart_policy',
      'placement',
      'x-skep-concurrency',
      'x-skep-schedule',
      'x-skep-disruption',
      'x-skep-autoscale',
    ],
  });
  if (fields === undefined) return undefined;
  const mode = readField(reading, fields.mode, readOneOf(MODES));
  const replicas = readField(reading, fields.replicas, readCount);
  const concurrency = readField(reading, fields['x-skep-concurrency'], readCount);
  const isGlobal = mode === 'global' || mode === 'global-job';
  if (isGlobal && fields.replicas !== undefined) {
    reading.issue(fields.replicas, 'has no meaning for a global service, which has one task on every node');
  }
  if (mode !== 'replicated-job' && fields['x-skep-concurrency'] !== undefined) {
    reading.issue(fields['x-skep-concurrency'], 'has a meaning only for mode replicated-job');
  }
  return compact({
    mode,
    ...counts(mode, replicas, concurrency),
    schedule: readField(reading, fields['x-skep-schedule'], readSchedule),
    labels: readField(reading, fields.labels, readTextRecord),
    endpointMode: readField(reading, fields.endpoint_mode, readOneOf(['vip', 'dnsrr'])),
    update: readField(reading, fields.update_config, readUpdate),
    rollback: readField(reading, fields.rollback_config, readRollback),
    resources: readField(reading, fields.resources, readResources),
    restart: readField(reading, fields.restart_policy, readRestart),
    placement: readField(reading, fields.placement, readPlacement),
    autoscale: readField(reading, fields['x-skep-autoscale'], readAutoscale),
    disruption: readField(reading, fields['x-skep-disruption'], readDisruption),
  });
};

/** Docker takes a job's `replicas` for what is to complete, all of them at once. */
function counts(
  mode: Deploy['mode'],
  replicas: number | undefined,
  concurrency: number | undefined,
): Pick<Deploy, 'replicas' | 'job'> {
  if (mode !== 'replicated-job') return compact({ replicas });
  return { job: compact({ completions: replicas, concurrency }) };
}

const MODES = ['replicated', 'global', 'replicated-job', 'global-job'] as const;

const readSchedule: Read<NonNullable<Deploy['schedule']>> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: ['cron', 'time_zone', 'overlap', 'missed', 'deadline'],
  });
  if (fields === undefined) return undefined;
  if (fields.cron === undefined) return reading.issue(place, 'must have a cron line');
  const cron = readField(reading, fields.cron, readText);
  return cron === undefined
    ? undefined
    : compact({
        cron,
        timeZone: readField(reading, fields.time_zone, readWord),
        overlap: readField(reading, fields.overlap, readOneOf(['allow', 'forbid', 'replace'])),
        missed: readField(reading, fields.missed, readOneOf(['run-once', 'skip'])),
        deadlineMs: readField(reading, fields.deadline, readDurationMs),
      });
};

const readDisruption: Read<NonNullable<Deploy['disruption']>> = (reading, place) => {
  const fields = readFields(reading, place, { read: ['max_unavailable', 'order'] });
  if (fields === undefined) return undefined;
  return compact({
    maxUnavailable: readField(reading, fields.max_unavailable, readCount),
    order: readField(reading, fields.order, readOneOf(['start-first', 'stop-first'])),
  });
};

const readRestart: Read<NonNullable<Deploy['restart']>> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: ['condition', 'delay', 'max_attempts', 'window', 'x-skep-backoff'],
  });
  if (fields === undefined) return undefined;
  return compact({
    condition: readField(reading, fields.condition, readOneOf(['none', 'on-failure', 'any'])),
    delayMs: readField(reading, fields.delay, readDurationMs),
    maxAttempts: readField(reading, fields.max_attempts, readCount),
    windowMs: readField(reading, fields.window, readDurationMs),
    backoff: readField(reading, fields['x-skep-backoff'], readOneOf(['exponential', 'fixed'])),
  });
};

const readPlacement: Read<NonNullable<Deploy['placement']>> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: ['constraints', 'preferences', 'max_replicas_per_node'],
  });
  if (fields === undefined) return undefined;
  return compact({
    constraints: readField(reading, fields.constraints, readConstraints),
    preferences: readField(reading, fields.preferences, readPreferences),
    maxReplicasPerNode: readField(reading, fields.max_replicas_per_node, readCount),
  });
};

const readConstraints: Read<string[]> = (reading, place) => {
  const items: { readonly item: Place; readonly text: string }[] = [];
  for (const item of readList(reading, place) ?? []) {
    const text = readText(reading, item);
    if (text !== undefined) items.push({ item, text });
  }
  if (items.length > CONSTRAINTS_MAX)
    return reading.issue(place, `must be at most ${CONSTRAINTS_MAX} constraints`);
  const texts = items.map(({ text }) => text);
  for (const { field, rule } of checkConstraints(texts, '')) {
    const found = items[Number(field.slice(1, -1))];
    if (found === undefined) continue;
    // The rule quotes the constraint; one with variables in it is told as it was written.
    const hasVariables = items.some(
      ({ item, text }) => item.node.kind === 'scalar' && item.node.source !== text,
    );
    reading.issue(found.item, hasVariables ? `${shown(found.item)} is no constraint that can be met` : rule);
  }
  return texts;
};

const readPreferences: Read<{ spread: string }[]> = (reading, place) => {
  const preferences: { spread: string }[] = [];
  for (const item of readList(reading, place) ?? []) {
    const fields = readFields(reading, item, { read: ['spread'] });
    if (fields !== undefined && fields.spread === undefined) reading.issue(item, 'must have a spread');
    const spread = readField(reading, fields?.spread, readWord);
    if (spread !== undefined) preferences.push({ spread });
  }
  return preferences;
};

const readResources: Read<NonNullable<Deploy['resources']>> = (reading, place) => {
  const fields = readFields(reading, place, { read: ['limits', 'reservations'] });
  if (fields === undefined) return undefined;
  return compact({
    limits: readField(reading, fields.limits, (_, limits) => {
      const told = readFields(reading, limits, { read: ['cpus', 'memory', 'pids'] });
      return (
        told &&
        compact({
          cpus: readField(reading, told.cpus, readCpus),
          memoryBytes: readField(reading, told.memory, readBytes),
          pids: readField(reading, told.pids, readCount),
        })
      );
    }),
    reservations: readField(reading, fields.reservations, (_, reservations) => {
      const told = readFields(reading, reservations, {
        read: ['cpus', 'memory', 'generic_resources'],
        notSupported: { devices: 'name what a node has as generic_resources' },
      });
      return (
        told &&
        compact({
          cpus: readField(reading, told.cpus, readCpus),
          memoryBytes: readField(reading, told.memory, readBytes),
          generic: readField(reading, told.generic_resources, readGeneric),
        })
      );
    }),
  });
};

const readGeneric: Read<Record<string, number>> = (reading, place) => {
  const generic = new Map<string, number>();
  for (const item of readList(reading, place) ?? []) {
    const resource = readGenericResource(reading, item);
    if (resource === undefined) continue;
    if (generic.has(resource.kind)) reading.issue(item, `asks for ${resource.kind} a second time`);
    generic.set(resource.kind, resource.amount);
  }
  return Object.fromEntries(generic);
};

function readGenericResource(reading: Reading, item: Place): { kind: string; amount: number } | undefined {
  const outer = readFields(reading, item, { read: ['discrete_resource_spec'] });
  if (outer === undefined) return undefined;
  const place = outer.discrete_resource_spec;
  if (place === undefined) return reading.issue(item, 'must have a discrete_resource_spec');
  const fields = readFields(reading, place, { read: ['kind', 'value'] });
  if (fields === undefined) return undefined;
  if (fields.kind === undefined || fields.value === undefined)
    return reading.issue(place, 'must have kind and value');
  const kind = readWord(reading, fields.kind);
  const amount = readCount(reading, fields.value);
  return kind === undefined || amount === undefined ? undefined : { kind, amount };
}
