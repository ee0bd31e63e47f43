/**
 * Services of which there is never more than one task of a slot, while managers and workers are cut off from each other,
 * die and come back. What is asked is what really runs on the machines, not what the managers believe.
 */

import { randomStream } from '@skep/raft/simulator';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedCluster } from './simulated-cluster.ts';

const LEASE_MS = 8_000;
const GRACE_MS = 2_000;
/** The managers' margin, and what it takes to find out and to start another. */
const AT_MOST_MS = 60_000;

let sim: SimulatedCluster;

afterEach(() => sim.close());

async function open(seed: number): Promise<void> {
  sim = await SimulatedCluster.open({ managers: 3, workers: 4, seed });
  await sim.run(
    sim.cluster.services.create({
      name: 'one',
      replicas: 2,
      maxOne: { leaseMs: LEASE_MS },
      task: { image: 'one', stopGraceMs: GRACE_MS, restart: { delayMs: 0 } },
    }),
  );
  await sim.until(() => sim.cluster.services.status('one').converged);
}

/**
 * Slots of which more than one task runs. A machine whose agent is dead runs on what it ran, and no agent is there to
 * stop it: those don't count, nor does one whose agent has just come back and is about to.
 */
function doubles(excused: ReadonlySet<string>): string[] {
  const slots = sim.workers
    .filter((worker) => !excused.has(worker))
    .flatMap((worker) => sim.host(worker).running())
    .map(({ task }) => `${task.serviceId}/${task.slot}`);
  return slots.filter((slot, at) => slots.indexOf(slot) < at);
}

const running = () => sim.workers.flatMap((worker) => sim.host(worker).running()).length;
const holder = () => sim.workers.find((worker) => sim.host(worker).running().length > 0) ?? '';

/** Lets time pass, and looks at what runs every tenth of a second. */
async function pass(ms: number, excused: ReadonlySet<string> = new Set()): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await sim.advance(100);
    expect(doubles(excused)).toEqual([]);
  }
}

describe('given a service with at most one task of a slot', () => {
  it('when a worker is cut off, then its task is stopped there before another one runs elsewhere', async () => {
    await open(11);
    const worker = holder();
    const before = sim.host(worker).running().length;
    sim.partition([worker]);
    await pass(LEASE_MS);
    expect(sim.host(worker).running()).toEqual([]);
    expect(running()).toBe(2 - before);
    await pass(AT_MOST_MS);
    expect(running()).toBe(2);
    sim.heal();
    await pass(10_000);
    expect(running()).toBe(2);
  });

  it('when it is back within its lease, then its task has run on', async () => {
    await open(12);
    const worker = holder();
    const ids = sim
      .host(worker)
      .running()
      .map(({ id }) => id);
    sim.partition([worker]);
    await pass(4_000);
    sim.heal();
    await pass(20_000);
    expect(
      sim
        .host(worker)
        .running()
        .map(({ id }) => id),
    ).toEqual(ids);
  });

  it('when a spec changes while its node is cut off, then the new task waits for the lease, and says so', async () => {
    await open(13);
    const worker = holder();
    sim.partition([worker]);
    await sim.until(() => sim.state.node(sim.nodeOf(worker) as never)?.status.state === 'down');
    await sim.run(
      sim.cluster.services.update('one', (spec) => ({
        ...spec,
        task: { ...spec.task, env: { NEW: '1' } },
      })),
    );
    await pass(AT_MOST_MS);
    expect(running()).toBe(2);
  });

  it('when an agent dies and starts again without managers, then it ends what ran under a lease', async () => {
    await open(14);
    const worker = holder();
    sim.partition([worker]);
    sim.crash(worker);
    await sim.restart(worker);
    await sim.advance(GRACE_MS);
    expect(sim.host(worker).running()).toEqual([]);
  });

  it.each([21, 22, 23, 24, 25, 26, 27, 28])(
    'when managers and workers are cut off, die and come back, then no slot runs twice (seed %i)',
    async (seed) => {
      await open(seed);
      const random = randomStream(seed, 'lease');
      for (let step = 0; step < 12; step++) {
        const all = [...sim.managers, ...sim.workers];
        const dice = random.next();
        if (dice < 0.4) sim.partition(all.filter(() => random.chance(0.35)));
        else if (dice < 0.6) sim.cut(random.pick(all) ?? '', random.pick(all) ?? '');
        else if (dice < 0.7 && sim.leader !== undefined) sim.crash(sim.leader);
        else if (dice < 0.75) sim.crash(random.pick(sim.workers) ?? '', { machine: true });
        else {
          sim.heal();
          for (const name of sim.managers) if (!sim.isUp(name)) await sim.restart(name);
        }
        await pass(random.between(1_000, 20_000));
      }
      sim.heal();
      for (const name of [...sim.managers, ...sim.workers]) if (!sim.isUp(name)) await sim.restart(name);
      await pass(2 * AT_MOST_MS);
      expect(running()).toBe(2);
    },
  );
});
