import { SimulatedDriver } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SkepNode } from '../node/skep-node.ts';
import { Machines, simulatedDriver, until } from '../test-support/machines.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

interface Worker {
  readonly node: SkepNode;
  readonly driver: SimulatedDriver;
}

/** Managers without drivers, and workers that have one each. */
async function aCluster(managerCount: number, workerCount: number) {
  const first = await machines.init('one', { hostname: 'manager-1' });
  const managers = [first];
  for (let n = 2; n <= managerCount; n++)
    managers.push(await machines.join(`manager-${n}`, 'manager', first));
  const workers: Worker[] = [];
  for (let n = 1; n <= workerCount; n++) {
    const driver = simulatedDriver();
    workers.push({ node: await machines.join(`worker-${n}`, 'worker', first, { driver }), driver });
  }
  return { first, managers, workers };
}

const web = (replicas: number) => ({ name: 'web', task: { image: 'web' }, replicas });

/** The ids of what runs on workers. */
const running = (workers: readonly Worker[]) =>
  workers.flatMap(({ driver }) => driver.host.running().map(({ id }) => id)).sort();

describe('given three managers and two workers on loopback', () => {
  it('when a manager that follows creates a service, then the workers run it, and every manager knows', async () => {
    const { managers, workers } = await aCluster(3, 2);
    const follower = managers[2] ?? expect.unreachable();
    await follower.cluster.services.create(web(6));
    const status = await follower.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    expect(status.running).toBe(6);
    expect(running(workers)).toHaveLength(6);
    for (const { driver } of workers) expect(driver.host.running()).toHaveLength(3);
  });

  it('when the leader is stopped, then sessions move to another one and no task is touched', async () => {
    const { first, managers, workers } = await aCluster(3, 2);
    await first.cluster.services.create(web(4));
    await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const before = running(workers);
    const leader = managers.find(({ cluster }) => cluster.leading) ?? expect.unreachable();
    await leader.close();
    const [one] = managers.filter((each) => each !== leader);
    const { cluster } = one ?? expect.unreachable();
    await cluster.services.scale('web', 5);
    const status = await cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    expect(status.running).toBe(5);
    expect(running(workers)).toEqual(expect.arrayContaining(before));
    for (const { driver } of workers) {
      for (const { starts } of driver.runtimes()) expect(starts).toBe(1);
    }
  });
});

describe('given a manager with a driver', () => {
  it('when a service is created, then it runs there, and is stopped when the node closes so', async () => {
    const driver = simulatedDriver();
    const one = await machines.init('one', { driver });
    await one.cluster.services.create(web(2));
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    expect(driver.host.running()).toHaveLength(2);
    await one.close({ tasks: 'stop' });
    expect(driver.host.running()).toHaveLength(0);
  });

  it('when the node closes and starts again, then its tasks have run on meanwhile', async () => {
    const driver = simulatedDriver();
    const one = await machines.init('one', { driver });
    await one.cluster.services.create(web(2));
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    await one.close();
    expect(driver.host.running()).toHaveLength(2);
    const again = await machines.start('one', { driver: new SimulatedDriver({ host: driver.host }) });
    await until(() => again.agent?.state === 'connected');
    await again.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    for (const { starts } of driver.runtimes()) expect(starts).toBe(1);
  });
});
