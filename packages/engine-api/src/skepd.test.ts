/** Daemons that start in no swarm, and the walk-throughs of many a note, by the real docker CLI. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerProgram } from './test-support/docker-cli.ts';
import { SkepdFleet, type SkepdProcess } from './test-support/skepd-process.ts';

const isDue = dockerProgram() !== undefined || process.env['CI'] === 'true';
if (!isDue)
  console.warn('the docker CLI is not on PATH: its tests are left out (install docker-ce-cli or docker.io)');

const PATIENCE_MS = 90_000;

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Asks until the answer holds. Each time a program is run, which is pause enough. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 600; turn++) if (await holds()) return;
  throw new Error(`gave up waiting: ${what}`);
}

describe.runIf(isDue)('given three daemons that are in no swarm', { timeout: PATIENCE_MS }, () => {
  let fleet: SkepdFleet;
  let n1: SkepdProcess;
  let n2: SkepdProcess;
  let n3: SkepdProcess;
  let remote = '';

  beforeAll(async () => {
    fleet = await SkepdFleet.open();
    const port = await freePort();
    remote = `127.0.0.1:${port}`;
    [n1, n2, n3] = await Promise.all([
      fleet.start('n1', '127.0.0.1', port),
      fleet.start('n2', '127.0.0.2', port),
      fleet.start('n3', '127.0.0.3', port),
    ]);
  }, PATIENCE_MS);

  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
  }, PATIENCE_MS);

  it('when they are asked, then the swarm is inactive, and their sockets are for their owner alone', async () => {
    expect(await n1.cli.ok('info')).toContain('Swarm: inactive');
    expect(await n1.cli.fails('node', 'ls')).toBe(
      'Error response from daemon: This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
    expect(await n1.cli.fails('swarm', 'leave')).toContain('This node is not part of a swarm');
    expect(statSync(n1.socket).mode & 0o777).toBe(0o600);
    expect(Number(readFileSync(n1.pidfile, 'utf8'))).toBeGreaterThan(1);
  });

  it('when a swarm is made and joined as the CLI says, then all three are in it', async () => {
    expect(await n1.cli.fails('swarm', 'init', '--default-addr-pool', '10.20.0.0/16')).toContain(
      'DefaultAddrPool is not supported',
    );
    const made = await n1.cli.ok('swarm', 'init', '--advertise-addr', remote);
    expect(made).toMatch(/^Swarm initialized: current node \(\w{25}\) is now a manager\./);
    const [, command = ''] = /docker (swarm join --token \S+ \S+)/.exec(made) ?? [];
    expect(command).toContain(remote);
    expect(await n1.cli.fails('swarm', 'init')).toContain('This node is already part of a swarm.');
    for (const { cli } of [n2, n3]) {
      expect(await cli.ok(...command.split(' '))).toBe('This node joined a swarm as a worker.');
      expect(await cli.ok('info')).toContain('Swarm: active');
      expect(await cli.fails('node', 'ls')).toContain(
        "Worker nodes can't be used to view or modify cluster state.",
      );
    }
    const format = '{{.Hostname}}={{.Status}}={{.ManagerStatus}}';
    const lines = (await n1.cli.ok('node', 'ls', '--format', format)).split('\n');
    expect(lines.sort()).toEqual(['n1=Ready=Leader', 'n2=Ready=', 'n3=Ready=']);
  });

  it('when join tokens are asked for and rotated, then only the new one admits', async () => {
    const before = await n1.cli.ok('swarm', 'join-token', '-q', 'worker');
    expect(await n1.cli.ok('swarm', 'join-token', 'manager')).toContain('To add a manager to this swarm');
    await n1.cli.ok('swarm', 'join-token', '--rotate', 'worker');
    const after = await n1.cli.ok('swarm', 'join-token', '-q', 'worker');
    expect(after).not.toBe(before);
    await n3.cli.ok('swarm', 'leave');
    expect(await n3.cli.ok('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
    expect(await n3.cli.fails('swarm', 'join', '--token', before, remote)).toContain('invalid join token');
    expect(await n3.cli.fails('swarm', 'join', '--token', 'nonsense', remote)).toContain(
      'invalid join token',
    );
    expect(await n3.cli.ok('swarm', 'join', '--token', after, remote)).toBe(
      'This node joined a swarm as a worker.',
    );
  });

  it('when nodes are promoted and demoted, then the CLI shows it', async () => {
    expect(await n1.cli.ok('node', 'update', '--role', 'manager', 'n2')).toBe('n2');
    expect(await n1.cli.ok('node', 'promote', 'n3')).toBe('Node n3 promoted to a manager in the swarm.');
    const managers = async (node: SkepdProcess) => {
      const { stdout } = await node.cli.run(['node', 'ls', '--format', '{{.Hostname}}={{.ManagerStatus}}']);
      return stdout.trim().split('\n').sort().join(' ');
    };
    await until('three managers', async () =>
      (await managers(n2)).endsWith('n1=Leader n2=Reachable n3=Reachable'),
    );
    expect(await n2.cli.ok('service', 'ls', '-q')).toBe('');
    expect(await n1.cli.ok('node', 'demote', 'n3')).toBe('Manager n3 demoted in the swarm.');
    await until(
      'n3 is a worker',
      async () => (await n3.cli.ok('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'false',
    );
  });

  it('when the exercise of the notes is run on another manager, then its services run across the nodes', async () => {
    const { cli } = n2;
    await cli.ok('network', 'create', '--driver', 'overlay', 'mydrupal');
    const monitor = ['--update-monitor', '1s'];
    await cli.ok(
      'service',
      'create',
      ...monitor,
      '--name',
      'psql',
      '--network',
      'mydrupal',
      '-e',
      'POSTGRES_PASSWORD=mypass',
      'postgres:14',
    );
    await cli.ok(
      'service',
      'create',
      ...monitor,
      '--name',
      'drupal',
      '--network',
      'mydrupal',
      '-p',
      '8081:80',
      'drupal:9',
    );
    await cli.ok(
      'service',
      'create',
      ...monitor,
      '--name',
      'pings',
      '--replicas',
      '3',
      'alpine',
      'ping',
      '8.8.8.8',
    );
    expect(await cli.ok('service', 'ls')).toMatch(/drupal +replicated +1\/1 +drupal:9 +\*:8081->80\/tcp/);
    const nodes = (await cli.ok('service', 'ps', 'pings', '--format', '{{.Node}} {{.DesiredState}}'))
      .split('\n')
      .sort();
    expect(nodes).toEqual(['n1 Running', 'n2 Running', 'n3 Running']);
    expect(await cli.ok('node', 'ps', 'n3', '--format', '{{.Name}}')).toMatch(/pings\.\d/);
    expect(await cli.ok('service', 'logs', 'pings')).toContain('started ping 8.8.8.8');
    expect(await cli.ok('node', 'update', '--availability', 'drain', 'n3')).toBe('n3');
    await until('n3 is drained', async () => {
      const rows = await cli.ok('node', 'ps', 'n3', '--filter', 'desired-state=running', '-q');
      return rows === '';
    });
    await cli.ok('service', 'rm', 'pings', 'drupal', 'psql');
    await cli.ok('network', 'rm', 'mydrupal');
  });

  it('when the root is rotated, then the CLI sees all nodes go over', async () => {
    const before = await n1.cli.ok('swarm', 'ca');
    expect(before).toContain('BEGIN CERTIFICATE');
    await n1.cli.ok('swarm', 'ca', '--rotate', '--quiet');
    expect(await n1.cli.ok('swarm', 'ca')).not.toBe(before);
  });

  it('when autolock is on and a manager starts again, then it is locked until it is given the key', async () => {
    const locked = await n1.cli.ok('swarm', 'update', '--autolock=true', '--task-history-limit', '3');
    const [key = ''] = /SWMKEY-1-\S+/.exec(locked) ?? [];
    expect(await n1.cli.ok('swarm', 'unlock-key', '-q')).toBe(key);
    expect(
      await n1.cli.ok('info', '--format', '{{.Swarm.Cluster.Spec.Orchestration.TaskHistoryRetentionLimit}}'),
    ).toBe('3');
    const autolock = '{{.Swarm.Cluster.Spec.EncryptionConfig.AutoLockManagers}}';
    await until(
      'n2 has heard of the lock',
      async () => (await n2.cli.ok('info', '--format', autolock)) === 'true',
    );
    expect(await n2.end('SIGTERM')).toBe(0);
    expect(existsSync(n2.pidfile)).toBe(false);
    await n2.start();
    expect(await n2.cli.ok('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('locked');
    expect(await n2.cli.fails('node', 'ls')).toContain('Swarm is encrypted and needs to be unlocked');
    const wrong = await n2.cli.run(['swarm', 'unlock'], `${key.slice(0, -1)}x\n`);
    expect(wrong.exitCode).toBe(1);
    expect((await n2.cli.run(['swarm', 'unlock'], `${key}\n`)).exitCode).toBe(0);
    await until('n2 takes part again', async () => (await n2.cli.run(['node', 'ls', '-q'])).exitCode === 0);
    await n1.cli.ok('swarm', 'update', '--autolock=false');
    expect((await n1.cli.run(['swarm', 'unlock'], 'SWMKEY-1-x\n')).stderr).toContain('swarm is not locked');
    for (const { log } of [n1, n2, n3]) expect(log).not.toContain('SWMKEY');
  });

  it('when a daemon starts again, then it goes on; when nodes leave, then they are in no swarm', async () => {
    expect(await n3.end()).toBe(0);
    await n3.start();
    expect(await n3.cli.ok('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('active');
    await n3.cli.ok('swarm', 'leave');
    await n1.cli.ok('node', 'demote', 'n2');
    await until(
      'n2 is a worker',
      async () => (await n2.cli.ok('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'false',
    );
    await n2.cli.ok('swarm', 'leave');
    expect(await n1.cli.fails('swarm', 'leave')).toContain(
      'Removing the last manager erases all current state of the swarm.',
    );
    expect(await n1.cli.ok('swarm', 'leave', '--force')).toBe('Node left the swarm.');
    expect(await n1.cli.ok('info')).toContain('Swarm: inactive');
    expect(await n1.cli.ok('swarm', 'init')).toContain('Swarm initialized');
  });
});
