/** Pure: which program a spec means, and what of the spec a plain process can't do. */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { DriverError, type RuntimeTask } from '@skep/core/driver';
import type { SpecIssue, TaskSpec } from './core-types.ts';
import type { ProcessDriverOptions, Program } from './options.ts';

/** Stop signals that a task may ask for: those that the wrapper over it lives through. */
export const STOP_SIGNALS = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGABRT',
  'SIGWINCH',
  'SIGCONT',
  'SIGKILL',
] as const satisfies readonly NodeJS.Signals[];

/** One of {@link STOP_SIGNALS}. */
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** Takes a stop signal from a spec. Default SIGTERM. */
export function stopSignalOf(spec: TaskSpec): StopSignal {
  return STOP_SIGNALS.find((signal) => signal === spec.stopSignal) ?? 'SIGTERM';
}

/** A program as a task runs it: the table's entry with the spec's changes. */
export interface ResolvedProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
}

/** Finds the program that a spec means, or tells the rule against it. */
export function resolveProgram(
  spec: TaskSpec,
  { programs = {}, anyCommand = false }: Pick<ProcessDriverOptions, 'programs' | 'anyCommand'>,
): ResolvedProgram | SpecIssue {
  const { image, command } = spec;
  if (command !== undefined && !anyCommand) {
    return { field: 'command', rule: "is not allowed here: the driver's owner has not set anyCommand" };
  }
  const known = image === undefined ? undefined : programNamed(image, programs);
  if (known === undefined && command === undefined) {
    const names = Object.keys(programs);
    const told = names.length === 0 ? 'this driver knows none' : `this driver knows: ${names.join(', ')}`;
    if (image !== undefined) return { field: 'image', rule: `unknown image '${image}'; ${told}` };
    if (anyCommand) return { field: 'command', rule: 'must name a program when there is no image' };
    return { field: 'image', rule: `must name an image; ${told}` };
  }
  const [ownCommand, ...ownArgs] = command ?? [];
  const program: Program =
    ownCommand === undefined ? (known ?? { command: '' }) : { ...known, command: ownCommand, args: [] };
  return {
    command: program.command,
    args: [...ownArgs, ...(spec.args ?? program.args ?? [])],
    env: { ...program.env, ...spec.env },
    dir: resolve(program.dir ?? '.', spec.dir ?? '.'),
  };
}

/** Clients of engines write the tag of an image that has none. */
const DEFAULT_TAG = ':latest';

/** The program of that name; `web:latest` is also `web`. */
function programNamed(image: string, programs: Readonly<Record<string, Program>>): Program | undefined {
  const named = image.endsWith(DEFAULT_TAG) ? [image, image.slice(0, -DEFAULT_TAG.length)] : [image];
  const name = named.find((each) => Object.hasOwn(programs, each));
  return name === undefined ? undefined : programs[name];
}

/** Where programs are looked for when a task has no PATH. */
export const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What of a spec can't be had here at all. Empty when it can run. */
export function refusals(spec: TaskSpec, options: ProcessDriverOptions): readonly SpecIssue[] {
  const issues: SpecIssue[] = [];
  const refuse = (field: string, rule: string) => issues.push({ field, rule });
  const program = resolveProgram(spec, options);
  if ('rule' in program) issues.push(program);
  else {
    for (const name of Object.keys(program.env)) {
      if (!VARIABLE.test(name))
        refuse(`env.${name}`, 'must be letters, digits and underscores, not a digit first');
    }
  }
  if (spec.user !== undefined)
    refuse('user', "is not supported by the process driver: tasks run as the cluster's user");
  if (spec.tty) refuse('tty', 'is not supported by the process driver');
  for (const field of ['init', 'sysctls', 'capabilityAdd', 'devices', 'privileged', 'logDriver'] as const) {
    if (asksFor(spec[field])) refuse(field, 'is not supported by the process driver');
  }
  if (spec.mounts.length > 0)
    refuse('mounts', 'are not supported by the process driver: tasks see the files of the machine');
  if (spec.stopSignal !== undefined && !STOP_SIGNALS.some((signal) => signal === spec.stopSignal)) {
    refuse('stopSignal', `must be one of ${STOP_SIGNALS.join(', ')} on the process driver`);
  }
  if (options.unsupportedLimits === 'refuse') issues.push(...unenforced(spec));
  return issues;
}

/**
 * Why the environment of a task can't hold, given its ports: a `PORT` other than the one that the task is reached on
 * would make its endpoints lie. Undefined when it can.
 */
export function portIssue(
  { spec, ports }: Pick<RuntimeTask, 'spec' | 'ports'>,
  options: ProcessDriverOptions,
): SpecIssue | undefined {
  const program = resolveProgram(spec, options);
  const [first] = ports;
  const own = 'rule' in program ? undefined : program.env['PORT'];
  if (own === undefined || first === undefined) return undefined;
  const given = first.mode === 'host' && first.published !== undefined ? String(first.published) : undefined;
  if (own === given) return undefined;
  const told = given === undefined ? 'the driver gives it a free port' : `it is published on ${given}`;
  return { field: 'env.PORT', rule: `must not be set for a service with ports: ${told}` };
}

/** Whether a field asks for something: `false` and an empty list do not. */
function asksFor(value: boolean | object | undefined): boolean {
  return typeof value === 'object' ? Object.keys(value).length > 0 : value === true;
}

/** What of a spec a plain process runs without. */
export function unenforced(spec: TaskSpec): readonly SpecIssue[] {
  const { limits } = spec.resources;
  const rule = "can't be enforced by the process driver";
  return [
    ...(limits.cpus === undefined ? [] : [{ field: 'resources.limits.cpus', rule }]),
    ...(limits.memoryBytes === undefined ? [] : [{ field: 'resources.limits.memoryBytes', rule }]),
    ...(limits.pids === undefined ? [] : [{ field: 'resources.limits.pids', rule }]),
    ...(asksFor(spec.ulimits) ? [{ field: 'ulimits', rule }] : []),
    ...(asksFor(spec.capabilityDrop) ? [{ field: 'capabilityDrop', rule }] : []),
    ...(spec.readOnly ? [{ field: 'readOnly', rule }] : []),
    ...(spec.hostname === undefined ? [] : [{ field: 'hostname', rule }]),
  ];
}

/**
 * The file that a command name means, looked up as `execvp` does, so that what can't be run is told before anything
 * is started.
 *
 * @throws DriverError naming the directory or the command, and what is wrong with it.
 */
export function findExecutable(
  command: string,
  { dir, path }: { readonly dir: string; readonly path: string },
): string {
  const directory = statSync(dir, { throwIfNoEntry: false });
  if (!directory) throw new DriverError(`working directory ${dir} does not exist`);
  if (!directory.isDirectory()) throw new DriverError(`working directory ${dir} is not a directory`);
  const candidates =
    isAbsolute(command) || command.includes('/')
      ? [resolve(dir, command)]
      : path.split(delimiter).map((folder) => resolve(dir, join(folder, command)));
  let denied: string | undefined;
  for (const candidate of candidates) {
    const found = statSync(candidate, { throwIfNoEntry: false });
    if (found?.isDirectory() && candidates.length === 1)
      throw new DriverError(`${candidate} is a directory, not a program`);
    if (!found?.isFile()) continue;
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      denied = candidate;
    }
  }
  if (denied !== undefined) throw new DriverError(`${denied} is not executable (EACCES)`);
  throw new DriverError(
    `command '${command}' not found (ENOENT)${candidates.length > 1 ? ` on PATH ${path}` : ''}`,
  );
}
