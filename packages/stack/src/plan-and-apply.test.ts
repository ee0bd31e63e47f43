/** What deploying a stack would do, and what it does. */

import {
  AbortedError,
  InvalidSpecError,
  networkSpecSchema,
  PreconditionError,
  parseServiceSpec,
  type ServiceSpec,
  secretSpecSchema,
} from '@skep/core';
import { describe, expect, test } from 'vitest';
import {
  type Applied,
  applyStack,
  type ExistingObjects,
  parseStack,
  planStack,
  type Stack,
  type StackPort,
  type StackStep,
} from './index.ts';

const FILE = `
services:
  web: {image: "web:1", secrets: [pw], configs: [conf], networks: [front]}
  db: {image: db, networks: [front]}
networks: {front: }
secrets: {pw: {file: pw}}
configs: {conf: {file: conf}}
`;

function aStack(text = FILE): Stack {
  return parseStack(text, {
    name: 'shop',
    readFile: (path) => new TextEncoder().encode(`content of ${path}`),
  });
}

/** The stack as a cluster has it once it is deployed. */
function deployed(
  stack: Stack,
  change: (spec: ServiceSpec) => ServiceSpec = (spec) => spec,
): ExistingObjects {
  return {
    services: stack.services.map((spec, index) => ({
      id: `s${index}`,
      spec: change(parseServiceSpec(spec)),
    })),
    networks: stack.networks.map((spec, index) => ({ id: `n${index}`, spec: networkSpecSchema.parse(spec) })),
    secrets: stack.secrets.map(({ spec }, index) => ({
      id: `p${index}`,
      spec: secretSpecSchema.parse(spec),
    })),
    configs: stack.configs.map(({ spec, data }, index) => ({
      id: `c${index}`,
      spec: secretSpecSchema.parse(spec),
      data: data(),
    })),
  };
}

const told = (steps: readonly StackStep[]) =>
  steps.map(({ action, kind, name, changes }) => [action, kind, name, ...changes].join(' '));

describe('given a stack, when it is planned', () => {
  test('against nothing, then all is created, services last', () => {
    expect(told(planStack(aStack(), {}))).toEqual([
      'create network shop_front',
      'create secret shop_pw',
      'create config shop_conf',
      'create service shop_web',
      'create service shop_db',
    ]);
  });

  test('against itself, then nothing changes', () => {
    const steps = planStack(aStack(), deployed(aStack()), { prune: true });
    expect(new Set(steps.map(({ action }) => action))).toEqual(new Set(['unchanged']));
    expect(steps.every(({ id }) => id !== undefined)).toBe(true);
  });

  test('against itself as the cluster changed it, then credentials and forced updates are no change', () => {
    const existing = deployed(aStack(), (spec) => ({
      ...spec,
      task: { ...spec.task, forceUpdate: 3, registryAuth: 'digest' },
    }));
    expect(planStack(aStack(), existing).every(({ action }) => action === 'unchanged')).toBe(true);
  });

  test('when a metric has asked for another number of tasks, then that is no difference', () => {
    const scaled = aStack(
      'services: {web: {image: web, deploy: {x-skep-autoscale: {min: 1, max: 9, metric: cpu, target: 1}}}}',
    );
    const existing = deployed(scaled, (spec) => ({ ...spec, replicas: 7 }));
    expect(planStack(scaled, existing).every(({ action }) => action === 'unchanged')).toBe(true);
  });

  test('against an older one, then each change is named', () => {
    const newer = aStack(FILE.replace('web:1"', 'web:2", deploy: {replicas: 2}'));
    expect(
      told(planStack(newer, deployed(aStack()))).filter((step) => !step.startsWith('unchanged')),
    ).toEqual(['update service shop_web labels.com.docker.stack.image task.image replicas']);
  });

  test('against a config of another content, then the content is a change', () => {
    const existing = deployed(aStack());
    const configs = existing.configs?.map((config) => ({ ...config, data: new Uint8Array(3) })) ?? [];
    expect(told(planStack(aStack(), { ...existing, configs }))).toContain('update config shop_conf data');
  });

  test('with prune, then what bears its label and is not in the file goes, services first', () => {
    const smaller = aStack('services: {db: {image: db}}');
    const other = { id: 'x', spec: parseServiceSpec({ name: 'other', task: { image: 'x' } }) };
    const existing = deployed(aStack());
    const steps = planStack(
      smaller,
      { ...existing, services: [...(existing.services ?? []), other] },
      { prune: true },
    );
    expect(told(steps).filter((step) => step.startsWith('remove'))).toEqual([
      'remove service shop_web',
      'remove config shop_conf',
      'remove secret shop_pw',
      'remove network shop_front',
    ]);
    expect(told(planStack(smaller, existing)).some((step) => step.startsWith('remove'))).toBe(false);
  });
});

/** A port that keeps what it is given, by name. */
function aPort(): { port: StackPort; calls: string[] } {
  const calls: string[] = [];
  const kept = new Map<string, string>();
  const apply = async (spec: { readonly name: string }, data?: unknown): Promise<Applied> => {
    const value = JSON.stringify([spec, data instanceof Uint8Array ? [...data] : null]);
    const before = kept.get(spec.name);
    kept.set(spec.name, value);
    calls.push(spec.name);
    const action = before === undefined ? 'created' : before === value ? 'unchanged' : 'updated';
    return { action, id: `id-${spec.name}`, changes: [], warnings: [{ field: 'task', rule: 'told' }] };
  };
  return {
    port: { services: { apply }, networks: { apply }, secrets: { apply }, configs: { apply } },
    calls,
  };
}

describe('given a stack, when it is applied', () => {
  test('then everything is made in order, and once', async () => {
    const { port, calls } = aPort();
    const seen: string[] = [];
    const first = await applyStack(port, aStack(), {
      onApplied: ({ kind, name }) => seen.push(`${kind} ${name}`),
    });
    expect(seen).toEqual([
      'network shop_front',
      'secret shop_pw',
      'config shop_conf',
      'service shop_web',
      'service shop_db',
    ]);
    expect(first.map(({ action }) => action)).toEqual(Array(5).fill('created'));
    expect(first[0]?.warnings).toEqual(['task: told']);
    const second = await applyStack(port, aStack());
    expect(second.map(({ action }) => action)).toEqual(Array(5).fill('unchanged'));
    expect(calls).toHaveLength(10);
  });

  test('to a cluster without secrets, then it is refused before anything is made', async () => {
    const { port, calls } = aPort();
    const { services, networks } = port;
    await expect(applyStack({ services, ...(networks && { networks }) }, aStack())).rejects.toThrow(
      PreconditionError,
    );
    expect(calls).toEqual([]);
  });

  test('and the signal aborts, then it stops there', async () => {
    const { port, calls } = aPort();
    const controller = new AbortController();
    const applying = applyStack(port, aStack(), {
      signal: controller.signal,
      onApplied: () => controller.abort(new Error('enough')),
    });
    await expect(applying).rejects.toThrow(AbortedError);
    expect(calls).toEqual(['shop_front']);
  });

  test('and a service is refused, then the refusal names the service', async () => {
    const { port } = aPort();
    const apply = () =>
      Promise.reject(new InvalidSpecError([{ field: 'ports[0].published', rule: 'is taken' }]));
    await expect(applyStack({ ...port, services: { apply } }, aStack())).rejects.toThrow(
      'services.shop_web.ports[0].published: is taken',
    );
  });
});
