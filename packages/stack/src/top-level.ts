/** The sections beside `services`: networks, volumes, secrets and configs, each as what services may refer to. */

import type { ConfigSpecInput, NetworkSpecInput, SecretSpecInput } from '@skep/core';
import { readEach, readMap, readTextRecord } from './read-collections.ts';
import { compact, type FieldTable, readField, readFields } from './read-fields.ts';
import { readBoolean, readText, readWord } from './read-values.ts';
import type { Keyed, Place, Read, Reading } from './reading.ts';
import { type FileAccess, readFileAt } from './stack-files.ts';

/** Label that marks every object of a stack with the stack's name. */
export const STACK_LABEL = 'com.docker.stack.namespace';
/** Label of a service that holds the image as the stack file names it. */
export const STACK_IMAGE_LABEL = 'com.docker.stack.image';

/** The network that services are on when the file names none for them. */
export const DEFAULT_NETWORK = 'default';

/** A network of the file: made by the stack, or there before it. */
export type NetworkSource =
  | {
      readonly external: false;
      readonly name: string;
      readonly spec: NetworkSpecInput;
      readonly place: Place;
    }
  | { readonly external: true; readonly name: string };

/** A named volume. Volumes are made by the driver when a task first needs them. */
export interface StackVolume {
  /** Name that tasks mount it under: `<stack>_<key>`, or its own. */
  readonly name: string;
  /** Made outside of the stack. */
  readonly external: boolean;
}

/** What a file of a stack holds. A function, so that nobody prints a secret by printing the stack. */
export type DataSource = () => Uint8Array;

/** A secret of the stack with its value. */
export interface StackSecret {
  readonly spec: SecretSpecInput;
  readonly data: DataSource;
}

/** A config of the stack with its content. */
export interface StackConfig {
  readonly spec: ConfigSpecInput;
  readonly data: DataSource;
}

/** A secret or config of the file. */
export type FileSource =
  | {
      readonly external: false;
      readonly name: string;
      readonly spec: SecretSpecInput & ConfigSpecInput;
      readonly data: DataSource;
      readonly place: Place;
    }
  | { readonly external: true; readonly name: string };

/** Reads a section of named objects, absent or without a value as empty. */
export function readSection<Value>(
  reading: Reading,
  place: Place | undefined,
  read: (entry: Keyed) => Value | undefined,
): ReadonlyMap<string, Value> {
  const objects = new Map<string, Value>();
  for (const entry of readField(reading, place, readMap) ?? []) {
    const object = read(entry);
    if (object !== undefined) objects.set(entry.key, object);
  }
  return objects;
}

/** An object without any field is one with all defaults: `volumes: {data: }`. */
function readObject<Key extends string>(reading: Reading, entry: Keyed, table: FieldTable<Key>) {
  const isNothing = entry.node.kind === 'scalar' && entry.node.value === null;
  return isNothing ? ({} as Partial<Record<Key, Place>>) : readFields(reading, entry, table);
}

interface Naming {
  readonly external: boolean;
  readonly name: string;
}

/** `external: true`, with `name` or the key as the name; or the older `external: {name: x}`. */
function readNaming(
  reading: Reading,
  entry: Keyed,
  fields: { readonly name?: Place; readonly external?: Place },
  stack: string,
): Naming | undefined {
  const named = readField(reading, fields.name, readWord);
  if (fields.external?.node.kind === 'map') {
    const inner = readFields(reading, fields.external, { read: ['name'] });
    return { external: true, name: readField(reading, inner?.name, readWord) ?? named ?? entry.key };
  }
  const external = readField(reading, fields.external, readBoolean) ?? false;
  if (fields.name !== undefined && named === undefined) return undefined;
  return { external, name: named ?? (external ? entry.key : `${stack}_${entry.key}`) };
}

/** What `external` objects must not have: whoever made them decided it. */
function refuseBesideExternal(reading: Reading, fields: Readonly<Record<string, Place | undefined>>): void {
  for (const [key, place] of Object.entries(fields)) {
    if (place !== undefined && key !== 'external' && key !== 'name') {
      reading.issue(place, 'can not be given for something external, which was made elsewhere');
    }
  }
}

export function readNetwork(reading: Reading, entry: Keyed, stack: string): NetworkSource | undefined {
  const fields = readObject(reading, entry, {
    read: [
      'name',
      'external',
      'driver',
      'driver_opts',
      'attachable',
      'internal',
      'labels',
      'ipam',
      'enable_ipv6',
    ],
    notSupported: { enable_ipv4: '' },
  });
  const naming = fields && readNaming(reading, entry, fields, stack);
  if (fields === undefined || naming === undefined) return undefined;
  if (naming.external) {
    refuseBesideExternal(reading, fields);
    return { external: true, name: naming.name };
  }
  const spec = compact({
    name: naming.name,
    driver: readField(reading, fields.driver, readText) || undefined,
    options: readField(reading, fields.driver_opts, readTextRecord),
    attachable: readField(reading, fields.attachable, readBoolean),
    internal: readField(reading, fields.internal, readBoolean),
    ipv6: readField(reading, fields.enable_ipv6, readBoolean),
    subnets: readField(reading, fields.ipam, readSubnets),
    labels: { ...readField(reading, fields.labels, readTextRecord), [STACK_LABEL]: stack },
  });
  return { external: false, name: naming.name, spec, place: entry };
}

/** The network that a stack gets when the file says nothing of it. */
export function defaultNetwork(stack: string, place: Place): NetworkSource {
  const name = `${stack}_${DEFAULT_NETWORK}`;
  return { external: false, name, spec: { name, labels: { [STACK_LABEL]: stack } }, place };
}

const readSubnets: Read<{ subnet: string; range?: string; gateway?: string }[]> = (reading, place) => {
  const fields = readFields(reading, place, {
    read: ['config'],
    notSupported: { driver: 'subnets are given out by the cluster', options: '' },
  });
  if (fields?.config === undefined) return undefined;
  return readEach(reading, fields.config, (_, item) => {
    const pool = readFields(reading, item, {
      read: ['subnet', 'ip_range', 'gateway'],
      notSupported: { aux_addresses: '' },
    });
    if (pool === undefined) return undefined;
    if (pool.subnet === undefined) return reading.issue(item, 'must have a subnet');
    const subnet = readWord(reading, pool.subnet);
    if (subnet === undefined) return undefined;
    return compact({
      subnet,
      range: readField(reading, pool.ip_range, readWord),
      gateway: readField(reading, pool.gateway, readWord),
    });
  });
};

export function readVolume(reading: Reading, entry: Keyed, stack: string): StackVolume | undefined {
  const fields = readObject(reading, entry, {
    read: ['name', 'external', 'driver', 'driver_opts', 'labels'],
    notSupported: { spec: '' },
  });
  const naming = fields && readNaming(reading, entry, fields, stack);
  if (fields === undefined || naming === undefined) return undefined;
  const { driver, driver_opts: options, labels } = fields;
  if (naming.external) refuseBesideExternal(reading, fields);
  else {
    if (driver !== undefined && readText(reading, driver) !== 'local') {
      reading.warn(
        driver,
        'not-supported',
        'not supported yet and ignored: volumes are those of the runtime driver',
      );
    }
    for (const place of [options, labels]) {
      if (place !== undefined) reading.warn(place, 'not-supported', 'not supported yet and ignored');
    }
  }
  return naming;
}

/** Reads a secret or config: from a file, from a variable, a config also from its own `content`. */
export function readFileObject(
  reading: Reading,
  entry: Keyed,
  stack: string,
  kind: 'secret' | 'config',
  access: FileAccess,
): FileSource | undefined {
  const drivers = 'values come from a file or a variable';
  const fields = readObject(reading, entry, {
    read: [
      'name',
      'external',
      'file',
      'environment',
      'labels',
      'template_driver',
      ...(kind === 'config' ? (['content'] as const) : []),
    ],
    refused: {
      driver: drivers,
      driver_opts: drivers,
    },
  });
  const naming = fields && readNaming(reading, entry, fields, stack);
  if (fields === undefined || naming === undefined) return undefined;
  if (naming.external) {
    refuseBesideExternal(reading, fields);
    return { external: true, name: naming.name };
  }
  const given = [fields.file, fields.environment, fields.content].filter((place) => place !== undefined);
  if (given.length !== 1) {
    const forms = kind === 'config' ? 'file, environment or content' : 'file or environment';
    return reading.issue(entry, `must have one of ${forms}, or external: true`);
  }
  const data =
    readField(reading, fields.file, (_, place) => readDataFile(reading, place, access)) ??
    readField(reading, fields.environment, readVariable) ??
    readField(reading, fields.content, (_, place) => encode(readText(reading, place)));
  if (data === undefined) return undefined;
  const labels = { ...readField(reading, fields.labels, readTextRecord), [STACK_LABEL]: stack };
  const template = readField(reading, fields.template_driver, readTemplateDriver);
  return {
    external: false,
    name: naming.name,
    spec: { name: naming.name, labels, ...(template ? { template } : {}) },
    data: () => data,
    place: entry,
  };
}

function readDataFile(reading: Reading, place: Place, access: FileAccess): Uint8Array | undefined {
  const path = readWord(reading, place);
  return path === undefined ? undefined : readFileAt(reading, place, path, access);
}

const readVariable: Read<Uint8Array> = (reading, place) => {
  const name = readWord(reading, place);
  if (name === undefined) return undefined;
  const value = Object.hasOwn(reading.variables, name) ? reading.variables[name] : undefined;
  return value === undefined ? reading.issue(place, 'names a variable that is not set') : encode(value);
};

const readTemplateDriver: Read<boolean> = (reading, place) => {
  const driver = readWord(reading, place);
  return driver === 'golang'
    ? true
    : reading.issue(place, 'must be golang, the one template language there is');
};

function encode(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text);
}
