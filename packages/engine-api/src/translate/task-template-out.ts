/** What one task should be, as the engine's `TaskSpec`. */

import { type RestartPolicy, type TaskSpec, taskSpecSchema } from '@skep/core';
import { filledList, filledMap } from '../json/absent.ts';
import { nanos } from '../json/time.ts';
import { containerSpecOut, type Written } from './container-spec-out.ts';

const NANO_CPUS = 1_000_000_000;
const DEFAULT_RESTART: RestartPolicy = taskSpecSchema.parse({}).restart;

/** The engine's `TaskSpec`, as tasks carry it; services say `Runtime` with it. */
export function taskTemplateOut(spec: TaskSpec, written: Written) {
  const { reservations, limits } = spec.resources;
  return {
    ContainerSpec: containerSpecOut(spec, written),
    Resources: {
      Limits: {
        NanoCPUs: nanoCpus(limits.cpus),
        MemoryBytes: limits.memoryBytes,
        Pids: limits.pids,
      },
      Reservations: {
        NanoCPUs: nanoCpus(reservations.cpus),
        MemoryBytes: reservations.memoryBytes,
        GenericResources: filledList(
          Object.entries(reservations.generic ?? {}).map(([kind, value]) => ({
            DiscreteResourceSpec: { Kind: kind, Value: value },
          })),
        ),
      },
    },
    RestartPolicy: restartOut(spec.restart, written.withDefaults),
    Placement: placementOut(spec.placement),
    Networks: filledList(
      spec.networks.map(({ name, aliases }) => ({
        Target: written.names.networkId(name) ?? name,
        Aliases: filledList(aliases),
      })),
    ),
    LogDriver: spec.logDriver && { Name: spec.logDriver.name, Options: filledMap(spec.logDriver.options) },
    ForceUpdate: spec.forceUpdate,
  };
}

function nanoCpus(cpus: number | undefined): number | undefined {
  return cpus === undefined ? undefined : Math.round(cpus * NANO_CPUS);
}

function restartOut(restart: RestartPolicy, withDefaults: boolean) {
  if (!withDefaults && isDefault(restart)) return undefined;
  const { condition, delayMs, maxAttempts, windowMs } = restart;
  return {
    Condition: condition,
    Delay: nanos(delayMs),
    MaxAttempts: maxAttempts,
    Window: windowMs === 0 ? undefined : nanos(windowMs),
  };
}

function isDefault(restart: RestartPolicy): boolean {
  return Object.entries(DEFAULT_RESTART).every(
    ([name, value]) => restart[name as keyof RestartPolicy] === value,
  );
}

function placementOut({ constraints, preferences, platforms, maxReplicasPerNode }: TaskSpec['placement']) {
  return {
    Constraints: filledList(constraints),
    Preferences: filledList(preferences.map(({ spread }) => ({ Spread: { SpreadDescriptor: spread } }))),
    MaxReplicas: maxReplicasPerNode === 0 ? undefined : maxReplicasPerNode,
    Platforms: filledList(platforms.map(({ os, architecture }) => ({ Architecture: architecture, OS: os }))),
  };
}
