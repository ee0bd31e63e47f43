import { readdir } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import type { HistoryEvent } from '@skep/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, Machines, until } from '../test-support/machines.ts';
import type { SkepNode } from './skep-node.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

const service = { name: 'web', task: { image: 'web' } };

async function storyOf(node: SkepNode): Promise<HistoryEvent['type'][]> {
  const types: HistoryEvent['type'][] = [];
  for await (const { type } of node.cluster.history({ service: 'web' })) types.push(type);
  return types;
}

async function replicasAt(node: SkepNode, index: number): Promise<number | undefined> {
  return (await node.cluster.at(index)).services.inspect('web').spec.replicas;
}

const isThere = async (name: string) => (await readdir(await machines.dirOf(name))).includes('history');

describe('given managers that keep what has happened', () => {
  it('when all of them start again, then each still knows the past', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    await one.cluster.services.create(service);
    const { index } = one.cluster.health;
    await two.cluster.services.scale('web', 3);
    await until(() => one.cluster.services.inspect('web').spec.replicas === 3);
    const told = await storyOf(one);
    await Promise.all([one.close(), two.close()]);
    const again = await Promise.all([machines.start('one'), machines.start('two')]);
    for (const node of again) {
      expect(await replicasAt(node, index)).toBe(1);
      expect(await storyOf(node)).toEqual(told);
    }
    await again[1]?.cluster.services.scale('web', 5);
    expect(await replicasAt(again[1] as SkepNode, index)).toBe(1);
  });

  it('when autolock is turned on and rotated, then what was written before and since is still read', async () => {
    const one = await machines.init('one');
    await one.cluster.services.create(service);
    const { index } = one.cluster.health;
    await one.lock();
    await one.manager.settled();
    await one.cluster.services.scale('web', 2);
    const unlockKey = await one.lock();
    await one.manager.settled();
    await one.cluster.services.scale('web', 3);
    const told = await storyOf(one);
    await one.close();
    const again = await machines.start('one', { unlockKey });
    expect(await replicasAt(again, index)).toBe(1);
    expect(await storyOf(again)).toEqual(told);
    expect((await again.cluster.at(again.cluster.health.index)).services.inspect('web').spec.replicas).toBe(
      3,
    );
  });

  it('when one goes on alone, then it knows the past, and goes on with it', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    await one.cluster.services.create(service);
    await until(() => two.cluster.services.list().length === 1);
    const { index } = two.cluster.health;
    await Promise.all([one.close(), two.close()]);
    const alone = await machines.start('two', { forceNewCluster: true });
    await alone.cluster.services.scale('web', 4);
    expect(await replicasAt(alone, index)).toBe(1);
    expect(await replicasAt(alone, alone.cluster.health.index)).toBe(4);
  });

  it('when a backup is restored, then the past begins with it, and has nothing of what came after it', async () => {
    const one = await machines.init('one');
    await one.cluster.services.create(service);
    const path = joinPath(await machines.dirOf('elsewhere'), 'backup');
    const key = await one.backUp(path);
    const { index } = one.cluster.health;
    await one.cluster.services.scale('web', 7);
    await one.close();
    const two = await machines.init('two', { restore: { path, key } });
    await two.cluster.services.scale('web', 2);
    expect(await replicasAt(two, index)).toBe(1);
    expect(await replicasAt(two, two.cluster.health.index)).toBe(2);
    await two.close();
    const again = await machines.start('two');
    expect(await replicasAt(again, index)).toBe(1);
  });

  it('when none is wanted, then none is kept; when a manager becomes a worker, then its own goes', async () => {
    const one = await machines.init('one', { history: false });
    const two = await machines.join('two', 'manager', one);
    expect([await isThere('one'), await isThere('two')]).toEqual([false, true]);
    expect(() => one.cluster.history()).toThrow('without a history');
    await two.demote('two');
    await eventually(async () => !(await isThere('two')));
    expect(two.role).toBe('worker');
  });
});
