/** What a service says of the container around its program: limits, kernel settings, rights, devices, the log. */

import type { TaskSpecInput } from '@skep/core';
import { readEach, readMap, readTextRecord } from './read-collections.ts';
import { type Compact, compact, readField, readFields } from './read-fields.ts';
import { readBoolean, readInteger, readText, readWord } from './read-values.ts';
import { type Place, type Read, shown } from './reading.ts';

type Ulimits = NonNullable<TaskSpecInput['ulimits']>;
type Device = NonNullable<TaskSpecInput['devices']>[number];
type LogDriver = NonNullable<TaskSpecInput['logDriver']>;

/** The part of a task spec that is read here. */
export type ContainerFields = Compact<
  Pick<
    TaskSpecInput,
    | 'init'
    | 'ulimits'
    | 'sysctls'
    | 'capabilityAdd'
    | 'capabilityDrop'
    | 'devices'
    | 'privileged'
    | 'logDriver'
  >
>;

/** The keys that are read here. */
export const CONTAINER_KEYS = [
  'init',
  'ulimits',
  'sysctls',
  'cap_add',
  'cap_drop',
  'devices',
  'privileged',
  'logging',
] as const;

/** Reads them. */
export function readContainer(
  reading: Parameters<Read<unknown>>[0],
  fields: Readonly<Partial<Record<(typeof CONTAINER_KEYS)[number], Place>>>,
): ContainerFields {
  return compact({
    init: readField(reading, fields.init, readBoolean),
    ulimits: readField(reading, fields.ulimits, readUlimits),
    sysctls: readField(reading, fields.sysctls, readTextRecord),
    capabilityAdd: readField(reading, fields.cap_add, readCapabilities),
    capabilityDrop: readField(reading, fields.cap_drop, readCapabilities),
    devices: readField(reading, fields.devices, readDevices),
    privileged: readField(reading, fields.privileged, readBoolean),
    logDriver: readField(reading, fields.logging, readLogging),
  });
}

const readUlimits: Read<Ulimits> = (reading, place) => {
  const limits = new Map<string, Ulimits[string]>();
  for (const entry of readMap(reading, place) ?? []) {
    const limit = readUlimit(reading, entry);
    if (limit !== undefined) limits.set(entry.key, limit);
  }
  return Object.fromEntries(limits);
};

/** A number stands for both limits. */
const readUlimit: Read<Ulimits[string]> = (reading, place) => {
  if (place.node.kind !== 'map') {
    const both = readInteger(reading, place);
    return both === undefined ? undefined : { soft: both, hard: both };
  }
  const fields = readFields(reading, place, { read: ['soft', 'hard'] });
  if (fields === undefined) return undefined;
  if (fields.soft === undefined || fields.hard === undefined) {
    return reading.issue(place, 'must be a number, or have soft and hard');
  }
  const soft = readInteger(reading, fields.soft);
  const hard = readInteger(reading, fields.hard);
  return soft === undefined || hard === undefined ? undefined : { soft, hard };
};

const readCapabilities: Read<string[]> = (reading, place) =>
  readEach(reading, place, (_, item) => readText(reading, item)?.toUpperCase());

const readDevices: Read<Device[]> = (reading, place) => readEach(reading, place, readDevice);

const readDevice: Read<Device> = (reading, place) => {
  if (place.node.kind === 'map') {
    const fields = readFields(reading, place, { read: ['source', 'target', 'permissions'] });
    if (fields === undefined) return undefined;
    if (fields.source === undefined) return reading.issue(place, 'must have a source');
    const source = readWord(reading, fields.source);
    if (source === undefined) return undefined;
    return compact({
      source,
      target: readField(reading, fields.target, readWord),
      permissions: readField(reading, fields.permissions, readWord),
    });
  }
  const parts = readText(reading, place)?.split(':');
  if (parts === undefined) return undefined;
  const [source = '', second, third] = parts;
  if (source === '' || second === '' || third === '' || parts.length > 3) {
    return reading.issue(place, `must have the form source[:target[:permissions]], not ${shown(place)}`);
  }
  // Docker takes `/dev/x:r` too: the second part is a path or permissions.
  const isPath = second === undefined || second.startsWith('/') || third !== undefined;
  return compact({
    source,
    target: isPath ? second : undefined,
    permissions: isPath ? third : second,
  });
};

const readLogging: Read<LogDriver> = (reading, place) => {
  const fields = readFields(reading, place, { read: ['driver', 'options'] });
  if (fields === undefined) return undefined;
  const options = readField(reading, fields.options, readTextRecord);
  if (fields.driver === undefined) {
    return options === undefined ? undefined : reading.issue(place, 'must name the driver of its options');
  }
  const name = readWord(reading, fields.driver);
  return name === undefined ? undefined : compact({ name, options: options && { ...options } });
};
