import { Cluster, type Task } from '@skep/core';
import { afterEach, describe, expect, test } from 'vitest';
import { DockerDriver } from './docker-driver.ts';
import type { ListedContainer } from './testing/docker-machine.ts';
import { scriptSpec } from './testing/docker-machine.ts';
import { engineMissing } from './testing/engine-requirements.ts';
import { type PrivateEngine, startPrivateEngine } from './testing/private-engine.ts';

const missing = engineMissing();
const RUNS = scriptSpec('trap "exit 0" TERM; while :; do sleep 0.1; done', {
  stopGraceMs: 2_000,
  restart: { delayMs: 0 },
});
const REPLICAS = 8;

const isRunning = ({ status }: Task) => status.state === 'running';

describe.skipIf(missing !== undefined)(missing ?? 'given a cluster under load on an engine', () => {
  let engine: PrivateEngine | undefined;
  const clusters: Cluster[] = [];

  afterEach(async () => {
    for (const cluster of clusters.splice(0)) await cluster.close();
    await engine?.dispose();
    engine = undefined;
  });

  const containers = () => engine?.request<readonly ListedContainer[]>('GET', '/containers/json?all=1') ?? [];

  /** What is on the engine against what the cluster says should be: both ways, in words. */
  async function strays(cluster: Cluster): Promise<readonly string[]> {
    const tasks = new Map(cluster.tasks.list().map((task) => [String(task.id), task]));
    const there = await containers();
    const running = there
      .filter(({ State }) => State === 'running')
      .map(({ Labels }) => Labels['skep.task.id'] ?? '');
    return [
      ...there
        .filter(({ Labels }) => !tasks.has(Labels['skep.task.id'] ?? ''))
        .map(({ Names }) => `container ${Names[0]} of no task`),
      ...running
        .filter((id) => tasks.get(id)?.status.state !== 'running')
        .map((id) => `task ${id} runs and should not`),
      ...[...tasks.values()]
        .filter((task) => isRunning(task) && !running.includes(task.id))
        .map(({ id }) => `task ${id} should run and does not`),
    ];
  }

  test.each([false, true])(
    'when the engine is killed and comes back, live restore %s, then all runs again and nothing has leaked',
    async (liveRestore) => {
      engine = await startPrivateEngine({ liveRestore });
      const driver = () =>
        new DockerDriver({ engine: `unix://${engine?.socketPath}`, resources: { divideBy: 2 } });
      const cluster = await Cluster.open({ driver: driver() });
      clusters.push(cluster);
      await cluster.addNode({ driver: driver(), hostname: 'other' });
      await cluster.services.create({ name: 'web', replicas: REPLICAS, task: RUNS });
      await cluster.services.waitFor('web', 'running', { timeout: 100_000 });
      const before = new Set(cluster.tasks.list().map(({ id }) => id));
      // Killed while containers are being made and others are being removed.
      await cluster.services.create({ name: 'more', replicas: REPLICAS, task: RUNS });
      await cluster.services.update('web', { name: 'web', replicas: REPLICAS / 2, task: RUNS });
      await engine.kill();
      await engine.start();
      await cluster.services.waitFor('web', 'running', { timeout: 100_000 });
      await cluster.services.waitFor('more', 'running', { timeout: 100_000 });
      const running = () => cluster.tasks.list().filter(isRunning).length;
      while (running() !== REPLICAS + REPLICAS / 2 || (await strays(cluster)).length > 0) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const survived = cluster.tasks.list().filter((task) => isRunning(task) && before.has(task.id));
      expect(survived.length > 0).toBe(liveRestore);
      await cluster.services.remove('web');
      await cluster.services.remove('more');
      while ((await containers()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      await cluster.close();
      expect(await engine.request('GET', '/volumes')).toMatchObject({ Volumes: [] });
    },
    200_000,
  );
});
