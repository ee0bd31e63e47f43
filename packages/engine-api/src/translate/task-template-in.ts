/** The engine's `TaskSpec` as what one task should be. */

import type { ServiceSpecInput, TaskSpec, TaskSpecInput } from '@skep/core';
import { taskSpecSchema } from '@skep/core';
import type { Fields } from '../json/fields.ts';
import { millisOf } from '../json/time.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { containerFrom, healthFrom, mountsFrom, type Warn } from './container-spec-in.ts';
import { filesFrom } from './files-in.ts';
import { keptUnless } from './kept.ts';
import type { Names } from './names.ts';

const NANO_CPUS = 1_000_000_000;
const CPUS_MIN = 0.001;
const MEMORY_MIN = 4 * 1024 * 1024;

/** What reading a spec takes. */
export interface Reading {
  readonly names: Names;
  readonly warn: Warn;
}

/** What the service has, and how the engine would write it. */
export interface Present {
  readonly task: TaskSpec;
  readonly template: Fields;
}

/**
 * What one task should be. What the engine has no field for stays as it is, and so does what is sent back as it was read.
 *
 * @throws Refusal
 */
export function taskFrom(
  template: Fields,
  reading: Reading,
  present: Present | undefined,
): ServiceSpecInput['task'] {
  const runtime = template.text('Runtime') ?? '';
  if (!['', 'container'].includes(runtime)) {
    throw clusterRefusal('Unimplemented', `Runtime ${runtime} is not supported by Skep`);
  }
  const container = template.fields('ContainerSpec');
  if (container === undefined) throw new Refusal(400, 'mismatched Runtime and *Spec fields');
  const own = present?.template.fields('ContainerSpec');
  const { names, warn } = reading;
  const quiet = () => {};
  const kept = <T>(now: T, before: () => T, value: NonNullable<T> | undefined): T =>
    present === undefined ? now : keptUnless(now, before(), value as T);
  const health = kept(
    healthFrom(container.fields('Healthcheck')),
    () => healthFrom(own?.fields('Healthcheck')),
    present?.task.health,
  );
  const logDriver = logDriverFrom(template.fields('LogDriver'));
  return {
    ...containerFrom(container, warn),
    ...(health !== undefined && { health }),
    mounts: kept<TaskSpecInput['mounts']>(
      mountsFrom(container.list('Mounts'), warn),
      () => mountsFrom(own?.list('Mounts') ?? [], quiet),
      present?.task.mounts,
    ),
    secrets: filesFrom('secret', container.list('Secrets'), { names, present: present?.task.secrets ?? [] }),
    configs: filesFrom('config', container.list('Configs'), { names, present: present?.task.configs ?? [] }),
    networks: networksFrom(template.list('Networks'), names),
    resources: resourcesFrom(template.fields('Resources')),
    restart: kept<TaskSpecInput['restart']>(
      restartFrom(template.fields('RestartPolicy')),
      () => restartFrom(present?.template.fields('RestartPolicy')),
      present?.task.restart,
    ),
    placement: { ...present?.task.placement, ...placementFrom(template.fields('Placement')) },
    ...(logDriver !== undefined && { logDriver }),
    ...(present?.task.devices !== undefined && { devices: present.task.devices }),
    ...(present?.task.privileged !== undefined && { privileged: present.task.privileged }),
    forceUpdate: template.natural('ForceUpdate') ?? 0,
  };
}

function networksFrom(networks: readonly Fields[], names: Names): NonNullable<TaskSpecInput['networks']> {
  return networks.map((network) => {
    const target = network.text('Target') ?? '';
    const name = names.networkName(target);
    if (name === undefined) throw new Refusal(500, `network ${target} not found`);
    return { name, aliases: [...network.texts('Aliases')] };
  });
}

function resourcesFrom(resources: Fields | undefined): TaskSpecInput['resources'] {
  const limits = resources?.fields('Limits');
  const reservations = resources?.fields('Reservations');
  const pids = limits?.natural('Pids') ?? 0;
  const generic = genericFrom(reservations?.list('GenericResources') ?? []);
  return {
    limits: { ...amountsFrom(limits), ...(pids > 0 && { pids }) },
    reservations: { ...amountsFrom(reservations), ...(Object.keys(generic).length > 0 && { generic }) },
  };
}

function amountsFrom(amounts: Fields | undefined): { cpus?: number; memoryBytes?: number } {
  const cpus = (amounts?.integer('NanoCPUs') ?? 0) / NANO_CPUS;
  if (cpus !== 0 && cpus < CPUS_MIN) {
    const value = cpus.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
    throw clusterRefusal('InvalidArgument', `invalid cpu value ${value}: Must be at least 0.001`);
  }
  const memoryBytes = amounts?.integer('MemoryBytes') ?? 0;
  if (memoryBytes !== 0 && memoryBytes < MEMORY_MIN) {
    throw clusterRefusal('InvalidArgument', `invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  }
  return { ...(cpus !== 0 && { cpus }), ...(memoryBytes !== 0 && { memoryBytes }) };
}

function genericFrom(resources: readonly Fields[]): Record<string, number> {
  const generic: Record<string, number> = {};
  for (const resource of resources) {
    const discrete = resource.fields('DiscreteResourceSpec');
    if (discrete === undefined) {
      throw clusterRefusal('InvalidArgument', 'services can only reserve discrete generic resources');
    }
    generic[discrete.text('Kind') ?? ''] = discrete.natural('Value') ?? 0;
  }
  return generic;
}

/** Swarm's restarts come after the same delay each time. Where nobody says anything, Skep's own policy goes. */
function restartFrom(policy: Fields | undefined): TaskSpecInput['restart'] {
  if (policy === undefined) return taskSpecSchema.shape.restart.parse(undefined);
  const condition = policy.word('Condition', ['none', 'on-failure', 'any'] as const, 'RestartCondition');
  const delay = policy.natural('Delay');
  return {
    condition: condition ?? 'any',
    ...(delay !== undefined && { delayMs: millisOf(delay) }),
    backoff: 'fixed',
    maxAttempts: policy.natural('MaxAttempts') ?? 0,
    windowMs: millisOf(policy.natural('Window') ?? 0),
  };
}

function placementFrom(placement: Fields | undefined): NonNullable<TaskSpecInput['placement']> {
  return {
    constraints: [...(placement?.texts('Constraints') ?? [])],
    preferences: (placement?.list('Preferences') ?? []).map((preference) => ({
      spread: preference.fields('Spread')?.text('SpreadDescriptor') ?? '',
    })),
    maxReplicasPerNode: placement?.natural('MaxReplicas') ?? 0,
    platforms: (placement?.list('Platforms') ?? []).map((platform) => ({
      os: platform.text('OS') ?? '',
      architecture: platform.text('Architecture') ?? '',
    })),
  };
}

function logDriverFrom(driver: Fields | undefined): TaskSpecInput['logDriver'] {
  const name = driver?.text('Name') ?? '';
  return driver === undefined || name === ''
    ? undefined
    : { name, options: { ...driver.textMap('Options') } };
}
