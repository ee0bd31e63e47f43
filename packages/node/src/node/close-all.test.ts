import { SimulatedDriver } from '@skep/core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { Machines, simulatedDriver, until } from '../test-support/machines.ts';
import { closeAll } from './close-all.ts';

const machines = new Machines();
afterEach(() => machines[Symbol.asyncDispose]());

const web = {
  name: 'web',
  replicas: 4,
  task: { image: 'web', restart: { delayMs: 0 } },
  ports: [{ target: 80 }],
};

describe('given a cluster of three managers and a worker in one program', () => {
  it('when all are closed with their tasks, then these end at once, and the cluster knows it when it is back', async () => {
    const hosts = [simulatedDriver(), simulatedDriver(), simulatedDriver(), simulatedDriver()] as const;
    const one = await machines.init('one', { driver: hosts[0] });
    const others = [
      await machines.join('two', 'manager', one, { driver: hosts[1] }),
      await machines.join('three', 'manager', one, { driver: hosts[2] }),
      await machines.join('worker', 'worker', one, { driver: hosts[3] }),
    ];
    await until(() => one.cluster.nodes.list({ state: 'ready' }).length === 4);
    await one.cluster.services.create(web);
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const ran = new Set(one.cluster.tasks.list({ state: 'running' }).map(({ id }) => id));
    await closeAll([one, ...others], { tasks: 'stop' });
    await closeAll([one, ...others]);
    expect(hosts.flatMap(({ host }) => host.running())).toEqual([]);

    const managers = await Promise.all(
      ['one', 'two', 'three'].map((name, at) => {
        const host = hosts[at]?.host;
        return machines.start(name, host && { driver: new SimulatedDriver({ host }) });
      }),
    );
    const [back] = managers;
    const stopped = back?.cluster.tasks.list().filter(({ id }) => ran.has(id)) ?? [];
    expect(stopped.map(({ status }) => status.state)).toEqual(Array(4).fill('shutdown'));
    await closeAll(managers, { tasks: 'stop' });
  });
});
