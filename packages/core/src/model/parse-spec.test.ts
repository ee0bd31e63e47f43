import { describe, expect, test } from 'vitest';
import { InvalidSpecError } from '../errors.ts';
import { networkSpecSchema } from './network.ts';
import { clusterSpecSchema, configSpecSchema, nodeSpecSchema, secretSpecSchema } from './other-specs.ts';
import { parseServiceSpec, parseSpec } from './parse-spec.ts';
import { REPLICAS_MAX } from './task-count.ts';

/** The issues that parsing tells of, `field: rule`. */
function issuesOf(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    expect(error.code).toBe('INVALID_SPEC');
    return error.issues.map(({ field, rule }) => `${field}: ${rule}`);
  }
  return [];
}

const service = (more: object) => () =>
  parseServiceSpec({ name: 'web', task: { image: 'image' }, ...more } as never);
const task = (more: object) => service({ task: { image: 'image', ...more } });
const job = (more: object) => service({ mode: 'replicated-job', ...more });
const cron = (line: string) => job({ schedule: { cron: line } });
const named = (json: string) => JSON.parse(json) as object;

describe('given a service spec, when it breaks a rule, then the field and the rule are told', () => {
  test.each<[string, () => unknown, string]>([
    ['no name', service({ name: undefined }), 'name: must be provided, as text'],
    ['a name that is a number', service({ name: 7 }), 'name: must be text'],
    ['a list that is none', task({ mounts: {} }), 'task.mounts: must be a list'],
    ['a label that is a number', service({ labels: { a: 1 } }), 'labels.a: must be text'],
    ['an empty name', service({ name: '' }), 'name: name must be provided'],
    [
      'a name of 64 characters',
      service({ name: 'x'.repeat(64) }),
      'name: name must be 63 characters or fewer',
    ],
    ['a name with a space', service({ name: 'my web' }), 'name: name must be valid as a DNS name component'],
    ['a name with a hyphen at its end', service({ name: 'web-' }), 'name: name must be valid as a DNS'],
    ['a name with a dot', service({ name: 'a.b' }), 'name: name must be valid as a DNS'],
    ['a name with another script', service({ name: 'wëb' }), 'name: name must be valid as a DNS'],
    ['negative replicas', service({ replicas: -1 }), 'replicas: must not be negative'],
    ['half a replica', service({ replicas: 1.5 }), 'replicas: must be a whole number'],
    ['replicas that are no number', service({ replicas: '3' }), 'replicas: must be a number'],
    ['replicas without end', service({ replicas: Number.POSITIVE_INFINITY }), 'replicas: must be'],
    [
      'too many replicas',
      service({ replicas: REPLICAS_MAX + 1 }),
      `replicas: must be at most ${REPLICAS_MAX}`,
    ],
    ['replicas of a global service', service({ mode: 'global', replicas: 2 }), 'replicas: a global service'],
    [
      'replicas of a job',
      service({ mode: 'replicated-job', replicas: 2 }),
      'replicas: a job takes completions',
    ],
    ['replicas of a global job', service({ mode: 'global-job', replicas: 2 }), 'replicas: a global job'],
    [
      'a job of a service that is none',
      service({ job: { completions: 2 } }),
      'job: is that of a replicated-job',
    ],
    ['a job of a global job', service({ mode: 'global-job', job: {} }), 'job: is that of a replicated-job'],
    [
      'a job that does nothing at a time',
      job({ job: { concurrency: 0 } }),
      'job.concurrency: must be at least 1',
    ],
    ['negative completions', job({ job: { completions: -1 } }), 'job.completions: must not be negative'],
    ['an update of a job', job({ update: { parallelism: 2 } }), 'update: a job is not updated slot by slot'],
    [
      'a schedule of no job',
      service({ schedule: { cron: '@daily' } }),
      'schedule: only a job runs on a schedule',
    ],
    ['a line that is no cron line', cron('each noon'), "schedule.cron: 'each noon' is no cron line"],
    ['a cron line that never fires', cron('0 0 30 2 *'), "schedule.cron: '0 0 30 2 *' never fires"],
    [
      'a time zone that is none',
      job({ schedule: { cron: '@daily', timeZone: 'Mars/Olympus' } }),
      'schedule.timeZone: must be the IANA name of a time zone',
    ],
    [
      'a deadline for runs that are skipped',
      job({ schedule: { cron: '@daily', missed: 'skip', deadlineMs: 1 } }),
      'schedule.deadlineMs: has no meaning',
    ],
    [
      'a service that waits for itself',
      service({ dependsOn: [{ service: 'web' }] }),
      'dependsOn[0].service: a service can not wait for itself',
    ],
    [
      'a dependency named twice',
      service({ dependsOn: [{ service: 'db' }, { service: 'DB', condition: 'healthy' }] }),
      "dependsOn[1].service: 'DB' is named twice",
    ],
    [
      'an unknown mode',
      service({ mode: 'daemon' }),
      "mode: must be 'replicated', 'global', 'replicated-job' or 'global-job'",
    ],
    [
      'an unknown health test',
      task({ health: { test: { kind: 'smtp' } } }),
      'task.health.test.kind: must be ',
    ],
    ['an unknown field', service({ replica: 3 }), 'replica: unknown field'],
    ['an unknown field inside', task({ imagee: 'x' }), 'task.imagee: unknown field'],
    ['an unknown field deep inside', task({ restart: { delay: 5 } }), 'task.restart.delay: unknown field'],
    [
      'an unknown field in a list',
      service({ ports: [{ target: 1, host: 2 }] }),
      'ports[0].host: unknown field',
    ],
    ['no image and no command', service({ task: {} }), 'task.image: must be provided, unless a command is'],
    ['no task', service({ task: undefined }), 'task: '],
    ['an empty command', task({ command: [] }), 'task.command: must name a program'],
    ['a command without a program', task({ command: ['', 'x'] }), 'task.command: must name a program'],
    ['a NUL in an argument', task({ args: ['a\0b'] }), 'task.args[0]: must not hold a NUL character'],
    ['a NUL in an image', task({ image: 'a\0b' }), 'task.image: must not hold a NUL character'],
    ['a NUL in a directory', task({ dir: '/a\0b' }), 'task.dir: must not hold a NUL character'],
    ['a NUL in a user', task({ user: 'a\0b' }), 'task.user: must not hold a NUL character'],
    ['a NUL in a hostname', task({ hostname: 'a\0b' }), 'task.hostname: must not hold a NUL character'],
    ['a NUL in a variable', task({ env: { A: '\0' } }), 'task.env.A: must not hold a NUL character'],
    ['a variable without a name', task({ env: { '': 'x' } }), 'task.env.: must not be empty'],
    ['a variable with = in its name', task({ env: { 'A=B': 'x' } }), 'task.env.A=B: must not hold ='],
    ['a label without a name', service({ labels: { '': 'x' } }), 'labels.: label name must not be empty'],
    ['a label that is no text', service({ labels: { a: 1 } }), 'labels.a: '],
    [
      'a label named __proto__',
      service({ labels: named('{"__proto__":"x"}') }),
      "labels.__proto__: '__proto__' can't",
    ],
    [
      'a variable named __proto__',
      task({ env: named('{"__proto__":"x"}') }),
      "task.env.__proto__: '__proto__' can't",
    ],
    ['a field named __proto__', service(named('{"__proto__":{"x":1}}')), "__proto__: '__proto__' can't"],
    ['a port of 0', service({ ports: [{ target: 0 }] }), 'ports[0].target: must be from 1 to 65535'],
    [
      'a port of 65536',
      service({ ports: [{ target: 80, published: 65_536 }] }),
      'ports[0].published: must be from 1',
    ],
    [
      'the PROXY protocol where clients connect to the task itself',
      service({ ports: [{ target: 80, mode: 'host', proxyProtocol: 'v1' }] }),
      'ports[0].proxyProtocol: must be absent in host mode',
    ],
    [
      'the PROXY protocol as text over UDP',
      service({ ports: [{ target: 53, protocol: 'udp', proxyProtocol: 'v1' }] }),
      'ports[0].proxyProtocol: must be v2 over udp',
    ],
    [
      'a port published twice',
      service({
        ports: [
          { target: 80, published: 8_080 },
          { target: 81, published: 8_080 },
        ],
      }),
      'ports[1].published: port 8080/tcp is published twice',
    ],
    [
      'an ingress port with dnsrr',
      service({ endpointMode: 'dnsrr', ports: [{ target: 80 }] }),
      'ports[0].mode: must be host when endpointMode is dnsrr',
    ],
    [
      'a constraint that is none',
      task({ placement: { constraints: ['node.role'] } }),
      "task.placement.constraints[0]: 'node.role' must have the form",
    ],
    [
      'an unknown key in a constraint',
      task({ placement: { constraints: ['node.colour==red'] } }),
      "task.placement.constraints[0]: 'node.colour' is no key",
    ],
    [
      'an unknown role in a constraint',
      task({ placement: { constraints: ['node.role==boss'] } }),
      "task.placement.constraints[0]: 'boss' is no role",
    ],
    [
      'an impossible constraint',
      task({ placement: { constraints: ['node.role==worker', 'node.role!=worker'] } }),
      "task.placement.constraints[1]: 'node.role!=worker' contradicts 'node.role==worker'",
    ],
    [
      'two values for one key',
      task({ placement: { constraints: ['node.labels.a==1', 'node.labels.a==2'] } }),
      'task.placement.constraints[1]: ',
    ],
    [
      'a spread over no label',
      task({ placement: { preferences: [{ spread: 'node.id' }] } }),
      'task.placement.preferences[0].spread: ',
    ],
    [
      'negative replicas per node',
      task({ placement: { maxReplicasPerNode: -1 } }),
      'task.placement.maxReplicasPerNode: must not be negative',
    ],
    [
      'too little processor',
      task({ resources: { limits: { cpus: 0.0001 } } }),
      'task.resources.limits.cpus: must be at least 0.001',
    ],
    [
      'too little memory',
      task({ resources: { reservations: { memoryBytes: 1024 } } }),
      'task.resources.reservations.memoryBytes: must be at least 4 MiB',
    ],
    [
      'half a generic resource',
      task({ resources: { reservations: { generic: { gpu: 0.5 } } } }),
      'task.resources.reservations.generic.gpu: must be',
    ],
    ['a negative delay', task({ restart: { delayMs: -1 } }), 'task.restart.delayMs: must not be negative'],
    ['a negative window', task({ restart: { windowMs: -1 } }), 'task.restart.windowMs: must not be negative'],
    [
      'an unknown restart condition',
      task({ restart: { condition: 'sometimes' } }),
      'task.restart.condition: ',
    ],
    [
      'a health interval of 0',
      task({ health: { test: { kind: 'tcp', port: 1 }, intervalMs: 0 } }),
      'task.health.intervalMs: must be at least 1 ms',
    ],
    [
      'no health retries',
      task({ health: { test: { kind: 'tcp', port: 1 }, retries: 0 } }),
      'task.health.retries: must be at least 1',
    ],
    ['an unknown health test', task({ health: { test: { kind: 'smell' } } }), 'task.health.test.kind: '],
    [
      'a health path without /',
      task({ health: { test: { kind: 'http', port: 1, path: 'x' } } }),
      'task.health.test.path: must begin with /',
    ],
    [
      'two mounts on one target',
      task({
        mounts: [
          { type: 'volume', target: '/a' },
          { type: 'tmpfs', target: '/a' },
        ],
      }),
      "task.mounts[1].target: '/a' is mounted twice",
    ],
    [
      'a bind without a source',
      task({ mounts: [{ type: 'bind', target: '/a' }] }),
      'task.mounts[0].source: must be provided',
    ],
    [
      'a tmpfs with a source',
      task({ mounts: [{ type: 'tmpfs', source: 'x', target: '/a' }] }),
      'task.mounts[0].source: must be absent',
    ],
    [
      'two secrets under one file name',
      task({ secrets: [{ name: 'a', target: 'f' }, { name: 'f' }] }),
      "task.secrets[1].target: 'f' is used twice",
    ],
    [
      'a network twice',
      task({ networks: [{ name: 'a' }, { name: 'A' }] }),
      "task.networks[1].name: network 'a' is named twice",
    ],
    [
      'a soft limit above the hard one',
      task({ ulimits: { nofile: { soft: 2, hard: 1 } } }),
      'task.ulimits.nofile.soft: must not be above the hard limit',
    ],
    [
      'no soft limit under a hard one',
      task({ ulimits: { nofile: { soft: -1, hard: 1 } } }),
      'task.ulimits.nofile.soft: must not be above the hard limit',
    ],
    ['a limit of nothing', task({ ulimits: { 'no file': { soft: 1, hard: 1 } } }), 'task.ulimits'],
    [
      'a capability that is none',
      task({ capabilityAdd: ['net admin'] }),
      'task.capabilityAdd[0]: must be the name',
    ],
    ['a kernel setting that is none', task({ sysctls: { 'a b': '1' } }), 'task.sysctls'],
    [
      'permissions of a device that are none',
      task({ devices: [{ source: '/dev/a', permissions: 'rx' }] }),
      'task.devices[0].permissions: must be some of r, w and m',
    ],
    [
      'a log driver without a name',
      task({ logDriver: { name: '' } }),
      'task.logDriver.name: must not be empty',
    ],
    ['a stop signal that is none', task({ stopSignal: '9' }), 'task.stopSignal: must be a signal name'],
    ['nothing at all', () => parseServiceSpec(null as never), ': '],
  ])('when it has %s', (_, parse, expected) => {
    const issues = issuesOf(parse);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(expected);
    expect(issues[0]?.startsWith(expected.split(': ')[0] ?? '')).toBe(true);
  });

  test('when it breaks several, then all are told at once', () => {
    const issues = issuesOf(
      service({ name: '', replicas: -1, colour: 'red', task: { image: '', tty: 'no' } }),
    );
    expect(issues.map((issue) => issue.split(':')[0])).toEqual([
      'name',
      'replicas',
      'task.image',
      'task.tty',
      'colour',
    ]);
  });

  test('when it refers to itself, then it is refused as any other', () => {
    const input: Record<string, unknown> = { name: 'web', task: { image: 'image' } };
    input['self'] = input;
    expect(issuesOf(() => parseServiceSpec(input as never))).toEqual(['self: unknown field']);
  });

  test('when a value is a secret in a wrong place, then the error does not repeat it', () => {
    const told = issuesOf(task({ registryAuth: ['hunter2'], env: { A: 12 }, hunter: 'hunter2' })).join();
    expect(told).not.toContain('hunter2');
  });
});

test('given the shortest service spec, when it is parsed, then its defaults are those of the field', () => {
  expect(parseServiceSpec({ name: 'web', task: { image: 'image' } })).toEqual({
    name: 'web',
    labels: {},
    mode: 'replicated',
    replicas: 1,
    ports: [],
    endpointMode: 'vip',
    update: { parallelism: 1 },
    task: {
      image: 'image',
      env: {},
      labels: {},
      tty: false,
      readOnly: false,
      stopGraceMs: 10_000,
      mounts: [],
      secrets: [],
      configs: [],
      networks: [],
      resources: { reservations: {}, limits: {} },
      restart: {
        condition: 'any',
        delayMs: 5_000,
        backoff: 'exponential',
        maxDelayMs: 300_000,
        resetAfterMs: 600_000,
        maxAttempts: 0,
        windowMs: 0,
      },
      placement: { constraints: [], preferences: [], platforms: [], maxReplicasPerNode: 0 },
      forceUpdate: 0,
    },
  });
});

test('given a parsed spec, when it is parsed again, then it stays as it is', () => {
  const spec = parseServiceSpec({
    name: 'web',
    task: { image: 'i', health: { test: { kind: 'http', port: 80 } }, restart: {}, secrets: [{ name: 'a' }] },
    ports: [{ target: 80 }],
  });
  expect(parseServiceSpec(spec)).toEqual(spec);
  expect(spec.task.health).toMatchObject({
    intervalMs: 30_000,
    timeoutMs: 30_000,
    retries: 3,
    startPeriodMs: 0,
  });
  expect(spec.ports).toEqual([{ target: 80, protocol: 'tcp', mode: 'ingress' }]);
});

test('given empty settings of a cluster, when they are parsed, then the defaults are ours', () => {
  expect(parseSpec(clusterSpecSchema, {})).toEqual({
    labels: {},
    taskHistoryLimit: 5,
    dispatcher: { heartbeatMs: 1_000, silentDownMs: 5_000, closedDownMs: 3_500, orphanAfterMs: 86_400_000 },
  });
});

test.each<[string, () => unknown, string]>([
  [
    'a node with an unknown availability',
    () => parseSpec(nodeSpecSchema, { availability: 'off' }),
    'availability: ',
  ],
  ['a node with an unknown field', () => parseSpec(nodeSpecSchema, { name: 'x' }), 'name: unknown field'],
  [
    'a cluster that hears too seldom',
    () => parseSpec(clusterSpecSchema, { dispatcher: { heartbeatMs: 6_000 } }),
    'dispatcher.silentDownMs: must be longer',
  ],
  [
    'a cluster with no heartbeat',
    () => parseSpec(clusterSpecSchema, { dispatcher: { heartbeatMs: 0 } }),
    'dispatcher.heartbeatMs: must be at least 10 ms',
  ],
  [
    'a secret with a bad name',
    () => parseSpec(secretSpecSchema, { name: '-a' }),
    'name: name must be letters',
  ],
  [
    'a secret with a long name',
    () => parseSpec(secretSpecSchema, { name: 'x'.repeat(65) }),
    'name: name must be 64',
  ],
  [
    'a config with its data inside',
    () => parseSpec(configSpecSchema, { name: 'a', data: 'x' }),
    'data: unknown field',
  ],
  [
    'an attachable ingress network',
    () => parseSpec(networkSpecSchema, { name: 'a', ingress: true, attachable: true }),
    'attachable: must be false',
  ],
])('given %s, when it is parsed, then it is refused with the field and the rule', (_, parse, expected) => {
  const issues = issuesOf(parse);
  expect(issues).toHaveLength(1);
  expect(issues[0]?.startsWith(expected)).toBe(true);
});

test('given what is no spec at all, when it is parsed, then each field that is missing is told', () => {
  expect(issuesOf(() => parseServiceSpec(null as never))).toEqual([': must be an object']);
  expect(issuesOf(() => parseServiceSpec({} as never))).toEqual([
    'name: must be provided, as text',
    'task: must be provided, as an object',
  ]);
});
