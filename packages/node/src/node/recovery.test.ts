import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { systemRandom } from '@skep/core/member';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatUnlockKey, newUnlockKey } from '../security/unlock-key.ts';
import { eventually, Machines, until } from '../test-support/machines.ts';
import { codeOf } from '../test-support/test-cluster.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

const service = { name: 'web', task: { image: 'web' } };
const anotherKey = () => formatUnlockKey(newUnlockKey(systemRandom));

async function hasSealed(name: string): Promise<boolean> {
  const dir = await machines.dirOf(name);
  const identity = await readFile(joinPath(dir, 'identity.pem'), 'utf8');
  const keys = await readFile(joinPath(dir, 'raft-key.json'), 'utf8');
  return !identity.includes('PRIVATE KEY') && keys.includes('sealed');
}

describe('given a cluster that lost most of its managers', () => {
  it('when the one that is left is forced, then it goes on alone, and others can join', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    const three = await machines.join('three', 'manager', one);
    await one.cluster.services.create(service);
    await Promise.all([one, two, three].map((node) => node.close()));
    const again = await machines.start('two', { forceNewCluster: true });
    expect(again.manager.context.raft.status.configuration.voters).toHaveLength(1);
    expect(again.cluster.services.inspect('web').spec.name).toBe('web');
    expect(again.cluster.nodes.list({ role: 'manager' })).toHaveLength(1);
    const four = await machines.join('four', 'manager', again);
    await four.cluster.services.scale('web', 2);
  });

  it('when one of the lost ones comes back all the same, then it is a worker', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    const { advertise } = two;
    await Promise.all([one.close(), two.close()]);
    const again = await machines.start('two', { forceNewCluster: true });
    expect(again.advertise).toBe(advertise);
    const back = await machines.start('one');
    expect(back.role).toBe('worker');
  });
});

describe('given a backup of a cluster at work', () => {
  it('when another machine begins with it, then it has all of it, and workers know it by its root', async () => {
    const one = await machines.init('one');
    await one.cluster.services.create(service);
    await one.cluster.secrets.create({ name: 'password' }, new TextEncoder().encode('correct horse battery'));
    const path = joinPath(await machines.dirOf('elsewhere'), 'backup');
    const key = await one.backUp(path);
    await one.cluster.services.create({ ...service, name: 'later' });
    const tokens = one.joinTokens();
    const { clusterId } = one;
    await one.close();
    expect((await readFile(path)).includes('correct horse')).toBe(false);
    const two = await machines.init('two', { restore: { path, key } });
    expect(two.clusterId).toBe(clusterId);
    expect(two.cluster.services.list().map(({ spec }) => spec.name)).toEqual(['web']);
    expect(two.cluster.secrets.inspect('password').sizeBytes).toBe(21);
    expect(two.joinTokens()).toEqual(tokens);
    expect(two.cluster.nodes.list({ role: 'manager' }).map(({ id }) => id)).toEqual([two.nodeId]);
    const three = await machines.join('three', 'manager', two);
    await three.cluster.services.scale('web', 3);
    await two.close();
    const again = await machines.start('two');
    await until(() => again.cluster.services.inspect('web').spec.replicas === 3);
  });

  it('when the key is another, or the file is cut short, changed or none, then nothing comes of it', async () => {
    const one = await machines.init('one');
    const path = joinPath(await machines.dirOf('elsewhere'), 'backup');
    const key = await one.backUp(path);
    const restore = (parts: object) => codeOf(machines.init('two', { restore: { path, key, ...parts } }));
    expect(await restore({ key: anotherKey() })).toBe('UNLOCK_KEY_REFUSED');
    expect(await restore({ key: 'nonsense' })).toBe('UNLOCK_KEY_REFUSED');
    expect(await restore({ path: joinPath(tmpdir(), 'skep-there-is-none') })).toBe('STATE_UNREADABLE');
    const { length } = await readFile(path);
    await truncate(path, length - 1);
    expect(await restore({})).toBe('STATE_UNREADABLE');
    await writeFile(path, 'something else, and long enough');
    expect(await restore({})).toBe('STATE_UNREADABLE');
    expect(await readdir(await machines.dirOf('two'))).toEqual([]);
  });
});

describe('given a cluster with autolock', () => {
  it('when it is turned on, then keys are sealed, and a manager that starts again needs the unlock key', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    await one.cluster.services.create(service);
    const before = await readFile(joinPath(await machines.dirOf('one'), 'raft-key.json'), 'utf8');
    expect(before).toContain('keys');
    const key = await two.lock();
    expect(one.unlockKey ?? two.unlockKey).toBe(key);
    for (const name of ['one', 'two']) await eventually(() => hasSealed(name));
    await one.close();
    expect(await codeOf(machines.start('one'))).toBe('LOCKED');
    expect(await codeOf(machines.start('one', { unlockKey: anotherKey() }))).toBe('UNLOCK_KEY_REFUSED');
    const again = await machines.start('one', { unlockKey: key });
    await again.cluster.services.scale('web', 2);
    expect(await hasSealed('one')).toBe(true);
  });

  it('when the unlock key is rotated, then the old one opens nothing; when autolock is off, none is needed', async () => {
    const one = await machines.init('one');
    const first = await one.lock();
    await eventually(() => hasSealed('one'));
    const second = await one.lock();
    expect(second).not.toBe(first);
    await one.manager.settled();
    await one.close();
    expect(await codeOf(machines.start('one', { unlockKey: first }))).toBe('UNLOCK_KEY_REFUSED');
    const again = await machines.start('one', { unlockKey: second });
    await again.unlock();
    await eventually(async () => !(await hasSealed('one')));
    await again.manager.settled();
    await again.close();
    const free = await machines.start('one');
    expect(free.unlockKey).toBeUndefined();
  });
});
