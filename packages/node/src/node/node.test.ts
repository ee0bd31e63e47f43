import { readdir, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join as joinPath } from 'node:path';
import { silentLogger } from '@skep/core/member';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatJoinToken, parseJoinToken } from '../security/join-token.ts';
import { Machines, simulatedDriver, until } from '../test-support/machines.ts';
import { codeOf } from '../test-support/test-cluster.ts';
import type { SkepNode } from './skep-node.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

const service = { name: 'web', task: { image: 'web' } };

describe('given a machine', () => {
  it('when it makes a cluster, then it is its manager, takes commands, and keeps all for its owner alone', async () => {
    const one = await machines.init('one');
    expect(one.role).toBe('manager');
    expect(one.cluster.info.id).toBe(one.clusterId);
    expect(one.cluster.nodes.list()).toMatchObject([{ id: one.nodeId, spec: { role: 'manager' } }]);
    await one.cluster.services.create(service);
    await one.close();
    const dir = await machines.dirOf('one');
    for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
      const { mode } = await stat(joinPath(entry.parentPath, entry.name));
      if (entry.isFile()) expect([entry.name, mode & 0o77]).toEqual([entry.name, 0]);
    }
  });

  it('when it makes a second one in the same directory, then it is told of the first', async () => {
    const one = await machines.init('one');
    expect(await codeOf(machines.init('one'))).toBe('STATE_LOCKED');
    await one.close();
    expect(await codeOf(machines.init('one'))).toBe('ALREADY_A_NODE');
  });

  it('when it is started again, then the cluster is as it was', async () => {
    const one = await machines.init('one');
    await one.cluster.services.create(service);
    const { nodeId, clusterId } = one;
    const tokens = one.joinTokens();
    await one.close();
    const again = await machines.start('one');
    expect([again.nodeId, again.clusterId, again.joinTokens()]).toEqual([nodeId, clusterId, tokens]);
    expect(again.cluster.services.inspect('web').spec.name).toBe('web');
    await again.cluster.services.scale('web', 3);
  });

  it('when there is nothing to start, then that is told', async () => {
    expect(await codeOf(machines.start('one'))).toBe('NOT_A_NODE');
    const { child: _, ...logger } = silentLogger;
    expect(await codeOf(machines.init('one', { logger: logger as typeof silentLogger }))).toBe(
      'INVALID_OPTION',
    );
  });
});

describe('given somewhere for the numbers of Raft', () => {
  it('when two managers take part, then those of the log and of the connections come', async () => {
    const names = new Set<string>();
    const note = (name: string) => void names.add(name);
    const metrics = { count: note, gauge: note, observe: note };
    const one = await machines.init('one', { metrics });
    await machines.join('two', 'manager', one);
    const wanted = ['raft_term', 'raft_wal_fsync_duration_ms', 'raft_connections_total'];
    await until(() => wanted.every((name) => names.has(name)));
    const { gauge: _, ...lacking } = metrics;
    const broken = machines.init('three', { metrics: lacking as typeof metrics });
    await expect(broken).rejects.toThrow('metrics must have a method gauge');
  });
});

describe('given a cluster and machines that join', () => {
  it('when a worker and two managers join, then each is what its token says', async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one);
    const two = await machines.join('two', 'manager', one);
    const three = await machines.join('three', 'manager', two);
    expect([worker.role, two.role, three.role]).toEqual(['worker', 'manager', 'manager']);
    expect(await codeOf(Promise.resolve().then(() => worker.cluster))).toBe('WRONG_ROLE');
    await until(() => three.cluster.nodes.count === 4);
    expect(one.manager.context.raft.status.configuration.voters).toHaveLength(3);
    const roles = three.cluster.nodes
      .list()
      .map(({ description, spec }) => [description.hostname, spec.role]);
    expect(roles.sort()).toEqual([
      ['one', 'manager'],
      ['three', 'manager'],
      ['two', 'manager'],
      ['worker', 'worker'],
    ]);
  });

  it('when a manager that follows is given commands, then the leader carries them out, and the follower knows', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    const actors: unknown[] = [];
    const watching = one.cluster.watch({ kind: 'service' }).subscribe((event) => {
      if ('actor' in event) actors.push(event.actor);
    });
    await two.cluster.services.create(service, { user: 'ann' });
    await until(() => actors.length > 0);
    watching.unsubscribe();
    expect(actors[0]).toEqual({ kind: 'user', name: 'ann' });
    expect(two.cluster.services.inspect('web').spec.replicas).toBe(1);
    await two.cluster.services.update('web', (spec) => ({ ...spec, replicas: 4 }) as typeof spec);
    expect(two.cluster.services.inspect('web').spec.replicas).toBe(4);
    expect(one.cluster.services.inspect('web').spec.replicas).toBe(4);
    expect(await codeOf(two.cluster.services.remove('none'))).toBe('NOT_FOUND');
    expect(await codeOf(two.cluster.services.create({ ...service, name: '-' }))).toBe('INVALID_SPEC');
    await two.cluster.secrets.create({ name: 'password' }, new TextEncoder().encode('hunter2'));
    expect(two.cluster.secrets.inspect('password').sizeBytes).toBe(7);
  });

  it('when a token is wrong, rotated, cut short or of another cluster, then the machine is told, and is as before', async () => {
    const one = await machines.init('one');
    const other = await machines.init('other');
    const token = one.joinTokens().worker;
    const ask = (wrong: string) => codeOf(machines.join('new', 'worker', one, { token: wrong }));
    expect(await ask(token.slice(0, -3))).toBe('TOKEN_MALFORMED');
    expect(await ask(other.joinTokens().worker)).toBe('ROOT_MISMATCH');
    const { rootDigest } = parseJoinToken(token);
    expect(await ask(formatJoinToken({ rootDigest, secret: '0'.repeat(25) }))).toBe('TOKEN_REFUSED');
    const next = await one.rotateJoinToken('worker');
    expect(next).toBe(one.joinTokens().worker);
    expect(await ask(token)).toBe('TOKEN_REFUSED');
    expect(one.cluster.nodes.count).toBe(1);
    expect(await readdir(await machines.dirOf('new'))).toEqual([]);
    expect((await machines.join('new', 'worker', one)).role).toBe('worker');
  });

  it('when the address is its own, nobody answers there, or is no node, then the machine is told', async () => {
    const one = await machines.init('one');
    const ask = (options: object) => codeOf(machines.join('new', 'worker', one, options));
    expect(await ask({ remote: '127.0.0.1:1' })).toBe('UNREACHABLE');
    expect(await ask({ remote: '127.0.0.1:7777', listen: '127.0.0.1:7777' })).toBe('JOIN_TO_ITSELF');
    expect(await ask({ remote: 'not an address' })).toBe('INVALID_OPTION');
  });

  it("when a new manager can't be reached where it says, then it is told, and no manager is added", async () => {
    const one = await machines.init('one');
    expect(await codeOf(machines.join('two', 'manager', one, { advertise: '127.0.0.1:1' }))).toBe(
      'ADVERTISED_UNREACHABLE',
    );
    expect(one.manager.context.raft.status.configuration.voters).toHaveLength(1);
    await until(() => one.cluster.nodes.count === 1);
    expect(await readdir(await machines.dirOf('two'))).toEqual([]);
  });
});

describe('given nodes without drivers', () => {
  it('when the list of nodes is read, then they are ready, at drain, and get no tasks', async () => {
    const one = await machines.init('one');
    await machines.join('two', 'manager', one);
    await machines.join('worker', 'worker', one);
    const { nodes, services, tasks } = one.cluster;
    await until(() => nodes.list({ state: 'ready' }).length === 3);
    for (const { spec, description } of nodes.list()) {
      expect([spec.availability, description.engine.driver]).toEqual(['drain', 'none']);
    }
    await services.create(service);
    await until(() => tasks.list()[0]?.explanation !== undefined);
    expect(tasks.list()[0]?.explanation?.message).toContain('no suitable node');
    await nodes.update('worker', { availability: 'active' });
    await until(() => tasks.list({ state: 'rejected' }).length > 0);
    expect(tasks.list({ state: 'rejected' })[0]?.status.error).toContain('node with a driver');
  });
});

describe('given managers that come and go', () => {
  it('when a worker is promoted and demoted again, then it follows each time', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'worker', one);
    await one.promote('two');
    await until(() => two.role === 'manager');
    await until(() => one.manager.context.raft.status.configuration.voters.length === 2);
    await two.cluster.services.create(service);
    await one.demote('two');
    await until(() => two.role === 'worker');
    expect(one.manager.context.raft.status.configuration.voters).toHaveLength(1);
    await one.promote('two');
    await until(() => two.role === 'manager');
    expect(two.cluster.services.inspect('web').spec.name).toBe('web');
  });

  it('when the leader is demoted, then another one leads, and it is a worker', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    const three = await machines.join('three', 'manager', one);
    await two.demote('one');
    await until(() => one.role === 'worker');
    await until(() => two.cluster.leading || three.cluster.leading);
    await two.cluster.services.create(service);
    await until(() => two.manager.context.raft.status.configuration.voters.length === 2);
  });

  it('when the leader of two leaves, is removed or is demoted, then the other one goes on alone', async () => {
    const one = await machines.init('one');
    const goes = [
      (node: SkepNode) => node.leave(),
      (_: SkepNode, by: SkepNode) => by.remove('two', { force: true }),
      (_: SkepNode, by: SkepNode) => by.demote('two'),
    ];
    for (const [turn, go] of goes.entries()) {
      const two = await machines.join('two', 'manager', one);
      await one.manager.context.raft.transferLeadership();
      await until(() => two.cluster.leading);
      await go(two, one);
      await one.cluster.services.create({ ...service, name: `web-${turn}` });
      await until(() => one.manager.context.raft.status.configuration.voters.length === 1);
      expect(one.cluster.nodes.list({ role: 'manager' }).map(({ id }) => id)).toEqual([one.nodeId]);
      if (two.condition !== 'closed') await two.leave();
    }
    expect(one.cluster.nodes.count).toBe(1);
    expect(await readdir(await machines.dirOf('two'))).toEqual([]);
  });

  it("when a worker can't become the manager that it is to be, then it still hears, and does as soon as it can", async () => {
    const one = await machines.init('one');
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const warned: string[] = [];
    const two = await machines.join('two', 'worker', one, {
      listen: `127.0.0.1:${port}`,
      logger: { ...silentLogger, warn: (_, message) => void warned.push(message) },
    });
    const failed = () => until(() => warned.splice(0).includes('could not take on the role; trying again'));
    await one.promote('two');
    await failed();
    await one.demote('two');
    await until(() => one.cluster.nodes.inspect('two').spec.role === 'worker');
    await two.renewCertificate();
    await one.promote('two');
    await failed();
    await new Promise((resolve) => taken.close(resolve));
    await until(() => two.role === 'manager');
    await two.cluster.services.create(service);
  });

  it('when the last manager would go, then it stays', async () => {
    const one = await machines.init('one');
    await machines.join('worker', 'worker', one);
    expect(await codeOf(one.demote('one'))).toBe('LAST_MANAGER');
    expect(await codeOf(one.leave())).toBe('LAST_MANAGER');
    expect(one.role).toBe('manager');
    await one.cluster.services.create(service);
  });

  it('when too few of those left can be reached, then a manager has to stay', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    const three = await machines.join('three', 'manager', one);
    await three.close();
    expect(await codeOf(one.demote(two.nodeId))).toBe('QUORUM_LOSS');
    await one.demote(three.nodeId);
    expect(two.role).toBe('manager');
  });

  it('when nodes leave, then the cluster has them no more, and their directories are empty', async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one);
    const two = await machines.join('two', 'manager', one);
    await worker.leave();
    await two.leave();
    expect(one.cluster.nodes.list().map(({ id }) => id)).toEqual([one.nodeId]);
    expect(await readdir(await machines.dirOf('worker'))).toEqual([]);
    expect(await readdir(await machines.dirOf('two'))).toEqual([]);
    await one.cluster.services.create(service);
  });

  it('when a node is removed, then it hears of it, and gets nothing any more', async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one, { driver: simulatedDriver() });
    expect(await codeOf(one.remove('worker'))).toBe('PRECONDITION_FAILED');
    await one.remove('worker', { force: true });
    await until(() => worker.condition === 'removed');
    expect(await codeOf(worker.renewCertificate())).toBe('NODE_REMOVED');
  });

  it('when a manager comes back at another address, then the others follow', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    const three = await machines.join('three', 'manager', one);
    const before = two.advertise;
    await two.close();
    const moved = await machines.start('two', { listen: '127.0.0.1:0' });
    expect(moved.advertise).not.toBe(before);
    expect(moved.advertise).toBe(moved.manager.listen);
    const addresses = () => Object.values(three.manager.context.raft.status.configuration.addresses);
    await until(() => addresses().includes(moved.advertise) && !addresses().includes(before));
    await one.close();
    await moved.cluster.services.create(service);
    await until(() => three.cluster.services.list().length === 1);
  });
});
