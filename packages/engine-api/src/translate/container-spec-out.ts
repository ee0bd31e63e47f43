/** What a task runs, as the engine's `ContainerSpec`. */

import type { HealthSpec, TaskSpec } from '@skep/core';
import { filledList, filledMap, ifTrue } from '../json/absent.ts';
import { nanos } from '../json/time.ts';
import type { Names } from './names.ts';

/** What the engine fills in for `StopGracePeriod`, ms. */
export const STOP_GRACE_MS = 10_000;

/** How a spec is written out. */
export interface Written {
  readonly names: Names;
  /** Write out what was left to its default, too, as `insertDefaults` asks. */
  readonly withDefaults: boolean;
}

/** The engine's `ContainerSpec`. */
export function containerSpecOut(spec: TaskSpec, { names, withDefaults }: Written) {
  return {
    Image: spec.image ?? '',
    Labels: filledMap(spec.labels),
    Command: filledList(spec.command),
    Args: filledList(spec.args),
    Hostname: spec.hostname,
    Env: filledList(Object.entries(spec.env).map(([name, value]) => `${name}=${value}`)),
    Dir: spec.dir,
    User: spec.user,
    Init: spec.init,
    StopSignal: spec.stopSignal,
    TTY: ifTrue(spec.tty),
    ReadOnly: ifTrue(spec.readOnly),
    Mounts: filledList(spec.mounts.map(mountOut)),
    StopGracePeriod: withDefaults || spec.stopGraceMs !== STOP_GRACE_MS ? nanos(spec.stopGraceMs) : undefined,
    Healthcheck: healthOut(spec.health),
    DNSConfig: {},
    Secrets: filledList(
      spec.secrets.map((file) => ({
        File: fileOut(file),
        SecretID: names.secretId(file.name) ?? '',
        SecretName: file.name,
      })),
    ),
    Configs: filledList(
      spec.configs.map((file) => ({
        File: fileOut(file),
        ConfigID: names.configId(file.name) ?? '',
        ConfigName: file.name,
      })),
    ),
    Isolation: 'default',
    Sysctls: filledMap(spec.sysctls),
    CapabilityAdd: filledList(spec.capabilityAdd),
    CapabilityDrop: filledList(spec.capabilityDrop),
    Ulimits: filledList(
      Object.entries(spec.ulimits ?? {}).map(([name, { soft, hard }]) => ({
        Name: name,
        Hard: hard,
        Soft: soft,
      })),
    ),
  };
}

function mountOut({ type, source, target, readOnly }: TaskSpec['mounts'][number]) {
  return { Type: type, Source: source, Target: target, ReadOnly: ifTrue(readOnly) };
}

function fileOut({ name, target, mode }: TaskSpec['secrets'][number]) {
  return { Name: target ?? name, UID: '0', GID: '0', Mode: mode };
}

const DEFAULT_HEALTH = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  retries: 3,
  startPeriodMs: 0,
  startIntervalMs: 500,
};
const SHELL = ['/bin/sh', '-c'] as const;

/** Undefined, too, for probes that the engine has not. */
function healthOut(health: HealthSpec | undefined) {
  if (health === undefined) return undefined;
  const { test, intervalMs, timeoutMs, retries, startPeriodMs, startIntervalMs } = health;
  if (test.kind === 'none') return { Test: ['NONE'] };
  if (test.kind !== 'exec') return undefined;
  const [program, option, line, ...more] = test.command;
  const isShell = program === SHELL[0] && option === SHELL[1] && line !== undefined && more.length === 0;
  return {
    Test: isShell ? ['CMD-SHELL', line] : ['CMD', ...test.command],
    Interval: unless(intervalMs, DEFAULT_HEALTH.intervalMs),
    Timeout: unless(timeoutMs, DEFAULT_HEALTH.timeoutMs),
    StartPeriod: unless(startPeriodMs, DEFAULT_HEALTH.startPeriodMs),
    StartInterval: unless(startIntervalMs, DEFAULT_HEALTH.startIntervalMs),
    Retries: retries === DEFAULT_HEALTH.retries ? undefined : retries,
  };
}

/** What is left to the engine is not written out. */
function unless(ms: number, defaultMs: number): number | undefined {
  return ms === defaultMs ? undefined : nanos(ms);
}
