/** The real docker CLI against a node: what it prints is what it prints of an engine. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiNode } from './test-support/api-node.ts';
import { dockerProgram } from './test-support/docker-cli.ts';

const docker = dockerProgram();
const isDue = docker !== undefined || process.env['CI'] === 'true';
if (!isDue)
  console.warn('the docker CLI is not on PATH: its tests are left out (install docker-ce-cli or docker.io)');

/** The CLI watches tasks for five seconds after they run. */
const WATCHED_MS = 60_000;

describe.runIf(isDue)('given a swarm of one node and the docker CLI', { timeout: WATCHED_MS }, () => {
  let here: ApiNode;

  beforeAll(async () => {
    here = await ApiNode.open();
  });

  afterAll(async () => {
    await here?.[Symbol.asyncDispose]();
  });

  it('when nodes are listed and inspected, then it is the leader', async () => {
    const { cli, node } = here;
    expect(await cli.ok('node', 'ls')).toMatch(
      new RegExp(
        `^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION\n${node.nodeId} \\* +n1 +Ready +Active +Leader +\\S+$`,
      ),
    );
    expect(await cli.ok('node', 'inspect', '--pretty', 'self')).toMatch(/Leader:\s+Yes/);
    expect(await cli.ok('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')).toBe(
      'active true',
    );
  });

  it('when a service is created without a name, then the CLI sees it converge, and names it', async () => {
    const { cli } = here;
    const { exitCode, stdout, stderr } = await cli.run([
      'service',
      'create',
      '--update-monitor',
      '1s',
      'alpine',
      'ping',
      '8.8.8.8',
    ]);
    expect(stderr).toContain('image alpine:latest could not be accessed on a registry');
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^[0-9a-z]{25}\n/)]);
    expect(stdout).toMatch(/verify: Service \S+ converged/);
    const name = await cli.ok('service', 'ls', '--format', '{{.Name}}');
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    expect(await cli.ok('service', 'ls')).toMatch(/replicated +1\/1 +alpine:latest/);
    expect(await cli.ok('service', 'ps', name)).toMatch(
      new RegExp(`${name}\\.1 +alpine:latest +n1 +Running +Running`),
    );
    expect(await cli.ok('service', 'update', name, '--replicas', '3')).toMatch(/converged/);
    expect(await cli.ok('service', 'ls', '--format', '{{.Replicas}}')).toBe('3/3');
    expect(await cli.ok('node', 'ps', '--format', '{{.Name}}')).toContain(`${name}.3`);
    expect(await cli.ok('service', 'logs', name)).toMatch(
      new RegExp(`${name}\\.1\\.\\w+@n1 +\\| started ping 8\\.8\\.8\\.8`),
    );
    expect(await cli.ok('service', 'rollback', name)).toMatch(/converged/);
    expect(await cli.ok('service', 'ls', '--format', '{{.Replicas}}')).toBe('1/1');
    expect(await cli.ok('service', 'rm', name)).toBe(name);
    expect(await cli.fails('service', 'inspect', name)).toContain(`no such service: ${name}`);
  });

  it('when a service is made with all that a flag can say, then it reads the same', async () => {
    const { cli } = here;
    await cli.ok('network', 'create', '--driver', 'overlay', '--label', 'a=b', 'mydrupal');
    expect(await cli.ok('network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}')).toContain(
      'mydrupal overlay swarm',
    );
    await cli.run(['secret', 'create', 'password', '-'], 'hidden');
    await cli.run(['config', 'create', 'page', '-'], 'hello');
    expect(await cli.ok('secret', 'ls', '--format', '{{.Name}}')).toBe('password');
    expect(await cli.ok('config', 'inspect', '--format', '{{json .Spec.Data}}', 'page')).toBe('"aGVsbG8="');
    const flags = [
      ...['--name', 'all', '--replicas', '0', '--network', 'name=mydrupal,alias=db'],
      ...['--env', 'A=1', '--env', 'B=x=y', '--label', 'l=1', '--container-label', 'c=2'],
      ...['--secret', 'source=password,target=pw,mode=0400', '--config', 'page'],
      ...['--publish', 'published=8080,target=80', '--publish', 'mode=host,target=53,protocol=udp'],
      ...['--constraint', 'node.role==manager', '--placement-pref', 'spread=node.labels.rack'],
      ...['--limit-cpu', '0.5', '--limit-memory', '64M', '--reserve-memory', '8M', '--limit-pids', '100'],
      ...['--restart-condition', 'on-failure', '--restart-delay', '2s', '--restart-max-attempts', '3'],
      ...['--update-parallelism', '2', '--update-order', 'start-first', '--rollback-parallelism', '0'],
      ...[
        '--health-cmd',
        'true',
        '--health-interval',
        '3s',
        '--stop-grace-period',
        '20s',
        '--stop-signal',
        'SIGINT',
      ],
      ...[
        '--mount',
        'type=volume,source=data,target=/data',
        '--hostname',
        'h',
        '--user',
        'u',
        '--workdir',
        '/w',
      ],
      ...[
        '--replicas-max-per-node',
        '2',
        '--cap-add',
        'NET_ADMIN',
        '--ulimit',
        'nofile=10:20',
        '--init',
        '--tty',
      ],
    ];
    await cli.ok('service', 'create', '-d', ...flags, 'nginx:alpine', '-g', 'daemon off;');
    const first = JSON.parse(await cli.ok('service', 'inspect', '--format', '{{json .Spec}}', 'all'));
    expect(first).toMatchObject({
      Name: 'all',
      Labels: { l: '1' },
      Mode: { Replicated: { Replicas: 0 } },
      UpdateConfig: { Parallelism: 2, Order: 'start-first', Monitor: 5_000_000_000 },
      RollbackConfig: { Parallelism: 0 },
      EndpointSpec: {
        Ports: [
          { Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' },
          { Protocol: 'udp', TargetPort: 53, PublishMode: 'host' },
        ],
      },
      TaskTemplate: {
        RestartPolicy: { Condition: 'on-failure', Delay: 2_000_000_000, MaxAttempts: 3 },
        Resources: { Limits: { NanoCPUs: 500_000_000, MemoryBytes: 64 * 2 ** 20, Pids: 100 } },
        Placement: { Constraints: ['node.role==manager'], MaxReplicas: 2 },
        Networks: [{ Target: expect.stringMatching(/^[0-9a-z]{25}$/), Aliases: ['db'] }],
        ContainerSpec: {
          Image: 'nginx:alpine',
          Args: ['-g', 'daemon off;'],
          Env: ['A=1', 'B=x=y'],
          Labels: { c: '2' },
          Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 3_000_000_000 },
          Secrets: [{ SecretName: 'password', File: { Name: 'pw', UID: '0', GID: '0', Mode: 0o400 } }],
          Configs: [{ ConfigName: 'page', File: { Name: 'page', Mode: 0o444 } }],
          Mounts: [{ Type: 'volume', Source: 'data', Target: '/data' }],
          StopSignal: 'SIGINT',
          StopGracePeriod: 20_000_000_000,
          Init: true,
          TTY: true,
        },
      },
    });
    // What the CLI reads, it sends back whole: nothing but the label may differ.
    await cli.ok('service', 'update', '-d', '--label-add', 'm=2', 'all');
    const second = JSON.parse(await cli.ok('service', 'inspect', '--format', '{{json .Spec}}', 'all'));
    expect(second).toEqual({ ...first, Labels: { ...first.Labels, m: '2' } });
    expect(await cli.fails('secret', 'rm', 'password')).toContain(
      "secret 'password' is in use by the following service: all",
    );
    expect(await cli.fails('network', 'rm', 'mydrupal')).toContain('in use by service all');
    await cli.ok('service', 'rm', 'all');
    await cli.ok('secret', 'rm', 'password');
    await cli.ok('config', 'rm', 'page');
    await cli.ok('network', 'rm', 'mydrupal');
  });

  it('when commands are mistyped as in many a note, then the CLI refuses them', async () => {
    const { cli } = here;
    expect((await cli.run(['swarm', '--join', 'token', 'x'])).exitCode).toBe(125);
    const { exitCode } = await cli.run([
      'service',
      'create',
      '--name',
      'psql',
      '-r',
      'POSTGRES_PASSWORD=root',
      'postgres:14',
    ]);
    expect(exitCode).toBe(125);
    expect(await cli.ok('swarm', '--help')).toContain('Manage Swarm');
  });

  it('when a stack is deployed, changed and removed, then the CLI has it so', async () => {
    const { cli } = here;
    const dir = await mkdtemp(join(tmpdir(), 'skep-stack-'));
    try {
      const file = join(dir, 'stack.yaml');
      await writeFile(join(dir, 'page.txt'), 'hello');
      await writeFile(file, STACK);
      await cli.ok('stack', 'deploy', '--detach=true', '-c', file, 'st');
      expect(await cli.ok('stack', 'ls', '--format', '{{.Name}} {{.Services}}')).toBe('st 2');
      expect((await cli.ok('stack', 'services', '--format', '{{.Name}}', 'st')).split('\n').sort()).toEqual([
        'st_db',
        'st_web',
      ]);
      // A second time, as with an engine, nothing is there twice.
      await cli.ok('stack', 'deploy', '--detach=false', '-c', file, 'st');
      expect(
        (await cli.ok('stack', 'ps', '--format', '{{.Name}} {{.DesiredState}}', 'st')).split('\n').sort(),
      ).toEqual(['st_db.1 Running', 'st_web.1 Running', 'st_web.2 Running']);
      expect(await cli.ok('stack', 'config', '-c', file)).toContain('image: nginx:alpine');
      await cli.ok('stack', 'rm', 'st');
      expect(await cli.ok('stack', 'ls', '-q').catch(() => '')).toBe('');
      expect(await cli.ok('network', 'ls', '-q', '--filter', 'label=com.docker.stack.namespace=st')).toBe('');
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

const STACK = `
services:
  web:
    image: nginx:alpine
    configs: [{ source: page, target: page.html }]
    networks: [front]
    deploy: { replicas: 2, update_config: { monitor: 1s } }
  db:
    image: postgres:14
    environment: { POSTGRES_PASSWORD: mypass }
    networks: [front]
    deploy: { update_config: { monitor: 1s } }
networks:
  front: {}
configs:
  page: { file: ./page.txt }
`;
