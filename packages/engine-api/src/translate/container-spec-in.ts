/** The engine's `ContainerSpec` as what a task runs. */

import type { TaskSpecInput } from '@skep/core';
import type { Fields } from '../json/fields.ts';
import { millisOf } from '../json/time.ts';
import { clusterRefusal } from '../server/refusal.ts';
import { STOP_GRACE_MS } from './container-spec-out.ts';

/** What is said about fields that have no effect. */
export type Warn = (message: string) => void;

/** All of it but health, mounts, and secrets and configs. @throws Refusal 501 for what Skep does not do */
export function containerFrom(spec: Fields, warn: Warn): TaskSpecInput {
  refuseUnsupported(spec);
  const image = spec.text('Image') ?? '';
  if (image === '')
    throw clusterRefusal('InvalidArgument', 'ContainerSpec: image reference must be provided');
  const command = spec.texts('Command');
  const args = spec.texts('Args');
  const grace = spec.natural('StopGracePeriod');
  return {
    image,
    ...(command.length > 0 && { command: [...command] }),
    ...(args.length > 0 && { args: [...args] }),
    env: environmentFrom(spec.texts('Env'), warn),
    labels: { ...spec.textMap('Labels') },
    ...textsFrom(spec),
    ...flagsFrom(spec),
    stopGraceMs: grace === undefined ? STOP_GRACE_MS : millisOf(grace),
    ...limitsFrom(spec),
  };
}

function textsFrom(spec: Fields): TaskSpecInput {
  const hostname = spec.text('Hostname');
  const dir = spec.text('Dir');
  const user = spec.text('User');
  const stopSignal = spec.text('StopSignal');
  return {
    ...(hostname && { hostname }),
    ...(dir && { dir }),
    ...(user && { user }),
    ...(stopSignal && { stopSignal: signalName(stopSignal) }),
  };
}

function flagsFrom(spec: Fields): TaskSpecInput {
  const init = spec.flag('Init');
  return {
    tty: spec.flag('TTY') ?? false,
    readOnly: spec.flag('ReadOnly') ?? false,
    ...(init !== undefined && { init }),
  };
}

function limitsFrom(spec: Fields): TaskSpecInput {
  const sysctls = spec.textMap('Sysctls');
  const add = spec.texts('CapabilityAdd');
  const drop = spec.texts('CapabilityDrop');
  const ulimits = spec.list('Ulimits').map((limit) => {
    const soft = limit.integer('Soft') ?? 0;
    return [limit.text('Name') ?? '', { soft, hard: limit.integer('Hard') ?? soft }] as const;
  });
  return {
    ...(Object.keys(sysctls).length > 0 && { sysctls: { ...sysctls } }),
    ...(add.length > 0 && { capabilityAdd: [...add] }),
    ...(drop.length > 0 && { capabilityDrop: [...drop] }),
    ...(ulimits.length > 0 && { ulimits: Object.fromEntries(ulimits) }),
  };
}

/** `TERM` and `SIGTERM` are the same. */
function signalName(signal: string): string {
  return signal.startsWith('SIG') || /^\d/.test(signal) ? signal : `SIG${signal}`;
}

function environmentFrom(variables: readonly string[], warn: Warn): Record<string, string> {
  const env: Record<string, string> = {};
  for (const variable of variables) {
    const at = variable.indexOf('=');
    if (at > 0) env[variable.slice(0, at)] = variable.slice(at + 1);
    else
      warn(
        `ContainerSpec.Env: ${at < 0 ? variable : 'a variable'} has no ${at < 0 ? 'value' : 'name'}, and is left out`,
      );
  }
  return env;
}

/** Lists and objects that a task of Skep has not. Empty ones ask for nothing. */
function refuseUnsupported(spec: Fields): void {
  const refuse = (field: string) => {
    throw clusterRefusal('Unimplemented', `${spec.at(field)} is not supported by Skep`);
  };
  for (const field of ['Groups', 'Hosts']) if (spec.texts(field).length > 0) refuse(field);
  if (spec.flag('OpenStdin')) refuse('OpenStdin');
  if ((spec.integer('OomScoreAdj') ?? 0) !== 0) refuse('OomScoreAdj');
  const isolation = spec.text('Isolation') ?? '';
  if (!['', 'default'].includes(isolation)) refuse('Isolation');
  const dns = spec.fields('DNSConfig');
  for (const field of ['Nameservers', 'Search', 'Options']) {
    if ((dns?.texts(field).length ?? 0) > 0) refuse(`DNSConfig.${field}`);
  }
  const privileges = spec.fields('Privileges');
  for (const field of ['CredentialSpec', 'SELinuxContext', 'Seccomp', 'AppArmor']) {
    if (privileges?.has(field)) refuse(`Privileges.${field}`);
  }
  if (privileges?.flag('NoNewPrivileges')) refuse('Privileges.NoNewPrivileges');
}

type Health = NonNullable<TaskSpecInput['health']>;

/** The engine's `HealthConfig`. None where the image's own probe is to be used. */
export function healthFrom(health: Fields | undefined): Health | undefined {
  const [kind, ...command] = health?.texts('Test') ?? [];
  if (health === undefined || kind === undefined || kind === '') return undefined;
  if (kind === 'NONE') return { test: { kind: 'none' } };
  const duration = (name: string) => {
    const given = health.natural(name) ?? 0;
    return given === 0 ? undefined : millisOf(given);
  };
  const [intervalMs, timeoutMs] = [duration('Interval'), duration('Timeout')];
  const [startPeriodMs, startIntervalMs] = [duration('StartPeriod'), duration('StartInterval')];
  const retries = health.natural('Retries') ?? 0;
  const line = kind === 'CMD' ? command : ['/bin/sh', '-c', command.join(' ')];
  return {
    test: { kind: 'exec', command: line },
    ...(intervalMs !== undefined && { intervalMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(startPeriodMs !== undefined && { startPeriodMs }),
    ...(startIntervalMs !== undefined && { startIntervalMs }),
    ...(retries > 0 && { retries }),
  };
}

/** The engine's `Mount`s. @throws Refusal for kinds of mounts that a task of Skep has not */
export function mountsFrom(mounts: readonly Fields[], warn: Warn): NonNullable<TaskSpecInput['mounts']> {
  return mounts.map((mount) => {
    const type = mount.word('Type', ['bind', 'volume', 'tmpfs', 'npipe', 'cluster'] as const) ?? 'volume';
    if (type === 'npipe' || type === 'cluster') {
      throw clusterRefusal('Unimplemented', `${mount.at('Type')} ${type} is not supported by Skep`);
    }
    warnOfOptions(mount, warn);
    const source = mount.text('Source');
    return {
      type,
      target: mount.text('Target') ?? '',
      readOnly: mount.flag('ReadOnly') ?? false,
      ...(source && { source }),
    };
  });
}

const STACK_LABEL = 'com.docker.stack.namespace';

function warnOfOptions(mount: Fields, warn: Warn): void {
  const volume = mount.fields('VolumeOptions');
  const labels = Object.keys(volume?.textMap('Labels') ?? {}).filter((name) => name !== STACK_LABEL);
  const driver = volume?.fields('DriverConfig')?.text('Name') ?? '';
  const ignored = [
    labels.length > 0 && 'VolumeOptions.Labels',
    volume?.flag('NoCopy') && 'VolumeOptions.NoCopy',
    volume?.text('Subpath') && 'VolumeOptions.Subpath',
    !['', 'local'].includes(driver) && 'VolumeOptions.DriverConfig',
    (mount.fields('TmpfsOptions')?.integer('SizeBytes') ?? 0) > 0 && 'TmpfsOptions.SizeBytes',
    mount.fields('BindOptions')?.text('Propagation') && 'BindOptions.Propagation',
  ];
  for (const field of ignored) if (field) warn(`${mount.at(field)} has no effect`);
}
