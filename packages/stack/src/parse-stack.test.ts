/** What a stack file becomes, form by form, and what it is refused for. */

import { InvalidSpecError, type ServiceSpecInput, serviceSpecSchema } from '@skep/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ParseStackOptions, parseStack, type Stack } from './index.ts';

const OPTIONS: ParseStackOptions = { name: 'shop', baseDir: '/srv/shop' };

/** A file with one service `web` of these lines, and these sections beside it. */
function aFile(service: string, sections = ''): string {
  const lines = service.split('\n').map((line) => `    ${line}`);
  return `services:\n  web:\n    image: web\n${lines.join('\n')}\n${sections}`;
}

function parse(service: string, sections = '', options: Partial<ParseStackOptions> = {}): Stack {
  return parseStack(aFile(service, sections), { ...OPTIONS, ...options });
}

function web(stack: Stack): ServiceSpecInput {
  const [service] = stack.services;
  if (service === undefined) throw new Error('the stack has no service');
  expect(serviceSpecSchema.safeParse(service).success).toBe(true);
  return service;
}

function faults(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidSpecError) return error.issues.map(({ field, rule }) => `${field}: ${rule}`);
    throw error;
  }
  return [];
}

describe('given a service field, when the file is parsed, then the task has it', () => {
  test.each<[string, Partial<ServiceSpecInput['task']>]>([
    ['command: node server.js "a b" c\\ d', { args: ['node', 'server.js', 'a b', 'c d'] }],
    ['command: [node, "server.js"]', { args: ['node', 'server.js'] }],
    ['command: []', { image: 'web' }],
    ['entrypoint: /bin/run --fast\ncommand: [now]', { command: ['/bin/run', '--fast'], args: ['now'] }],
    [
      'environment: {A: 1.10, B: true, C: "", D: ~, E: 0x10}',
      { env: { A: '1.10', B: 'true', C: '', E: '0x10' } },
    ],
    ['environment: [A=1, B=x=y, HOME_TOWN, UNKNOWN]', { env: { A: '1', B: 'x=y', HOME_TOWN: 'Rome' } }],
    ['labels: {a: 1, b: }', { labels: { a: '1', b: '', 'com.docker.stack.namespace': 'shop' } }],
    ['labels: [a=1, b]', { labels: { a: '1', b: '', 'com.docker.stack.namespace': 'shop' } }],
    ['user: "1000:1000"', { user: '1000:1000' }],
    ['user: 1000', { user: '1000' }],
    ['working_dir: /app', { dir: '/app' }],
    ['hostname: box', { hostname: 'box' }],
    ['stop_signal: SIGINT', { stopSignal: 'SIGINT' }],
    ['stop_signal: usr1', { stopSignal: 'SIGUSR1' }],
    ['stop_grace_period: 1m30s', { stopGraceMs: 90_000 }],
    ['tty: true', { tty: true }],
    ['read_only: "true"', { readOnly: true }],
    ['init: true', { init: true }],
    [
      'ulimits: {nproc: 65535, nofile: {soft: 20000, hard: "40000"}}',
      {
        ulimits: { nproc: { soft: 65_535, hard: 65_535 }, nofile: { soft: 20_000, hard: 40_000 } },
      },
    ],
    ['sysctls: [net.core.somaxconn=1024]', { sysctls: { 'net.core.somaxconn': '1024' } }],
    ['sysctls: {net.core.somaxconn: 1024}', { sysctls: { 'net.core.somaxconn': '1024' } }],
    ['cap_add: [ALL]', { capabilityAdd: ['ALL'] }],
    ['cap_drop: [net_admin]', { capabilityDrop: ['NET_ADMIN'] }],
    ['devices: [/dev/fuse]', { devices: [{ source: '/dev/fuse' }] }],
    [
      'devices: ["/dev/a:/dev/b:r", /dev/c:rw, {source: /dev/d, target: /dev/e}]',
      {
        devices: [
          { source: '/dev/a', target: '/dev/b', permissions: 'r' },
          { source: '/dev/c', permissions: 'rw' },
          { source: '/dev/d', target: '/dev/e' },
        ],
      },
    ],
    ['privileged: true', { privileged: true }],
    [
      'logging: {driver: syslog, options: {tag: web}}',
      { logDriver: { name: 'syslog', options: { tag: 'web' } } },
    ],
    ['tmpfs: /run', { mounts: [{ type: 'tmpfs', target: '/run' }] }],
    [
      'tmpfs: [/run, "/tmp:size=64m"]',
      {
        mounts: [
          { type: 'tmpfs', target: '/run' },
          { type: 'tmpfs', target: '/tmp' },
        ],
      },
    ],
    [
      'healthcheck: {test: "curl -f localhost", interval: 1m30s, timeout: 10s, retries: 5, start_period: 40s, start_interval: 250ms}',
      {
        health: {
          test: { kind: 'exec', command: ['/bin/sh', '-c', 'curl -f localhost'] },
          intervalMs: 90_000,
          timeoutMs: 10_000,
          retries: 5,
          startPeriodMs: 40_000,
          startIntervalMs: 250,
        },
      },
    ],
    [
      'healthcheck: {test: [CMD, node, probe.js]}',
      { health: { test: { kind: 'exec', command: ['node', 'probe.js'] } } },
    ],
    [
      'healthcheck: {test: [CMD-SHELL, "test -e /up"]}',
      { health: { test: { kind: 'exec', command: ['/bin/sh', '-c', 'test -e /up'] } } },
    ],
    [
      'x-skep-health: {http: {port: 80, path: /up}}',
      { health: { test: { kind: 'http', port: 80, path: '/up' } } },
    ],
    ['x-skep-health: {tcp: {port: 5432}}', { health: { test: { kind: 'tcp', port: 5432 } } }],
    [
      'x-skep-health: {http: {port: 80}}\nhealthcheck: {test: [CMD, "true"], interval: 2s}',
      { health: { test: { kind: 'http', port: 80, path: '/' }, intervalMs: 2_000 } },
    ],
    [
      'deploy: {resources: {limits: {cpus: "0.50", memory: 50M, pids: 100}}}',
      { resources: { limits: { cpus: 0.5, memoryBytes: 52_428_800, pids: 100 } } },
    ],
    [
      'deploy: {resources: {reservations: {cpus: 2, memory: 1.5gb, generic_resources: [{discrete_resource_spec: {kind: gpu, value: 2}}]}}}',
      { resources: { reservations: { cpus: 2, memoryBytes: 1_610_612_736, generic: { gpu: 2 } } } },
    ],
    [
      'deploy: {restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 2m}}',
      { restart: { condition: 'on-failure', delayMs: 5_000, maxAttempts: 3, windowMs: 120_000 } },
    ],
    ['deploy: {restart_policy: {x-skep-backoff: fixed}}', { restart: { backoff: 'fixed' } }],
    [
      'deploy: {placement: {constraints: [node.role == manager, "node.labels.disk != hdd"], preferences: [{spread: node.labels.zone}], max_replicas_per_node: 2}}',
      {
        placement: {
          constraints: ['node.role == manager', 'node.labels.disk != hdd'],
          preferences: [{ spread: 'node.labels.zone' }],
          maxReplicasPerNode: 2,
        },
      },
    ],
  ])('%s', (lines, expected) => {
    const { task } = web(parse(lines, '', { env: { HOME_TOWN: 'Rome' } }));
    expect(task).toMatchObject(expected);
  });

  test.each([
    'healthcheck: {disable: true, test: x}',
    'healthcheck: {test: [NONE]}',
    'healthcheck: {test: ""}',
  ])("%s turns any probe off, the image's own too", (lines) => {
    expect(web(parse(lines)).task.health).toEqual({ test: { kind: 'none' } });
  });
});

describe('given deploy, when the file is parsed, then the service has it', () => {
  test.each<[string, Partial<ServiceSpecInput>]>([
    ['deploy: {replicas: 6}', { replicas: 6 }],
    ['deploy: {replicas: "$COUNT"}', { replicas: 4 }],
    ['deploy: {mode: global}', { mode: 'global' }],
    ['deploy: {endpoint_mode: dnsrr}', { endpointMode: 'dnsrr' }],
    [
      'deploy: {x-skep-disruption: {max_unavailable: 2, order: stop-first}}',
      { disruption: { maxUnavailable: 2, order: 'stop-first' } },
    ],
    [
      'deploy: {x-skep-autoscale: {min: 2, max: 20, metric: cpu, target: 0.5}}',
      { autoscale: { min: 2, max: 20, metric: 'cpu', target: 0.5 } },
    ],
    [
      'deploy: {x-skep-autoscale: {min: 1, max: 4, metric: memory, target: 64M, tolerance: 0.2, every: 5s, stale: 20s}}',
      {
        autoscale: {
          ...{ min: 1, max: 4, metric: 'memory', target: 64 * 1024 * 1024 },
          ...{ tolerance: 0.2, everyMs: 5_000, staleMs: 20_000 },
        },
      },
    ],
    [
      'deploy: {x-skep-autoscale: {min: 0, max: 9, metric: {name: queue, of: service}, target: 10, scale_up_cooldown: 0s, scale_down_cooldown: 1m, stabilization: 10m}}',
      {
        autoscale: {
          ...{ min: 0, max: 9, metric: { name: 'queue', of: 'service' }, target: 10 },
          ...{ scaleUpCooldownMs: 0, scaleDownCooldownMs: 60_000, stabilizationMs: 600_000 },
        },
      },
    ],
    ['x-skep-drain-delay: 1m30s', { drainDelayMs: 90_000 }],
    [
      'x-skep-balancing: {algorithm: round-robin, stickiness: cookie}',
      { balancing: { algorithm: 'round-robin', stickiness: 'cookie' } },
    ],
    [
      'ports: [{target: 80, published: 8080, x-skep-proxy-protocol: v2}]',
      { ports: [{ target: 80, published: 8_080, protocol: 'tcp', mode: 'ingress', proxyProtocol: 'v2' }] },
    ],
    ['deploy: {update_config: {parallelism: 2}}', { update: { parallelism: 2 } }],
    [
      'deploy: {update_config: {parallelism: 0, delay: 10s, failure_action: rollback, monitor: 1m, max_failure_ratio: 0.25, order: start-first}}',
      {
        update: {
          ...{ parallelism: 0, delayMs: 10_000, failureAction: 'rollback', monitorMs: 60_000 },
          ...{ maxFailureRatio: 0.25, order: 'start-first' },
        },
      },
    ],
    [
      'deploy: {rollback_config: {parallelism: 3, delay: 500ms, failure_action: continue, monitor: 2s, max_failure_ratio: "1", order: stop-first}}',
      {
        rollback: {
          ...{ parallelism: 3, delayMs: 500, failureAction: 'continue', monitorMs: 2_000 },
          ...{ maxFailureRatio: 1, order: 'stop-first' },
        },
      },
    ],
    [
      'deploy: {labels: {tier: web}}',
      { labels: { tier: 'web', 'com.docker.stack.image': 'web', 'com.docker.stack.namespace': 'shop' } },
    ],
  ])('%s', (lines, expected) => {
    expect(web(parse(lines, '', { env: { COUNT: '4' } }))).toMatchObject(expected);
  });
});

describe('given ports, when the file is parsed, then each is a port of the spec', () => {
  const tcp = { protocol: 'tcp', mode: 'ingress' } as const;
  test.each<[string, ServiceSpecInput['ports']]>([
    ['80', [{ target: 80, ...tcp }]],
    ['"80"', [{ target: 80, ...tcp }]],
    ['"8080:80"', [{ target: 80, published: 8080, ...tcp }]],
    ['8080:80', [{ target: 80, published: 8080, ...tcp }]],
    ['"53:53/udp"', [{ target: 53, published: 53, protocol: 'udp', mode: 'ingress' }]],
    ['"0.0.0.0:8080:80"', [{ target: 80, published: 8080, ...tcp }]],
    ['"[::]:8080:80"', [{ target: 80, published: 8080, ...tcp }]],
    [
      '3000-3001',
      [
        { target: 3000, ...tcp },
        { target: 3001, ...tcp },
      ],
    ],
    [
      '"9090-9091:80-81"',
      [
        { target: 80, published: 9090, ...tcp },
        { target: 81, published: 9091, ...tcp },
      ],
    ],
    [
      '"8000-8001:80"',
      [
        { target: 80, published: 8000, ...tcp },
        { target: 80, published: 8001, ...tcp },
      ],
    ],
    [
      '{target: 80, published: 8080, protocol: udp, mode: host}',
      [{ target: 80, published: 8080, protocol: 'udp', mode: 'host' }],
    ],
    ['{target: 80, published: "8080"}', [{ target: 80, published: 8080, ...tcp }]],
    ['{target: 80, mode: host}', [{ target: 80, protocol: 'tcp', mode: 'host' }]],
  ])('%s', (port, expected) => {
    expect(web(parse(`ports:\n  - ${port}`)).ports).toEqual(expected);
  });

  test.each<[string, RegExp]>([
    ['"127.0.0.1:8080:80"', /names a host address/],
    ['{target: 80, host_ip: 127.0.0.1}', /host_ip: is refused/],
    ['"http"', /must have the form/],
    ['"0:80"', /must have the form/],
    ['"80:70000"', /must have the form/],
    ['"80/quic"', /must have the form/],
    ['"8000-8002:80-81"', /same length/],
    ['"1-65535:1-65535"', /more than 4096 ports/],
    ['{published: 80}', /must have a target/],
    ['"80:80"\n  - "80:81"', /ports\[1\]: publishes port 80\/tcp a second time/],
  ])('%s is refused', (port, message) => {
    expect(faults(() => parse(`ports:\n  - ${port}`)).join('\n')).toMatch(message);
  });
});

describe('given volumes, when the file is parsed, then each is a mount', () => {
  const volumes = 'volumes: {data: , kept: {external: true, name: kept-data}, own: {name: mine}}';
  test.each<[string, object]>([
    ['data:/data', { type: 'volume', source: 'shop_data', target: '/data' }],
    ['data:/data:ro', { type: 'volume', source: 'shop_data', target: '/data', readOnly: true }],
    ['kept:/data', { type: 'volume', source: 'kept-data', target: '/data' }],
    ['own:/data:rw', { type: 'volume', source: 'mine', target: '/data' }],
    ['/data', { type: 'volume', target: '/data' }],
    ['./site:/site', { type: 'bind', source: '/srv/shop/site', target: '/site' }],
    ['../x:/x', { type: 'bind', source: '/srv/shop/../x', target: '/x' }],
    ['/etc/x:/x', { type: 'bind', source: '/etc/x', target: '/x' }],
    ['~/x:/x', { type: 'bind', source: '/home/ada/x', target: '/x' }],
    ['C:\\x:/x', { type: 'bind', source: 'C:\\x', target: '/x' }],
    [
      '{type: bind, source: /a, target: /b, read_only: true}',
      { type: 'bind', source: '/a', target: '/b', readOnly: true },
    ],
    ['{type: volume, source: data, target: /b}', { type: 'volume', source: 'shop_data', target: '/b' }],
    ['{type: tmpfs, target: /b}', { type: 'tmpfs', target: '/b' }],
  ])('%s', (mount, expected) => {
    const stack = parse(`volumes:\n  - ${mount}`, volumes, { env: { HOME: '/home/ada' } });
    expect(web(stack).task.mounts).toEqual([expected]);
  });

  test('an undeclared volume is refused with a hint', () => {
    expect(faults(() => parse('volumes: ["dta:/data"]', volumes))).toEqual([
      "services.web.volumes[0]: 'dta:/data' names a volume that is not declared under volumes (did you mean 'data'?) (line 4, column 15)",
    ]);
  });
});

describe('given networks', () => {
  test('none: the services share the default network of the stack', () => {
    const stack = parse('');
    expect(stack.networks).toEqual([
      { name: 'shop_default', labels: { 'com.docker.stack.namespace': 'shop' } },
    ]);
    expect(web(stack).task.networks).toEqual([{ name: 'shop_default', aliases: ['web'] }]);
  });

  test('some: prefixed, with aliases, unless external or named; those that nobody is on are not made', () => {
    const stack = parse(
      'networks: {front: {aliases: [site]}, back: , wide: }',
      `networks:
  front: {driver: overlay, attachable: true, internal: true, driver_opts: {mtu: 1400}, ipam: {config: [{subnet: 10.9.0.0/24}]}}
  back: {name: rear}
  wide: {external: true}
  idle: {}
`,
    );
    expect(stack.networks).toEqual([
      {
        name: 'shop_front',
        driver: 'overlay',
        options: { mtu: '1400' },
        attachable: true,
        internal: true,
        subnets: [{ subnet: '10.9.0.0/24' }],
        labels: { 'com.docker.stack.namespace': 'shop' },
      },
      { name: 'rear', labels: { 'com.docker.stack.namespace': 'shop' } },
    ]);
    expect(stack.external.networks).toEqual(['wide']);
    expect(web(stack).task.networks).toEqual([
      { name: 'shop_front', aliases: ['web', 'site'] },
      { name: 'rear', aliases: ['web'] },
      { name: 'wide', aliases: ['web'] },
    ]);
  });

  test('the default network with settings of its own', () => {
    expect(parse('', 'networks: {default: {driver: overlay, attachable: true}}').networks).toMatchObject([
      { name: 'shop_default', attachable: true },
    ]);
  });
});

describe('given secrets and configs', () => {
  const PASSWORD = 'correct-horse';
  const readFile = (path: string): Uint8Array => {
    if (path === '/srv/shop/pw.txt') return new TextEncoder().encode(PASSWORD);
    throw Object.assign(new Error(`no such file, says one who saw ${PASSWORD}`), { code: 'ENOENT' });
  };
  const sections = `
secrets:
  pw: {file: ./pw.txt, labels: {team: a}}
  token: {environment: TOKEN}
  old: {external: true, name: old_pw}
configs:
  conf: {content: "color=$COLOR"}
  legacy: {external: {name: legacy_conf}}
`;
  const given = { readFile, env: { TOKEN: 't0ken', COLOR: 'red' } };

  test('services get them under their own key, and the stack holds the values where no print shows them', () => {
    const stack = parse(
      `secrets: [pw, {source: old, target: old-password, mode: 0400}, token]
configs: [{source: conf, target: /etc/app.conf, mode: 0o440}, legacy]`,
      sections,
      given,
    );
    expect(web(stack).task.secrets).toEqual([
      { name: 'shop_pw', target: 'pw' },
      { name: 'old_pw', target: 'old-password', mode: 0o400 },
      { name: 'shop_token', target: 'token' },
    ]);
    expect(web(stack).task.configs).toEqual([
      { name: 'shop_conf', target: '/etc/app.conf', mode: 0o440 },
      { name: 'legacy_conf', target: 'legacy' },
    ]);
    expect(stack.secrets.map(({ spec, data }) => [spec, new TextDecoder().decode(data())])).toEqual([
      [{ name: 'shop_pw', labels: { team: 'a', 'com.docker.stack.namespace': 'shop' } }, PASSWORD],
      [{ name: 'shop_token', labels: { 'com.docker.stack.namespace': 'shop' } }, 't0ken'],
    ]);
    expect(stack.configs.map(({ data }) => new TextDecoder().decode(data()))).toEqual(['color=red']);
    expect(stack.external).toEqual({ networks: [], secrets: ['old_pw'], configs: ['legacy_conf'] });
    expect(JSON.stringify(stack)).not.toContain(PASSWORD);
  });

  test('a file that cannot be read is refused without what its reader said', () => {
    const told = faults(() => parse('', 'secrets: {pw: {file: gone.txt}}', given));
    expect(told).toEqual(["secrets.pw.file: the file 'gone.txt' can't be read: ENOENT (line 5, column 16)"]);
  });

  test('a value of a variable is in no fault', () => {
    const told = faults(() =>
      parse(
        `ports: ["$PASSWORD"]
stop_grace_period: $PASSWORD
volumes: ["$PASSWORD:/x"]
deploy: {mode: $PASSWORD, replicas: $PASSWORD, placement: {constraints: ["$PASSWORD"]}}`,
        '',
        { env: { PASSWORD } },
      ),
    );
    expect(told).toHaveLength(6);
    expect(told.join('\n')).not.toContain(PASSWORD);
  });

  test.each<[string, RegExp]>([
    ['secrets: {pw: {}}', /secrets\.pw: must have one of file or environment/],
    ['secrets: {pw: {environment: NOPE}}', /names a variable that is not set/],
    ['secrets: {pw: {file: pw.txt, template_driver: jinja}}', /template_driver: must be golang/],
    ['secrets: {pw: {external: true, file: pw.txt}}', /can not be given for something external/],
    ['configs: {c: {content: ""}}', /configs\.c: must not be empty/],
  ])('%s is refused', (text, message) => {
    expect(faults(() => parse('', text, given)).join('\n')).toMatch(message);
  });
});

test('given a monitor of 0 in update_config, when it is read, then it stands for the default, as with Docker', () => {
  const spec = web(parse('deploy: {update_config: {monitor: 0s, parallelism: 2}}'));
  expect(spec?.update).toEqual({ parallelism: 2 });
});

describe('given env_file', () => {
  const files: Readonly<Record<string, string>> = {
    '/srv/shop/a.env': '# comment\nA=1\nB="two words" # why\nC=\'$x\'\nexport D=p#q\nTOWN\n',
    '/srv/shop/b.env': 'A=2\n',
  };
  const readFile = (path: string): Uint8Array => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return new TextEncoder().encode(text);
  };

  test('later files win over earlier ones, and environment over all', () => {
    const lines =
      'env_file: [a.env, {path: ./b.env, required: true}, {path: no.env, required: false}]\nenvironment: {D: mine}';
    const { task } = web(parse(lines, '', { readFile, env: { TOWN: 'Rome' } }));
    expect(task.env).toEqual({ A: '2', B: 'two words', C: '$x', D: 'mine', TOWN: 'Rome' });
  });

  test('a missing one is refused, as is any without a reader', () => {
    expect(faults(() => parse('env_file: no.env', '', { readFile }))[0]).toContain("can't be read: ENOENT");
    expect(faults(() => parse('env_file: a.env'))[0]).toContain('no readFile was given');
  });
});

describe('given a field without effect, when the file is parsed, then a warning names it', () => {
  test.each<[string, string, string]>([
    ['build: .', 'services.web.build', 'not-in-swarm'],
    [
      'depends_on: {db: {required: false, restart: true}}',
      'services.web.depends_on.db.restart',
      'not-in-swarm',
    ],
    ['container_name: x', 'services.web.container_name', 'not-in-swarm'],
    ['restart: always', 'services.web.restart', 'not-in-swarm'],
    ['links: [db]', 'services.web.links', 'not-in-swarm'],
    ['stdin_open: true', 'services.web.stdin_open', 'not-supported'],
    ['extra_hosts: [a=1.2.3.4]', 'services.web.extra_hosts', 'not-supported'],
    ['healthcheck: {interval: 5s}', 'services.web.healthcheck', 'not-supported'],
    ['hostname: ${NOPE}x', 'services.web.hostname', 'unset-variable'],
  ])('%s', (lines, field, reason) => {
    expect(parse(lines).warnings).toMatchObject([{ field, reason }]);
  });
});

describe('given a fault, when the file is parsed, then an InvalidSpecError names the field, the rule and the place', () => {
  test.each<[string, string]>([
    ['prots: [80]', "services.web.prots: unknown key (did you mean 'ports'?) (line 4, column 5)"],
    [
      'deploy: {replica: 3}',
      "services.web.deploy.replica: unknown key (did you mean 'replicas'?) (line 4, column 14)",
    ],
    ['deploy: {replicas: -1}', 'services.web.deploy.replicas: must not be negative (line 4, column 14)'],
    [
      'deploy: {replicas: three}',
      "services.web.deploy.replicas: must be a whole number, not 'three' (line 4, column 14)",
    ],
    [
      'deploy: {mode: globl}',
      "services.web.deploy.mode: must be replicated, global, replicated-job, global-job, not 'globl' (did you mean 'global'?) (line 4, column 14)",
    ],
    [
      'deploy: {mode: global-job, replicas: 2}',
      'services.web.deploy.replicas: has no meaning for a global service, which has one task on every node (line 4, column 32)',
    ],
    [
      'deploy: {x-skep-concurrency: 2}',
      'services.web.deploy.x-skep-concurrency: has a meaning only for mode replicated-job (line 4, column 14)',
    ],
    [
      'deploy: {mode: replicated-job, x-skep-schedule: {time_zone: UTC}}',
      'services.web.deploy.x-skep-schedule: must have a cron line (line 4, column 36)',
    ],
    [
      'deploy: {mode: replicated-job, x-skep-schedule: {cron: "0 0 30 2 *"}}',
      "services.web.deploy.x-skep-schedule.cron: '0 0 30 2 *' never fires (line 4, column 54)",
    ],
    [
      'deploy: {x-skep-schedule: {cron: "@daily"}}',
      'services.web.deploy.x-skep-schedule: only a job runs on a schedule, and the mode is replicated (line 4, column 14)',
    ],
    [
      'deploy: {mode: replicated-job, update_config: {parallelism: 3}}',
      'services.web.deploy.update_config: a job is not updated slot by slot: a change begins another run (line 4, column 36)',
    ],
    [
      'deploy: {x-skep-autoscale: {min: 1, max: 4, metric: disk, target: 1}}',
      "services.web.deploy.x-skep-autoscale.metric: must be cpu, memory, not 'disk' (line 4, column 49)",
    ],
    [
      'deploy: {x-skep-autoscale: {min: 1, max: 4, metric: cpu}}',
      'services.web.deploy.x-skep-autoscale: must have a target (line 4, column 14)',
    ],
    [
      'deploy: {mode: global, x-skep-autoscale: {min: 1, max: 4, metric: cpu, target: 1}}',
      'services.web.deploy.x-skep-autoscale: is for replicated services, and the mode is global (line 4, column 28)',
    ],
    [
      'deploy: {x-skep-autoscale: {min: 1, max: 4, metric: cpu, target: 1, stale: 10s}}',
      'services.web.deploy.x-skep-autoscale.stale: must be more than everyMs, 15000 (line 4, column 73)',
    ],
    [
      'deploy: {replicas: 9, x-skep-autoscale: {min: 1, max: 4, metric: cpu, target: 1}}',
      'services.web.deploy.replicas: must be from 1 to 4, as autoscale has it (line 4, column 14)',
    ],
    [
      'deploy: {update_config: {max_failure_ratio: 1.5}}',
      "services.web.deploy.update_config.max_failure_ratio: must be a number from 0 to 1, not '1.5' (line 4, column 30)",
    ],
    [
      'deploy: {rollback_config: {failure_action: rollback}}',
      "services.web.deploy.rollback_config.failure_action: must be pause, continue, not 'rollback' (line 4, column 32)",
    ],
    [
      'deploy: {update_config: {ordr: start-first}}',
      "services.web.deploy.update_config.ordr: unknown key (did you mean 'order'?) (line 4, column 30)",
    ],
    [
      'depends_on: [bd]',
      "services.web.depends_on[0]: 'bd' is not declared under services (line 4, column 18)",
    ],
    [
      'depends_on: {web: {condition: service_well}}',
      "services.web.depends_on.web.condition: must be service_started, service_healthy, service_completed_successfully, not 'service_well' (line 4, column 24)",
    ],
    [
      'deploy: {mode: global, replicas: 2}',
      'services.web.deploy.replicas: has no meaning for a global service, which has one task on every node (line 4, column 28)',
    ],
    [
      'ulimits: {nofile: {soft: 2, hard: 1}}',
      'services.web.ulimits.nofile.soft: must not be above the hard limit (line 4, column 24)',
    ],
    [
      'ulimits: {nofile: {soft: 2}}',
      'services.web.ulimits.nofile: must be a number, or have soft and hard (line 4, column 15)',
    ],
    [
      'cap_add: ["!"]',
      'services.web.cap_add[0]: must be the name of a capability such as NET_ADMIN, or ALL (line 4, column 15)',
    ],
    [
      'devices: ["/dev/a:"]',
      "services.web.devices[0]: must have the form source[:target[:permissions]], not '/dev/a:' (line 4, column 15)",
    ],
    ['devices: ["/dev/a:rr"]', 'services.web.devices[0]: must be some of r, w and m (line 4, column 15)'],
    [
      'logging: {options: {a: b}}',
      'services.web.logging: must name the driver of its options (line 4, column 5)',
    ],
    [
      'deploy: {resources: {limits: {memory: 1k}}}',
      'services.web.deploy.resources.limits.memory: must be at least 4 MiB (line 4, column 35)',
    ],
    [
      'stop_grace_period: 10',
      "services.web.stop_grace_period: must be a duration with its unit, such as 1m30s or 500ms, not '10' (line 4, column 5)",
    ],
    [
      'networks: [frnt]',
      "services.web.networks[0]: 'frnt' is not declared under networks (line 4, column 16)",
    ],
    ['secrets: [pw]', "services.web.secrets[0]: 'pw' is not declared under secrets (line 4, column 15)"],
    ['command: node "x', 'services.web.command: has a " that is never closed (line 4, column 5)'],
    [
      'hostname: "$5"',
      'services.web.hostname: has a $ that names no variable; write $$ for a dollar sign (line 4, column 5)',
    ],
    [
      'hostname: "${BOX:?name the box}"',
      'services.web.hostname: needs the variable BOX, which is not set: name the box (line 4, column 5)',
    ],
    [
      'x-skep-helth: {}',
      "services.web.x-skep-helth: unknown key (did you mean 'x-skep-health'?) (line 4, column 5)",
    ],
    [
      'extends: other',
      'services.web.extends: is refused: write the service out, or share keys with YAML anchors (line 4, column 5)',
    ],
    [
      'x-skep-health: {http: {path: /}}',
      'services.web.x-skep-health.http: must have a port: the one that the task listens on (line 4, column 21)',
    ],
  ])('%s', (lines, expected) => {
    expect(faults(() => parse(lines))).toEqual([expected]);
  });

  test('an impossible constraint is told with the rule it breaks', () => {
    const lines =
      'deploy: {placement: {constraints: [node.rack == a, node.role == manager, node.role == worker]}}';
    const told = faults(() => parse(lines));
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/constraints\[0\]: 'node\.rack' is no key of a node/);
    expect(told[1]).toMatch(/constraints\[2\]: .* contradicts .* \(line 4, column 78\)/);
  });

  test.each<[string, string]>([
    [
      'ports: ["80:80"]\ndeploy: {endpoint_mode: dnsrr}',
      'services.web.ports[0]: must be host when endpointMode is dnsrr (line 4, column 13)',
    ],
    [
      'deploy: {placement: {preferences: [{spread: zone}]}}',
      "services.web.deploy.placement.preferences[0].spread: 'zone' must be node.labels.NAME or engine.labels.NAME (line 4, column 41)",
    ],
    [
      'deploy: {placement: {preferences: [{spread: $PASSWORD}]}}',
      "services.web.deploy.placement.preferences[0].spread: '$PASSWORD' has a value that is not allowed here (line 4, column 41)",
    ],
  ])('%s, a rule of core', (lines, expected) => {
    expect(faults(() => parse(lines, '', { env: { PASSWORD: 'secret' } }))).toEqual([expected]);
  });

  test('all faults of a file are told at once', () => {
    expect(faults(() => parse('prots: []\ntty: maybe\ndeploy: {mode: x}'))).toHaveLength(3);
  });

  test.each<[string, string]>([
    ['', ': must be a map'],
    ['services:', ': must have services'],
    ['- a', ': must be a map'],
    ['servces: {}', "servces: unknown key (did you mean 'services'?)"],
    ['services: {web: }', 'services.web: must be a map'],
    ['services: {web: {}}', 'services.web: must have an image, or a command'],
    ['services: {"a b": {image: x}}', 'services.a b: name must be valid as a DNS name'],
    [
      'services:\n  web:\n    image: a\n    image: b',
      ": key 'image' stands twice in the same map (line 4, column 5)",
    ],
    ['a: *b', ': alias *b has no anchor before it'],
    ['a: &a [*a]', ': alias *a has no anchor before it, or stands within it'],
    ['a: !thing 1', ': Unresolved tag: !thing'],
    ['a: [', ': '],
    ['include: [x]', 'include: is refused'],
    ['a: 1\n---\nb: 2', ': must be one YAML document'],
  ])('%j', (text, expected) => {
    const [first] = faults(() => parseStack(text, OPTIONS));
    expect(first?.slice(0, expected.length)).toBe(expected);
  });

  test.each(['a b', '', 'x'.repeat(64), '-a'])('the stack name %j', (name) => {
    expect(faults(() => parseStack(aFile(''), { name }))[0]).toMatch(/^name: must be at most 63/);
  });
});

describe('given YAML anchors, merge keys and extensions', () => {
  test('they are resolved, own keys first, earlier sources before later ones', () => {
    const stack = parseStack(
      `x-one: &one {hostname: one, user: ada}
x-two: &two {hostname: two, working_dir: /two, x-more: 1}
services:
  web: &web
    <<: [*one, *two]
    image: web
    user: \${NAME}
  copy:
    <<: *web
    image: copy
`,
      { ...OPTIONS, env: { NAME: 'eve' } },
    );
    expect(stack.services.map(({ task }) => task)).toMatchObject([
      { image: 'web', hostname: 'one', user: 'eve', dir: '/two' },
      { image: 'copy', hostname: 'one', user: 'eve', dir: '/two' },
    ]);
    expect(stack.warnings).toEqual([]);
  });
});

describe('given a service without an image', () => {
  test('its command is the program', () => {
    const stack = parseStack('services: {web: {command: node server.js}}', OPTIONS);
    expect(web(stack).task).toMatchObject({ command: ['node', 'server.js'] });
    expect(web(stack).labels).toEqual({ 'com.docker.stack.namespace': 'shop' });
  });
});

describe('given a hostile text, when it is parsed, then it ends soon and in a typed error', () => {
  const lol = Array.from({ length: 12 }, (_, level) =>
    level === 0 ? 'x-0: &a0 {a: 1}' : `x-${level}: &a${level} [${`*a${level - 1},`.repeat(9)}]`,
  ).join('\n');
  const anchor = `x-env: &env {${Array.from({ length: 5_000 }, (_, index) => `k${index}: v`).join(', ')}}`;
  test.each<[string, string]>([
    ['a text that is too long', `a: ${'x'.repeat(600_000)}`],
    ['a tower of brackets', '['.repeat(200_000)],
    ['a tower of closed brackets', `a: ${'['.repeat(500)}${']'.repeat(500)}`],
    ['a tower of maps', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['a bomb of aliases as ports', `${lol}\nservices: {web: {image: x, ports: *a11}}`],
    [
      'a big environment a thousand times over',
      `${anchor}\nservices:\n${Array.from({ length: 1_000 }, (_, index) => `  s${index}: {image: x, environment: *env}`).join('\n')}`,
    ],
    [
      'a big map merged a thousand times',
      `${anchor}\nx-m:\n${Array.from({ length: 1_000 }, () => '  - {<<: *env}').join('\n')}`,
    ],
    ['many port ranges', aFile(`ports: [${'1-4000,'.repeat(10_000)}]`)],
    ['many faults', aFile(`ports: [${'x,'.repeat(10_000)}]`)],
    [
      'many constraints',
      aFile(`deploy: {placement: {constraints: [${'node.role==manager,'.repeat(10_000)}]}}`),
    ],
    ['deep variables', aFile(`hostname: "${'${A:-'.repeat(1_000)}${'}'.repeat(1_000)}"`)],
  ])('%s', (_, text) => {
    expect(faults(() => parseStack(text, OPTIONS)).length).toBeGreaterThan(0);
  });
});

describe('property: whatever the text is, parseStack gives a stack or an InvalidSpecError', () => {
  const isStackOrFault = (text: string) => {
    try {
      expect(parseStack(text, { ...OPTIONS, env: { A: 'a' }, readFile: () => new Uint8Array(1) }).name).toBe(
        'shop',
      );
    } catch (error) {
      if (!(error instanceof InvalidSpecError)) throw error;
    }
  };

  test('for any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), isStackOrFault), { numRuns: 500 });
  });

  test('for texts of YAML characters', () => {
    const letter = fc.constantFrom(...'ab:-[]{},&*#!|>\'"%@`?<\n  \t$'.split(''));
    fc.assert(fc.property(fc.string({ unit: letter, maxLength: 80 }), isStackOrFault), { numRuns: 2_000 });
  });

  test('for any value under the keys of the format', () => {
    const word = fc.constantFrom(
      ...[
        'image',
        'ports',
        'deploy',
        'networks',
        'volumes',
        'secrets',
        'configs',
        'healthcheck',
        'test',
        'resources',
      ],
      ...[
        'limits',
        'environment',
        'env_file',
        'command',
        'default',
        'external',
        'target',
        'source',
        'x-skep-health',
      ],
      ...[
        '__proto__',
        'constructor',
        'web',
        '80:80',
        '${A:-b}',
        '$',
        'data:/x',
        'CMD',
        '1m',
        '<<',
        'file',
        'placement',
      ],
    );
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        word,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.double(),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.array(fc.tuple(word, tie('node')), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
      ),
    })).node;
    const section = fc.constantFrom('services', 'networks', 'volumes', 'secrets', 'configs');
    fc.assert(
      fc.property(section, word, value, (name, key, node) => {
        const file = { services: { web: { image: 'x' } }, [name]: { web: { image: 'x' }, [key]: node } };
        isStackOrFault(JSON.stringify(file));
        isStackOrFault(JSON.stringify({ services: { web: { image: 'x', [key]: node } } }));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('given a job, when the file is parsed, then the service has it', () => {
  test.each<[string, Partial<ServiceSpecInput>]>([
    ['deploy: {mode: replicated-job}', { mode: 'replicated-job', job: {} }],
    ['deploy: {mode: replicated-job, replicas: 5}', { job: { completions: 5 } }],
    [
      'deploy: {mode: replicated-job, replicas: 5, x-skep-concurrency: 2}',
      { job: { completions: 5, concurrency: 2 } },
    ],
    ['deploy: {mode: global-job}', { mode: 'global-job' }],
    [
      'deploy: {mode: global-job, x-skep-schedule: {cron: "0 3 * * *", time_zone: Europe/Berlin, overlap: replace, missed: run-once, deadline: 1h}}',
      {
        schedule: {
          cron: '0 3 * * *',
          timeZone: 'Europe/Berlin',
          overlap: 'replace',
          missed: 'run-once',
          deadlineMs: 3_600_000,
        },
      },
    ],
  ])('%s', (line, expected) => {
    expect(web(parse(line))).toMatchObject(expected);
  });
});

describe('given services that depend on each other', () => {
  const others = (...lines: string[]) => lines.map((line) => `  ${line}\n`).join('');

  test('when the file is parsed, then each has the others by their full names', () => {
    const depends =
      'depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}, no: {required: false}}';
    const stack = parse(
      depends,
      others('db: {image: db}', 'init: {image: init, deploy: {mode: replicated-job}, depends_on: [db]}'),
    );
    expect(stack.services.map(({ dependsOn }) => dependsOn)).toEqual([
      [
        { service: 'shop_db', condition: 'healthy' },
        { service: 'shop_init', condition: 'completed' },
      ],
      undefined,
      [{ service: 'shop_db', condition: 'started' }],
    ]);
  });

  test('when they make a cycle, then each of it is told, with the whole cycle', () => {
    const found = faults(() => parse('depends_on: [api]', others('api: {image: api, depends_on: [web]}')));
    expect(found).toEqual([
      'services.web.depends_on: makes a cycle: shop_web → shop_api → shop_web (line 4, column 5)',
      'services.api.depends_on: makes a cycle: shop_api → shop_web → shop_api (line 5, column 21)',
    ]);
  });

  test('when one waits for the end of what goes on, then that is told, and what to do', () => {
    const found = faults(() =>
      parse('depends_on: {db: {condition: service_completed_successfully}}', others('db: {image: db}')),
    );
    expect(found).toEqual([
      'services.web.depends_on: waits for shop_db to complete, which is no job: give it deploy.mode replicated-job (line 4, column 5)',
    ]);
  });
});
