/**
 * A stack file as specs: the one parser of the compose format for all who deploy stacks. Pure: the caller gives the
 * variables and a reader of files, and gets specs with everything that has no effect told in warnings.
 */

import {
  configSpecSchema,
  InvalidSpecError,
  type NetworkSpecInput,
  networkSpecSchema,
  type ServiceSpecInput,
  secretSpecSchema,
} from '@skep/core';
import type { Variables } from './interpolation.ts';
import { CONFIG_BYTES_MAX, SECRET_BYTES_MAX } from './limits.ts';
import { readMap } from './read-collections.ts';
import { readField, readFields } from './read-fields.ts';
import { readWord } from './read-values.ts';
import { type Place, Reading, type StackWarning } from './reading.ts';
import { readService } from './service.ts';
import { checkDependencies } from './service-depends-on.ts';
import type { Declared } from './service-references.ts';
import type { ReadFile } from './stack-files.ts';
import {
  DEFAULT_NETWORK,
  defaultNetwork,
  type FileSource,
  type NetworkSource,
  readFileObject,
  readNetwork,
  readSection,
  readVolume,
  type StackConfig,
  type StackSecret,
  type StackVolume,
} from './top-level.ts';
import { parseYamlTree } from './yaml-tree.ts';

/** How to read a stack file. */
export interface ParseStackOptions {
  /** Name of the stack, which prefixes the names of its objects. Default: the file's top-level `name`. */
  readonly name?: string;
  /** Variables for `${…}`, and for environment entries without a value. Default: none. */
  readonly env?: Variables;
  /** Directory that relative paths are seen from. Default: paths are left as they are. */
  readonly baseDir?: string;
  /** Reads `env_file`s and the files of secrets and configs. Default: a file that names any is refused. */
  readonly readFile?: ReadFile;
}

/** A stack file as specs, all names prefixed with the stack's. */
export interface Stack {
  readonly name: string;
  readonly services: readonly ServiceSpecInput[];
  /** Networks that the stack makes: those that a service is on. */
  readonly networks: readonly NetworkSpecInput[];
  readonly secrets: readonly StackSecret[];
  readonly configs: readonly StackConfig[];
  readonly volumes: readonly StackVolume[];
  /** Names of what must be there before the stack is deployed. */
  readonly external: {
    readonly networks: readonly string[];
    readonly secrets: readonly string[];
    readonly configs: readonly string[];
  };
  /** What the file says without effect, in the order of the reading. */
  readonly warnings: readonly StackWarning[];
}

const STACK_NAME = /^[A-Za-z0-9]+(?:[-_]+[A-Za-z0-9]+)*$/;

/**
 * Reads a stack file: Compose version 3 and the Compose specification, as far as swarm mode has it.
 *
 * @throws InvalidSpecError that names each faulty field by its path, with line and column in the rule.
 */
export function parseStack(text: string, options: ParseStackOptions = {}): Stack {
  const reading = new Reading(parseYamlTree(text), options.env ?? {});
  const fields = readFields(reading, reading.root, {
    read: ['services', 'networks', 'volumes', 'secrets', 'configs', 'name', 'version'],
    notInSwarm: { models: '' },
    refused: { include: 'join the files first' },
  });
  const name = readStackName(reading, options.name, fields?.name);
  reading.finish();
  if (fields === undefined || name === undefined) throw missing('', 'must be a map with services');

  const access = { baseDir: options.baseDir, readFile: options.readFile };
  const networks = new Map(
    readSection(reading, fields.networks, (entry) => readNetwork(reading, entry, name)),
  );
  if (!networks.has(DEFAULT_NETWORK)) networks.set(DEFAULT_NETWORK, defaultNetwork(name, reading.root));
  const files = (kind: 'secret' | 'config', place: Place | undefined) =>
    readSection(reading, place, (entry) => readFileObject(reading, entry, name, kind, access));
  const declared: Declared = {
    stack: name,
    services: new Set(readField(reading, fields.services, readMap)?.map(({ key }) => key)),
    networks,
    volumes: readSection(reading, fields.volumes, (entry) => readVolume(reading, entry, name)),
    secrets: files('secret', fields.secrets),
    configs: files('config', fields.configs),
    access,
    usedNetworks: new Set(),
  };
  // References to what could not be read would only repeat its fault.
  reading.finish();
  const services = readSection(reading, fields.services, (entry) => readService(reading, entry, declared));
  checkObjects(reading, declared);
  checkDependencies(reading, fields.services, services);
  if (fields.services === undefined) reading.issue(reading.root, 'must have services');
  reading.finish();
  return assemble(declared, [...services.values()], reading.warnings);
}

function missing(field: string, rule: string): InvalidSpecError {
  return new InvalidSpecError([{ field, rule }]);
}

function readStackName(
  reading: Reading,
  given: string | undefined,
  place: Place | undefined,
): string | undefined {
  const name = given ?? readField(reading, place, readWord);
  if (name === undefined) {
    if (place === undefined) throw missing('name', 'must be given, by the caller or at the top of the file');
    return undefined;
  }
  if (name.length <= 63 && STACK_NAME.test(name)) return name;
  const rule = 'must be at most 63 letters, digits, inner hyphens and underscores';
  if (given !== undefined || place === undefined) throw missing('name', rule);
  return reading.issue(place, rule);
}

/** Puts core's rules to the objects beside the services. */
function checkObjects(reading: Reading, declared: Declared): void {
  for (const source of used(declared)) {
    if (!source.external) note(reading, source.place, networkSpecSchema.safeParse(source.spec));
  }
  const limits = { secrets: SECRET_BYTES_MAX, configs: CONFIG_BYTES_MAX };
  for (const section of ['secrets', 'configs'] as const) {
    const schema = section === 'secrets' ? secretSpecSchema : configSpecSchema;
    for (const source of declared[section].values()) {
      if (source.external) continue;
      note(reading, source.place, schema.safeParse(source.spec));
      const { length } = source.data();
      if (length === 0) reading.issue(source.place, 'must not be empty');
      if (length >= limits[section])
        reading.issue(source.place, `must be smaller than ${limits[section]} bytes`);
    }
  }
}

interface Checked {
  readonly error?: {
    readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
  };
}

function note(reading: Reading, place: Place, checked: Checked): void {
  for (const { path, message } of checked.error?.issues ?? []) {
    const below = path.filter((key) => key !== 'name').map((key) => `.${String(key)}`);
    reading.issue({ path: `${place.path}${below.join('')}`, at: place.at }, message);
  }
}

function used(declared: Declared): readonly NetworkSource[] {
  return [...declared.networks].filter(([key]) => declared.usedNetworks.has(key)).map(([, source]) => source);
}

function assemble(
  declared: Declared,
  services: readonly ServiceSpecInput[],
  warnings: readonly StackWarning[],
): Stack {
  const networks = used(declared);
  const made = (sources: ReadonlyMap<string, FileSource>) =>
    [...sources.values()].flatMap((source) =>
      source.external ? [] : [{ spec: source.spec, data: source.data }],
    );
  const names = (sources: Iterable<{ readonly external: boolean; readonly name: string }>) =>
    [...sources].filter(({ external }) => external).map(({ name }) => name);
  return {
    name: declared.stack,
    services,
    networks: networks.flatMap((source) => (source.external ? [] : [source.spec])),
    secrets: made(declared.secrets),
    configs: made(declared.configs),
    volumes: [...declared.volumes.values()],
    external: {
      networks: names(networks),
      secrets: names(declared.secrets.values()),
      configs: names(declared.configs.values()),
    },
    warnings,
  };
}
