/** Pure: what a look at a container tells of its task. */

import { constants } from 'node:os';
import type { RuntimeStatus } from '@skep/core';
import type { RuntimeTask, TaskExit } from '@skep/core/driver';
import type { ContainerInspectInfo } from 'dockerode';
import { portKey } from './container-spec.ts';

const SIGNAL_NAMES = new Map(
  Object.entries(constants.signals).map(([name, number]) => [128 + number, name] as const),
);

/** Whether the container runs; a paused one does. */
export function isRunning({ State }: ContainerInspectInfo): boolean {
  return State.Running || State.Paused;
}

/** Whether it was ever started. */
export function hasBegun({ State }: ContainerInspectInfo): boolean {
  return State.Status !== 'created';
}

/** How it ended. A code over 128 is a signal's, as shells and engines have it. */
export function exitOf({ State }: ContainerInspectInfo, ranOutOfMemory: boolean): TaskExit {
  const exitCode = State.ExitCode & 0xff;
  const signal = SIGNAL_NAMES.get(exitCode);
  const message = State.Error.trim();
  return {
    exitCode,
    ...(signal !== undefined && { signal }),
    ...((State.OOMKilled || ranOutOfMemory) && { outOfMemory: true }),
    ...(message !== '' && { message }),
  };
}

/** What a started task tells: its container, and the ports that the engine opened, in the order of the task. */
export function statusOf(info: ContainerInspectInfo, task: RuntimeTask): RuntimeStatus {
  const opened = info.NetworkSettings.Ports ?? {};
  const ports = task.ports.flatMap((port) => {
    const { target, protocol, mode, published } = port;
    if (mode === 'host' && published !== undefined) return [{ target, protocol, port: published }];
    const [first] = opened[portKey(port)] ?? [];
    return first === undefined ? [] : [{ target, protocol, port: Number(first.HostPort) }];
  });
  return { id: info.Id, ports };
}

/** What the newest probe of an unhealthy container said. */
export function unhealthyWords({ State }: ContainerInspectInfo): string {
  const last = State.Health?.Log?.at(-1);
  const output = last?.Output?.trim() ?? '';
  return `the image's health check failed${last === undefined ? '' : ` with code ${last.ExitCode}`}${output === '' ? '' : `: ${output}`}`;
}
