import { TimeoutError } from '@skep/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedClusterOptions } from './options.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

let sim: SimulatedCluster;

afterEach(() => sim.close());

async function open(options: SimulatedClusterOptions = {}): Promise<SimulatedCluster> {
  sim = await SimulatedCluster.open({ managers: 3, workers: 4, seed: 7, ...options });
  return sim;
}

const isRunning = (service: string) => () => sim.cluster.services.status(service).converged;

function runningOn(worker: string): number {
  return sim.host(worker).running().length;
}

/** The tasks that run on all machines together. */
function runningTasks(): number {
  return sim.workers.reduce((sum, worker) => sum + runningOn(worker), 0);
}

describe('given three managers and four workers', () => {
  it('when a service is created, then its tasks run on the machines', async () => {
    await open();
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 6 }));
    await sim.until(isRunning('web'));
    expect(runningTasks()).toBe(6);
  });

  it('when the leader crashes, then another one leads, knows all, and goes on', async () => {
    await open();
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 4 }));
    const before = sim.leader ?? '';
    sim.crash(before);
    await sim.until(() => sim.leader !== undefined);
    expect(sim.leader).not.toBe(before);
    await sim.run(sim.cluster.services.scale('web', 8));
    await sim.until(isRunning('web'));
    expect(runningTasks()).toBe(8);
    await sim.restart(before);
    await sim.until(
      () =>
        sim
          .manager(before)
          ?.services.list()
          .some(({ spec }) => spec.replicas === 8) === true,
    );
  });

  it('when an agent dies and comes back, then its tasks have run on all the while', async () => {
    await open();
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 4 }));
    await sim.until(isRunning('web'));
    const ids = sim
      .host('worker-2')
      .running()
      .map(({ id }) => id);
    sim.crash('worker-2');
    await sim.advance(2_000);
    expect(
      sim
        .host('worker-2')
        .running()
        .map(({ id }) => id),
    ).toEqual(ids);
    await sim.restart('worker-2');
    await sim.advance(20_000);
    expect(
      sim
        .host('worker-2')
        .running()
        .map(({ id }) => id),
    ).toEqual(ids);
  });

  it('when a machine dies, then its tasks run elsewhere', async () => {
    await open();
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 4 }));
    await sim.until(isRunning('web'));
    sim.crash('worker-2', { machine: true });
    await sim.until(() => sim.cluster.nodes.inspect('worker-2').status.state === 'down');
    await sim.until(() => runningTasks() === 4);
    expect(runningOn('worker-2')).toBe(0);
  });

  it('when the leader is cut off, then the others lead, and no minority takes a command', async () => {
    await open();
    const old = sim.leader ?? '';
    sim.partition([old]);
    await sim.until(() => sim.leader !== undefined && sim.leader !== old);
    const create = sim
      .manager(old)
      ?.services.create({ name: 'no', task: { image: 'web' } }, { timeout: 10_000 });
    await expect(sim.run(Promise.resolve(create))).rejects.toMatchObject({
      code: expect.stringMatching(/TIMEOUT|OUTCOME_UNKNOWN/),
    });
    sim.heal();
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 2 }));
    await sim.until(isRunning('web'));
  });

  it('when a worker is taken out and started again, then it joins as a new node', async () => {
    await open();
    const before = sim.nodeOf('worker-1');
    await sim.run(sim.cluster.nodes.remove(before ?? '', { force: true }));
    await sim.advance(10_000);
    await sim.restart('worker-1');
    await sim.until(() => sim.cluster.nodes.list({ state: 'ready' }).length === 4);
    expect(sim.nodeOf('worker-1')).not.toBe(before);
  });

  it('when the leader stands still, then another one leads, and it follows when it goes on', async () => {
    await open();
    const before = sim.leader ?? '';
    sim.pause(before);
    await sim.until(() => sim.leader !== undefined && sim.leader !== before);
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 4 }));
    sim.resume(before);
    await sim.until(() => sim.manager(before)?.leading === false);
    await sim.until(() => sim.manager(before)?.services.list().length === 1);
    await sim.until(isRunning('web'));
  });

  it('when an agent stands still, then its node is down, and its tasks run on until it hears that they are replaced', async () => {
    await open();
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 4 }));
    await sim.until(isRunning('web'));
    sim.pause('worker-2');
    await sim.until(() => sim.cluster.nodes.inspect('worker-2').status.state === 'down');
    await sim.until(() => runningTasks() === 5);
    expect(runningOn('worker-2')).toBe(1);
    sim.resume('worker-2');
    await sim.until(() => runningTasks() === 4);
    await sim.until(() => sim.cluster.nodes.inspect('worker-2').status.state === 'ready');
  });

  it('when disks have no room, then a follower that has none is done without, and a cluster goes on when it has', async () => {
    await open();
    const follower = sim.managers.find((name) => name !== sim.leader) ?? '';
    sim.fillDisk(follower);
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 2 }));
    for (const name of sim.managers) sim.fillDisk(name);
    const asked = sim.cluster.services.scale('web', 3, { timeout: 5_000 });
    await expect(sim.run(asked)).rejects.toMatchObject({ code: expect.stringMatching(/./) });
    for (const name of sim.managers) sim.freeDisk(name);
    await sim.advance(5_000);
    await sim.run(sim.cluster.services.scale('web', 4));
    await sim.until(isRunning('web'));
  });

  it('when managers are added and taken out, then those that are there then lead, and know all', async () => {
    await open({ managers: 1 });
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 2 }));
    expect(await sim.run(sim.addManager())).toBe('manager-2');
    await sim.run(sim.removeManager('manager-1'));
    expect([sim.managers, sim.leader]).toEqual([['manager-2'], 'manager-2']);
    await sim.run(sim.cluster.services.scale('web', 3));
    await sim.until(isRunning('web'));
    await expect(sim.removeManager('manager-2')).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  });

  it('when a condition is never met, then the wait ends with an error at its limit', async () => {
    await open();
    await expect(sim.until(() => false, { limitMs: 5_000 })).rejects.toThrow(TimeoutError);
  });

  it('when a follower is asked, then it has the leader carry the command out', async () => {
    await open();
    const follower = sim.managers.find((name) => name !== sim.leader) ?? '';
    const cluster = sim.manager(follower);
    await sim.run(Promise.resolve(cluster?.services.create({ name: 'web', task: { image: 'web' } })));
    expect(sim.cluster.services.inspect('web').spec.name).toBe('web');
  });
});

describe('given one seed', () => {
  const run = async (seed: number) => {
    await open({ seed });
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 5 }));
    sim.crash(sim.leader ?? '');
    sim.partition(['worker-1']);
    await sim.advance(30_000);
    sim.heal();
    await sim.until(isRunning('web'));
    const { trace, traceHash } = sim;
    await sim.close();
    return { trace: [...trace], traceHash };
  };

  it('when it is run twice, then the traces are the same; another seed has another', async () => {
    const first = await run(11);
    const second = await run(11);
    expect(second).toEqual(first);
    expect((await run(12)).traceHash).not.toBe(first.traceHash);
  });
});
