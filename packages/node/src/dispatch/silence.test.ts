import { readdir } from 'node:fs/promises';
import type { NodeStatus } from '@skep/core';
import { SimulatedClock } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchRoots } from '../membership/methods.ts';
import type { SkepNode } from '../node/skep-node.ts';
import { Cable } from '../test-support/cable.ts';
import { Machines, simulatedDriver } from '../test-support/machines.ts';
import { codeOf } from '../test-support/test-cluster.ts';

/** So far virtual time goes at once, where everybody is heard between two steps. */
const STEP_MS = 50;

/** Virtual time costs real time on a busy machine. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let machines: Machines;
let cable: Cable;
let clock: SimulatedClock;

beforeEach(() => {
  machines = new Machines();
  cable = new Cable();
  // Certificates are verified by the machine's time.
  clock = new SimulatedClock({ startAt: Date.now() });
});

afterEach(async () => {
  cable[Symbol.dispose]();
  await slowly(machines[Symbol.asyncDispose]());
});

/** Virtual time goes slower than real time, so that what sockets and disks take does not count as silence. */
async function turn(): Promise<void> {
  for (let at = 0; at < 4; at++) await new Promise((resolve) => setTimeout(resolve, 1));
  await clock.advance(1);
}

/** Lets virtual time pass slowly until something holds. */
async function slowlyUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

async function slowly<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const note = () => {
    isOver = true;
  };
  work.then(note, note);
  await slowlyUntil(() => isOver);
  return work;
}

/** Lets virtual time pass until something holds, as fast as this worker is heard and its manager writes. */
async function until(holds: () => boolean, one: SkepNode, well: SkepNode): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    await clock.advance(STEP_MS);
    // An answer on a connection comes after what was sent over it before.
    await well.link.unary(fetchRoots, undefined);
    await one.cluster.nodes.update(one.nodeId, { labels: { turn: `${clock.monotonic()} ${turns}` } });
  }
}

/** A manager, a worker whose connection is spared from the dark, and one that is in it. */
async function aCluster(web: Parameters<typeof simulatedDriver>[0] = {}) {
  const one = await slowly(machines.init('one', { clock, advertise: await cable.open() }));
  cable.leadTo(one.manager.listen);
  const wellDriver = simulatedDriver({ clock });
  const well = await slowly(machines.join('well', 'worker', one, { clock, driver: wellDriver }));
  await slowlyUntil(() => well.agent?.state === 'connected');
  const spared = cable.connections;
  const driver = simulatedDriver({ clock, ...web });
  const lost = await slowly(machines.join('lost', 'worker', one, { clock, driver }));
  const isReady = ({ nodeId }: SkepNode) => one.cluster.nodes.get(nodeId)?.status.state === 'ready';
  await slowlyUntil(() => isReady(well) && isReady(lost));
  await slowly(one.cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 4 }));
  await slowlyUntil(() => one.cluster.services.status('web').converged);
  expect([wellDriver.host.running().length, driver.host.running().length]).toEqual([2, 2]);
  const states: { readonly state: NodeStatus['state']; readonly atMs: number }[] = [];
  one.cluster.watch({ kind: 'node' }).subscribe((event) => {
    if (!('object' in event) || event.object.id !== lost.nodeId) return;
    const { state } = event.object.status;
    if (states.at(-1)?.state !== state) states.push({ state, atMs: clock.monotonic() });
  });
  const reached = (state: NodeStatus['state'], from = 0) =>
    states.find((each) => each.state === state && each.atMs >= from)?.atMs;
  return { one, well, lost, driver, wellDriver, spared, states, reached };
}

describe('given a worker whose link takes bytes and answers nothing', () => {
  it('when it stays so, then it is suspect after 2.5 s and down after 5 s of silence, its tasks go elsewhere, and run on where they are', async () => {
    const { one, well, lost, driver, wellDriver, spared, reached } = await aCluster();
    const darkAt = clock.monotonic();
    cable.goDark(spared);
    await until(() => reached('down') !== undefined, one, well);
    // It was heard up to a second before the dark.
    const suspectMs = (reached('suspect') ?? 0) - darkAt;
    const downMs = (reached('down') ?? 0) - darkAt;
    expect(suspectMs).toBeGreaterThan(2_500 - 1_000 - STEP_MS);
    expect(suspectMs).toBeLessThanOrEqual(2_500 + 2 * STEP_MS);
    expect(downMs).toBeGreaterThan(5_000 - 1_000 - STEP_MS);
    expect(downMs).toBeLessThanOrEqual(5_000 + 2 * STEP_MS);
    await until(() => wellDriver.host.running().length === 4, one, well);
    expect(driver.host.running()).toHaveLength(2);
    expect(lost.agent?.sessionId).toBeUndefined();
  });

  it('when it heals, then the worker stops what was replaced before it counts as ready', async () => {
    const stopping = { images: { web: { stopMs: 300 } } };
    const { one, well, driver, spared, states, reached } = await aCluster(stopping);
    cable.goDark(spared);
    await until(() => reached('down') !== undefined, one, well);
    const healedAt = clock.monotonic();
    cable.heal();
    await slowlyUntil(() => driver.runtimes().some(({ stopSignals }) => stopSignals > 0));
    expect(states.at(-1)?.state).not.toBe('ready');
    await slowlyUntil(() => reached('ready', healedAt) !== undefined);
    expect(driver.host.running()).toHaveLength(0);
    expect((reached('ready', healedAt) ?? 0) - healedAt).toBeGreaterThanOrEqual(300);
  });

  it('when it heals after 3 s, then nothing is evicted, and no task was touched', async () => {
    const { one, well, lost, driver, spared, states, reached } = await aCluster();
    const before = [one.cluster.tasks.list().map(({ id }) => id), lost.agent?.sessionId];
    cable.goDark(spared);
    const end = clock.monotonic() + 3_000;
    await until(() => clock.monotonic() >= end, one, well);
    expect(reached('suspect')).toBeDefined();
    cable.heal();
    await slowlyUntil(() => lost.agent?.sessionId !== undefined && states.at(-1)?.state === 'ready');
    expect(states.map(({ state }) => state)).not.toContain('down');
    expect(one.cluster.tasks.list().map(({ id }) => id)).toEqual(before[0]);
    expect(driver.runtimes().map(({ starts, stopSignals }) => [starts, stopSignals])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it('when it stays so, then its agent tries again and again, at moments that nobody can foretell', async () => {
    const { one, well, lost, spared } = await aCluster();
    cable.goDark(spared);
    await until(() => lost.agent?.sessionId === undefined, one, well);
    // Refused at once: what is left between two attempts is the agent's own wait.
    cable.cut();
    const attempts: number[] = [];
    cable.onConnection(() => attempts.push(clock.monotonic()));
    await slowlyUntil(() => attempts.length > 10);
    const gaps = attempts.slice(1).map((at, before) => at - (attempts[before] ?? 0));
    expect(new Set(gaps).size).toBeGreaterThan(3);
  });
});

describe('given an address that takes connections and answers nothing', () => {
  it('when a machine would join there, then it is told within seconds, and nothing of it is left', async () => {
    const one = await slowly(machines.init('one', { clock }));
    cable.leadTo(one.advertise);
    const remote = await cable.open();
    cable.goDark();
    const begun = clock.monotonic();
    const token = one.joinTokens().worker;
    const joining = codeOf(machines.join('new', 'worker', one, { clock, remote, token }));
    await until(() => clock.monotonic() - begun >= 5_000, one, one);
    expect(await slowly(joining)).toBe('UNREACHABLE');
    expect(one.cluster.nodes.count).toBe(1);
    expect(await readdir(await machines.dirOf('new'))).toEqual([]);
  });
});
