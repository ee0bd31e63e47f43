/**
 * What deploying a stack would do, found by comparing it with what is there. Pure: whoever shows a diff, and whoever
 * prunes what a stack no longer has, works from the same steps. It changes nothing and reads no cluster.
 */

import {
  configSpecSchema,
  type NetworkSpec,
  networkSpecSchema,
  parseServiceSpec,
  type SecretSpec,
  type ServiceSpec,
  secretSpecSchema,
} from '@skep/core';
import type { Stack } from './parse-stack.ts';
import { STACK_LABEL } from './top-level.ts';

/** The kinds of objects that a stack makes. */
export type StackObjectKind = 'network' | 'secret' | 'config' | 'service';

/** One step of a deployment. */
export interface StackStep {
  readonly action: 'create' | 'update' | 'remove' | 'unchanged';
  readonly kind: StackObjectKind;
  readonly name: string;
  /** Id of the object that is there; absent for `create`. */
  readonly id?: string;
  /** Paths of the spec's fields that differ, for `update`: `task.image`, `replicas`. */
  readonly changes: readonly string[];
}

interface Named {
  readonly id: string;
  readonly spec: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}

/** What is there now: the objects of a cluster, or those of them that could matter. */
export interface ExistingObjects {
  readonly services?: readonly (Named & { readonly spec: ServiceSpec })[];
  readonly networks?: readonly (Named & { readonly spec: NetworkSpec })[];
  readonly secrets?: readonly Named[];
  /** `data`, when given, is compared too. */
  readonly configs?: readonly (Named & { readonly data?: Uint8Array })[];
}

/** What else to plan. */
export interface PlanStackOptions {
  /** Remove what bears the stack's label and is no longer in its file. Default false. */
  readonly prune?: boolean;
}

/**
 * The steps of a deployment in their order: networks, secrets and configs before the services that need them, and
 * removals last, services first. The value of a secret that is there is known to nobody, so a secret counts as
 * `unchanged` when its labels are. `registryAuth` and `forceUpdate` are not the file's to say: what a service has
 * of them is no change.
 */
export function planStack(
  stack: Stack,
  existing: ExistingObjects,
  options: PlanStackOptions = {},
): readonly StackStep[] {
  const { networks = [], secrets = [], configs = [], services = [] } = existing;
  const steps: StackStep[] = [];
  for (const spec of stack.networks) {
    steps.push(step('network', networkSpecSchema.parse(spec), networks));
  }
  for (const { spec } of stack.secrets) {
    steps.push(step('secret', secretSpecSchema.parse(spec), secrets));
  }
  for (const { spec, data } of stack.configs) {
    const found = named(configs, spec.name);
    const changes = found?.data !== undefined && !sameBytes(found.data, data()) ? ['data'] : [];
    steps.push(step('config', configSpecSchema.parse(spec), configs, changes));
  }
  for (const input of stack.services) {
    const spec = parseServiceSpec(input);
    const found = named(services, spec.name)?.spec;
    const kept = found && {
      forceUpdate: found.task.forceUpdate,
      registryAuth: spec.task.registryAuth ?? found.task.registryAuth,
    };
    // How many tasks a metric has come to, the file does not say.
    const replicas = spec.autoscale && found ? { replicas: spec.replicas ?? found.replicas } : {};
    steps.push(step('service', { ...spec, ...replicas, task: { ...spec.task, ...kept } }, services));
  }
  return options.prune === true ? [...steps, ...removals(stack, existing, steps)] : steps;
}

/** Names are compared without case, as the cluster does. */
function named<Item extends Named>(objects: readonly Item[], name: string): Item | undefined {
  return objects.find(({ spec }) => spec.name.toLowerCase() === name.toLowerCase());
}

function step(
  kind: StackObjectKind,
  spec: NetworkSpec | SecretSpec | ServiceSpec,
  objects: readonly Named[],
  otherChanges: readonly string[] = [],
): StackStep {
  const found = named(objects, spec.name);
  if (found === undefined) return { action: 'create', kind, name: spec.name, changes: [] };
  const changes = [...differences(found.spec, spec, ''), ...otherChanges];
  const action = changes.length === 0 ? 'unchanged' : 'update';
  return { action, kind, name: spec.name, id: found.id, changes };
}

function removals(stack: Stack, existing: ExistingObjects, kept: readonly StackStep[]): StackStep[] {
  const { services = [], configs = [], secrets = [], networks = [] } = existing;
  const of = (kind: StackObjectKind, objects: readonly Named[]): StackStep[] => {
    const names = new Set(kept.filter((one) => one.kind === kind).map(({ name }) => name.toLowerCase()));
    return objects
      .filter(({ spec }) => spec.labels[STACK_LABEL] === stack.name && !names.has(spec.name.toLowerCase()))
      .map(({ id, spec }) => ({ action: 'remove', kind, name: spec.name, id, changes: [] }));
  };
  return [
    ...of('service', services),
    ...of('config', configs),
    ...of('secret', secrets),
    ...of('network', networks),
  ];
}

/** Paths of the leaves that differ; a list that differs counts as one. */
function differences(before: unknown, after: unknown, path: string): string[] {
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) =>
      differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
    );
  }
  return isSame(before, after) ? [] : [path];
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  if (isRecord(a) && isRecord(b)) return differences(a, b, '').length === 0;
  return Object.is(a, b);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
