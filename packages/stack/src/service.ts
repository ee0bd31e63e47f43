/**
 * One service of a stack file as a service spec. Sits between the sections of the format, each read in its own
 * file, and core's schema, which has the last word on every value.
 */

import { InvalidSpecError, parseServiceSpec, type ServiceSpecInput, type TaskSpecInput } from '@skep/core';
import { parseEnvFile } from './env-file.ts';
import { readEach, readPairs, readTextRecord } from './read-collections.ts';
import { compact, readField, readFields } from './read-fields.ts';
import { readBoolean, readDurationMs, readText, readWord } from './read-values.ts';
import { type Keyed, type Place, type Read, type Reading, shown } from './reading.ts';
import { readBalancing } from './service-balancing.ts';
import { readContainer } from './service-container.ts';
import { readDependsOn } from './service-depends-on.ts';
import { type Deploy, readDeploy } from './service-deploy.ts';
import { readHealth } from './service-health.ts';
import { IGNORED_BY_SWARM, NOT_SUPPORTED, REFUSED, SERVICE_KEYS } from './service-keys.ts';
import { readPorts } from './service-ports.ts';
import { type Declared, readFileReferences, readMounts, readServiceNetworks } from './service-references.ts';
import { splitShellWords } from './shell-words.ts';
import { type FileAccess, readFileAt } from './stack-files.ts';
import { STACK_IMAGE_LABEL, STACK_LABEL } from './top-level.ts';

/** Reads a service; faults are noted in the reading. */
export function readService(
  reading: Reading,
  entry: Keyed,
  declared: Declared,
): ServiceSpecInput | undefined {
  const issuesBefore = reading.issueCount;
  const fields = readFields(reading, entry, {
    read: SERVICE_KEYS,
    notInSwarm: IGNORED_BY_SWARM,
    notSupported: NOT_SUPPORTED,
    refused: REFUSED,
  });
  if (fields === undefined) return undefined;
  const deploy: Deploy = readField(reading, fields.deploy, readDeploy) ?? {};
  const image = readField(reading, fields.image, readWord);
  const mounts = readMounts(reading, fields.volumes, fields.tmpfs, declared);
  const files = (section: 'secrets' | 'configs') =>
    readField(reading, fields[section], (_, place) => readFileReferences(reading, place, section, declared));

  const task: TaskSpecInput = compact({
    image,
    ...readProgram(reading, entry, fields),
    env: readEnvironment(reading, fields.env_file, fields.environment, declared.access),
    dir: readField(reading, fields.working_dir, readWord),
    user: readField(reading, fields.user, readWord),
    hostname: readField(reading, fields.hostname, readWord),
    labels: { ...readField(reading, fields.labels, readTextRecord), [STACK_LABEL]: declared.stack },
    tty: readField(reading, fields.tty, readBoolean),
    readOnly: readField(reading, fields.read_only, readBoolean),
    stopSignal: readField(reading, fields.stop_signal, readSignal),
    stopGraceMs: readField(reading, fields.stop_grace_period, readDurationMs),
    health: readHealth(reading, fields.healthcheck, fields['x-skep-health']),
    mounts: mounts.length > 0 ? [...mounts] : undefined,
    secrets: mutable(files('secrets')),
    configs: mutable(files('configs')),
    networks: [...readServiceNetworks(reading, fields.networks, entry, declared)],
    ...readContainer(reading, fields),
    resources: deploy.resources,
    restart: deploy.restart,
    placement: deploy.placement,
  });
  const spec: ServiceSpecInput = compact({
    name: `${declared.stack}_${entry.key}`,
    labels: compact({ ...deploy.labels, [STACK_IMAGE_LABEL]: image, [STACK_LABEL]: declared.stack }),
    mode: deploy.mode,
    replicas: deploy.replicas,
    autoscale: deploy.autoscale,
    job: deploy.job,
    schedule: deploy.schedule,
    dependsOn: readField(reading, fields.depends_on, (_, place) => readDependsOn(reading, place, declared)),
    task,
    ports: mutable(readField(reading, fields.ports, readPorts)),
    endpointMode: deploy.endpointMode,
    balancing: readField(reading, fields['x-skep-balancing'], readBalancing),
    drainDelayMs: readField(reading, fields['x-skep-drain-delay'], readDurationMs),
    disruption: deploy.disruption,
    update: deploy.update,
    rollback: deploy.rollback,
  });
  // Core would repeat what was told already.
  if (reading.issueCount === issuesBefore) checkSpec(reading, entry, spec);
  return spec;
}

function mutable<Item>(items: readonly Item[] | undefined): Item[] | undefined {
  return items && [...items];
}

/** `entrypoint` replaces the image's program and `command` its arguments. */
function readProgram(
  reading: Reading,
  entry: Keyed,
  fields: { readonly image?: Place; readonly command?: Place; readonly entrypoint?: Place },
): Pick<TaskSpecInput, 'command' | 'args'> {
  const entrypoint = readField(reading, fields.entrypoint, readCommandLine);
  const command = readField(reading, fields.command, readCommandLine);
  const program = entrypoint !== undefined && entrypoint.length > 0 ? [...entrypoint] : undefined;
  const words = command !== undefined && command.length > 0 ? [...command] : undefined;
  if (fields.image !== undefined || program !== undefined) return compact({ command: program, args: words });
  // Without an image there is no program that the command could be the arguments of: it is the program.
  if (words === undefined && fields.command === undefined && fields.entrypoint === undefined) {
    reading.issue(entry, 'must have an image, or a command for a driver that runs commands');
  }
  return compact({ command: words });
}

const readCommandLine: Read<readonly string[]> = (reading, place) => {
  if (place.node.kind === 'list') return readEach(reading, place, readText);
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  const words = splitShellWords(text);
  return 'rule' in words ? reading.issue(place, words.rule) : words;
};

/** Docker takes `TERM` and `SIGTERM` alike. */
const readSignal: Read<string> = (reading, place) => {
  const text = readText(reading, place)?.toUpperCase();
  if (text === undefined) return undefined;
  const signal = text.startsWith('SIG') ? text : `SIG${text}`;
  return /^SIG[A-Z0-9+]+$/.test(signal)
    ? signal
    : reading.issue(place, 'must be a signal name such as SIGTERM');
};

/** Files in their order, then `environment` over them. A name without a value takes that of the caller's variables. */
function readEnvironment(
  reading: Reading,
  files: Place | undefined,
  environment: Place | undefined,
  access: FileAccess,
): Record<string, string> | undefined {
  if (files === undefined && environment === undefined) return undefined;
  const variables = new Map<string, string>();
  const set = (pairs: ReadonlyMap<string, string | undefined>) => {
    for (const [name, given] of pairs) {
      const value = given ?? (Object.hasOwn(reading.variables, name) ? reading.variables[name] : undefined);
      if (value !== undefined) variables.set(name, value);
    }
  };
  const places =
    files?.node.kind === 'list'
      ? readEach(reading, files, (_, item) => item)
      : files === undefined
        ? []
        : [files];
  for (const place of places ?? []) {
    const pairs = readEnvFile(reading, place, access);
    if (pairs !== undefined) set(pairs);
  }
  const pairs = readField(reading, environment, readPairs);
  if (pairs?.has('') === true && environment !== undefined)
    reading.issue(environment, 'must name every variable');
  else if (pairs !== undefined) set(pairs);
  return Object.fromEntries(variables);
}

function readEnvFile(
  reading: Reading,
  place: Place,
  access: FileAccess,
): ReadonlyMap<string, string | undefined> | undefined {
  const fields =
    place.node.kind === 'map'
      ? readFields(reading, place, { read: ['path', 'required'], notSupported: { format: '' } })
      : { path: place };
  if (fields === undefined) return undefined;
  if (fields.path === undefined) return reading.issue(place, 'must have a path');
  const path = readWord(reading, fields.path);
  if (path === undefined) return undefined;
  const isRequired = 'required' in fields ? readField(reading, fields.required, readBoolean) !== false : true;
  const bytes = isRequired
    ? readFileAt(reading, fields.path, path, access)
    : readIfThere(reading, fields.path, path, access);
  if (bytes === undefined) return undefined;
  const parsed = parseEnvFile(new TextDecoder().decode(bytes));
  return 'rule' in parsed ? reading.issue(fields.path, `in that file, ${parsed.rule}`) : parsed;
}

/** A file that may be missing; any other failure to read it is a fault all the same. */
function readIfThere(
  reading: Reading,
  place: Place,
  path: string,
  access: FileAccess,
): Uint8Array | undefined {
  const { readFile } = access;
  if (readFile === undefined) return readFileAt(reading, place, path, access);
  let isMissing = false;
  const forgiving = (resolved: string): Uint8Array => {
    try {
      return readFile(resolved);
    } catch (error) {
      isMissing = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
      if (isMissing) return new Uint8Array();
      throw error;
    }
  };
  return readFileAt(reading, place, path, { ...access, readFile: forgiving });
}

/** Where the fields of a spec come from, longest first in each group. */
const ORIGINS: readonly (readonly [spec: string, compose: string])[] = [
  ['task.resources.limits.memoryBytes', 'deploy.resources.limits.memory'],
  ['task.resources.limits', 'deploy.resources.limits'],
  ['task.resources.reservations.memoryBytes', 'deploy.resources.reservations.memory'],
  ['task.resources.reservations.generic', 'deploy.resources.reservations.generic_resources'],
  ['task.resources.reservations', 'deploy.resources.reservations'],
  ['task.restart', 'deploy.restart_policy'],
  ['task.placement', 'deploy.placement'],
  ['task.health', 'healthcheck'],
  ['task.env', 'environment'],
  ['task.mounts', 'volumes'],
  ['task.dir', 'working_dir'],
  ['task.stopGraceMs', 'stop_grace_period'],
  ['task.capabilityAdd', 'cap_add'],
  ['task.capabilityDrop', 'cap_drop'],
  ['task.logDriver', 'logging'],
  ['task', ''],
  ['labels', 'deploy.labels'],
  ['replicas', 'deploy.replicas'],
  ['job.completions', 'deploy.replicas'],
  ['job.concurrency', 'deploy.x-skep-concurrency'],
  ['schedule.timeZone', 'deploy.x-skep-schedule.time_zone'],
  ['schedule.deadlineMs', 'deploy.x-skep-schedule.deadline'],
  ['schedule', 'deploy.x-skep-schedule'],
  ['dependsOn', 'depends_on'],
  ['update.delayMs', 'deploy.update_config.delay'],
  ['update.failureAction', 'deploy.update_config.failure_action'],
  ['update.monitorMs', 'deploy.update_config.monitor'],
  ['update.maxFailureRatio', 'deploy.update_config.max_failure_ratio'],
  ['update', 'deploy.update_config'],
  ['rollback.delayMs', 'deploy.rollback_config.delay'],
  ['rollback.failureAction', 'deploy.rollback_config.failure_action'],
  ['rollback.monitorMs', 'deploy.rollback_config.monitor'],
  ['rollback.maxFailureRatio', 'deploy.rollback_config.max_failure_ratio'],
  ['rollback', 'deploy.rollback_config'],
  ['autoscale.everyMs', 'deploy.x-skep-autoscale.every'],
  ['autoscale.staleMs', 'deploy.x-skep-autoscale.stale'],
  ['autoscale', 'deploy.x-skep-autoscale'],
  ['disruption', 'deploy.x-skep-disruption'],
  ['balancing', 'x-skep-balancing'],
  ['drainDelayMs', 'x-skep-drain-delay'],
];

/** Notes what core refuses, told at the place of the stack file. */
function checkSpec(reading: Reading, entry: Keyed, spec: ServiceSpecInput): void {
  try {
    parseServiceSpec(spec);
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    for (const { field, rule } of error.issues) {
      if (field === 'name') reading.issue(entry, rule);
      else noteRule(reading, entry, field, rule);
    }
  }
}

function noteRule(reading: Reading, entry: Keyed, field: string, rule: string): void {
  const path = field.replaceAll(/\[(\d+)\]/g, '.$1');
  const origin = ORIGINS.find(([prefix]) => path === prefix || path.startsWith(`${prefix}.`));
  const rest = origin === undefined ? path : path.slice(origin[0].length + 1);
  const keys = [...(origin?.[1] ?? '').split('.'), ...rest.split('.')].filter((key) => key !== '');
  const place = placeBelow(entry, keys);
  // Core's rule may quote the value, which is not the file's own when a variable gave it.
  const hasVariable = place.node.kind === 'scalar' && place.node.source.includes('$');
  reading.issue(place, hasVariable ? `${shown(place)} has a value that is not allowed here` : rule);
}

/** The place that the keys lead to, as far as the file has them. */
function placeBelow(entry: Keyed, keys: readonly string[]): Place {
  let { node, at, path }: Place = entry;
  for (const key of keys) {
    if (node.kind === 'map') {
      const next = node.entries.get(key);
      if (next !== undefined) ({ node, keyAt: at } = next);
      path = `${path}.${key}`;
    } else if (node.kind === 'list') {
      const next = node.items[Number(key)];
      if (next !== undefined) ({ at } = next);
      if (next !== undefined) node = next;
      path = `${path}[${key}]`;
    }
  }
  return { node, path, at };
}
