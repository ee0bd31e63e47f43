import { parseServiceSpec, type Service, type ServiceSpec, type ServiceSpecInput } from '@skep/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fields } from '../json/fields.ts';
import type { Names } from './names.ts';
import { serviceSpecFrom } from './service-spec-in.ts';
import { serviceSpecOut } from './service-spec-out.ts';

/** Every name has the id `id-of-NAME`. */
const names: Names = {
  network: () => undefined,
  networkName: (target) => target.replace(/^id-of-/, ''),
  networkId: (name) => `id-of-${name}`,
  secretId: (name) => `id-of-${name}`,
  configId: (name) => `id-of-${name}`,
};

function read(body: object, service?: Service, warnings: string[] = []): ServiceSpec {
  const warn = (message: string) => warnings.push(message);
  return parseServiceSpec(serviceSpecFrom(new Fields(body), { names, warn }, service));
}

function write(spec: ServiceSpec, withDefaults = false): Record<string, unknown> {
  return JSON.parse(JSON.stringify(serviceSpecOut(spec, { names, withDefaults })));
}

function service(input: ServiceSpecInput): Service {
  return { spec: parseServiceSpec(input) } as Service;
}

const PLAIN = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'nginx:latest' } } };

describe('given a service as `docker service create alpine ping 8.8.8.8` sends it', () => {
  const sent = {
    Labels: {},
    TaskTemplate: {
      ContainerSpec: { Image: 'alpine:latest', Args: ['ping', '8.8.8.8'], Init: false, DNSConfig: {} },
      Resources: { Limits: {}, Reservations: {} },
      Placement: {},
      ForceUpdate: 0,
    },
    Mode: { Replicated: {} },
    EndpointSpec: { Mode: 'vip' },
  };

  it('when it is stored, then it has one replica, and reads as the engine writes it', () => {
    expect(write(read({ ...sent, Name: 'web' }))).toEqual({
      ...sent,
      Name: 'web',
      Mode: { Replicated: { Replicas: 1 } },
      TaskTemplate: {
        ...sent.TaskTemplate,
        ContainerSpec: { ...sent.TaskTemplate.ContainerSpec, Isolation: 'default' },
        Runtime: 'container',
      },
    });
  });

  it('when defaults are asked for, then they are filled in', () => {
    const policy = {
      Parallelism: 1,
      FailureAction: 'pause',
      Monitor: 5_000_000_000,
      MaxFailureRatio: 0,
      Order: 'stop-first',
    };
    const out = write(read({ ...sent, Name: 'web' }), true);
    expect(out).toMatchObject({ UpdateConfig: policy, RollbackConfig: policy });
    expect(out['TaskTemplate']).toMatchObject({
      RestartPolicy: { Condition: 'any', Delay: 5_000_000_000, MaxAttempts: 0 },
      ContainerSpec: { StopGracePeriod: 10_000_000_000 },
    });
  });
});

describe('given a service that has what the engine’s JSON can not say', () => {
  const own = service({
    name: 'web',
    replicas: 2,
    task: {
      image: 'nginx:latest',
      health: { test: { kind: 'http', port: 80 } },
      restart: { maxDelayMs: 60_000 },
      placement: { strategy: 'binpack' },
      mounts: [{ type: 'volume', source: 'data-{{.Task.Slot}}', target: '/data', pinned: true }],
      devices: [{ source: '/dev/fuse' }],
    },
    dependsOn: [{ service: 'db' }],
    update: { parallelism: 1, canary: { tasks: 1 } },
    priority: 7,
  });

  it('when a client sends back what it read with another image, then only the image differs', () => {
    const sent = JSON.parse(JSON.stringify(write(own.spec)));
    sent.TaskTemplate.ContainerSpec.Image = 'nginx:1.27';
    expect(read(sent, own)).toEqual({ ...own.spec, task: { ...own.spec.task, image: 'nginx:1.27' } });
  });
});

describe('given services of all kinds', () => {
  const text = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
  const specs = fc.record<ServiceSpecInput>(
    {
      name: text,
      labels: fc.dictionary(text, text),
      mode: fc.constant('replicated'),
      replicas: fc.nat(9),
      endpointMode: fc.constantFrom('vip', 'dnsrr'),
      ports: fc.uniqueArray(
        fc.record({
          target: fc.integer({ min: 1, max: 65_535 }),
          published: fc.integer({ min: 1, max: 65_535 }),
          mode: fc.constant('host' as const),
        }),
        { maxLength: 3, selector: ({ published }) => published },
      ),
      update: fc.record({
        parallelism: fc.nat(3),
        delayMs: fc.nat(9_000),
        order: fc.constant('start-first' as const),
      }),
      task: fc.record(
        {
          image: text,
          args: fc.array(text, { minLength: 1, maxLength: 3 }),
          env: fc.dictionary(text, text),
          user: text,
          init: fc.boolean(),
          tty: fc.boolean(),
          stopGraceMs: fc.nat(60_000),
          networks: fc.uniqueArray(fc.record({ name: text, aliases: fc.array(text, { maxLength: 2 }) }), {
            maxLength: 2,
            selector: ({ name }) => name,
          }),
          resources: fc.record({
            limits: fc.record({ cpus: fc.integer({ min: 1, max: 64 }).map((eighths) => eighths / 8) }),
            reservations: fc.record({ memoryBytes: fc.integer({ min: 4 * 2 ** 20, max: 2 ** 40 }) }),
          }),
          secrets: fc.uniqueArray(fc.record({ name: text, mode: fc.constantFrom(0o400, 0o444) }), {
            maxLength: 2,
            selector: ({ name }) => name,
          }),
          placement: fc.record({
            constraints: fc.constantFrom([], ['node.role==worker']),
            maxReplicasPerNode: fc.nat(3),
          }),
          forceUpdate: fc.nat(5),
        },
        { requiredKeys: ['image'] },
      ),
    },
    { requiredKeys: ['name', 'task', 'replicas'] },
  );

  it('when one is written and sent back, then it is what it was', () => {
    fc.assert(
      fc.property(specs, (input) => {
        const before = parseServiceSpec(input);
        expect(read(write(before), { spec: before } as Service)).toEqual(before);
        expect(write(read(write(before)))).toEqual(write(before));
      }),
    );
  });
});

describe('given specs that ask for what can not be', () => {
  it.each([
    [{ Name: 'x' }, 'mismatched Runtime and *Spec fields'],
    [{ Name: 'x', TaskTemplate: {} }, 'mismatched Runtime and *Spec fields'],
    [{ Name: 'x', TaskTemplate: { ContainerSpec: {} } }, 'ContainerSpec: image reference must be provided'],
    [{ ...PLAIN, Mode: { Replicated: {}, Global: {} } }, 'must specify only one service mode'],
    [
      { Name: 'x', TaskTemplate: { ...PLAIN.TaskTemplate, RestartPolicy: { Condition: 'sometimes' } } },
      'invalid RestartCondition: "sometimes"',
    ],
    [
      { Name: 'x', TaskTemplate: { ...PLAIN.TaskTemplate, Resources: { Limits: { NanoCPUs: 1 } } } },
      'invalid cpu value 1e-09: Must be at least 0.001',
    ],
    [
      { Name: 'x', TaskTemplate: { ContainerSpec: { Image: 'a', Hosts: ['10.0.0.1 db'] } } },
      'TaskTemplate.ContainerSpec.Hosts is not supported by Skep',
    ],
  ])('when %j is sent, then it is refused: %s', (body, told) => {
    expect(() => read(body)).toThrow(told);
  });

  it('when options of a mount have no effect, then that is told', () => {
    const warnings: string[] = [];
    const mount = {
      Type: 'volume',
      Source: 'd',
      Target: '/d',
      VolumeOptions: { NoCopy: true, Labels: { a: 'b' } },
    };
    read(
      { Name: 'x', TaskTemplate: { ContainerSpec: { Image: 'a', Mounts: [mount] } } },
      undefined,
      warnings,
    );
    expect(warnings).toEqual([
      'TaskTemplate.ContainerSpec.Mounts[0].VolumeOptions.Labels has no effect',
      'TaskTemplate.ContainerSpec.Mounts[0].VolumeOptions.NoCopy has no effect',
    ]);
  });
});
