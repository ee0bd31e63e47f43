import { describe, expect, it } from 'vitest';
import { GoalFailedError, InvalidSpecError, TimeoutError } from '../errors.ts';
import { seededRandom } from '../runtime/random.ts';
import type { SimulatedBehaviour } from '../testing/simulated-behaviour.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';

const IMAGES: Readonly<Record<string, SimulatedBehaviour>> = {
  batch: { runMs: 60_000 },
  broken: { runMs: 1_000, exitCode: 3 },
  slow: { healthy: (ageMs) => ageMs > 20_000 },
  gone: { failImage: 'manifest unknown' },
  away: { rejectImage: 3 },
};

/** A cluster of two nodes under virtual time. */
async function aCluster() {
  const clock = new SimulatedClock();
  const random = seededRandom(1);
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 7 * 24 * 3_600_000 });
  const cluster = await run(Cluster.open({ clock, random }));
  for (const hostname of ['node-1', 'node-2']) {
    const host = new SimulatedHost({ clock, random, images: IMAGES });
    await run(cluster.addNode({ driver: new SimulatedDriver({ host }), hostname }));
  }
  const pass = (ms: number) => clock.advance(ms);
  return { cluster, run, clock, pass };
}

const batch = { name: 'batch', mode: 'replicated-job', task: { image: 'batch' } } as const;

describe('given a replicated job', () => {
  it('when it is created, then its tasks run to their end, so many at once, and it can be waited for', async () => {
    const { cluster, run, clock } = await aCluster();
    const from = clock.now();
    await run(cluster.services.create({ ...batch, job: { completions: 5, concurrency: 2 } }));
    const status = await run(cluster.services.waitFor('batch', 'running'));
    expect(status).toMatchObject({ desired: 2, running: 2, job: { iteration: 1, completed: 0, total: 5 } });
    const done = await run(cluster.services.waitFor('batch', 'completed'));
    expect(done).toMatchObject({
      desired: 0,
      running: 0,
      converged: true,
      job: { completed: 5, total: 5, failed: 0, outcome: 'completed' },
    });
    expect(clock.now() - from).toBeGreaterThanOrEqual(180_000);
    expect(clock.now() - from).toBeLessThan(190_000);
    await run(cluster.close());
  });

  it('when a task fails for good, then the run fails, which whoever waits is told', async () => {
    const { cluster, run } = await aCluster();
    const task = { image: 'broken', restart: { maxAttempts: 1 } };
    await run(cluster.services.create({ ...batch, task }));
    await expect(run(cluster.services.waitFor('batch', 'completed'))).rejects.toThrow(GoalFailedError);
    expect(cluster.services.status('batch')).toMatchObject({
      converged: false,
      job: { completed: 0, total: 1, failed: 1, outcome: 'failed' },
    });
    expect(cluster.services.status('batch').reasons[0]).toMatch(
      /non-zero exit \(3\); its restart policy allows/,
    );
    await run(cluster.close());
  });

  it('when what it runs changes, or it is forced, then another run begins; when its labels change, none', async () => {
    const { cluster, run } = await aCluster();
    await run(cluster.services.create(batch));
    await run(cluster.services.waitFor('batch', 'completed'));
    const iteration = () => cluster.services.status('batch').job?.iteration;
    await run(cluster.services.update('batch', (spec) => ({ ...spec, labels: { a: 'b' } })));
    expect(iteration()).toBe(1);
    const force = () =>
      cluster.services.update('batch', (spec) => ({
        ...spec,
        task: { ...spec.task, forceUpdate: spec.task.forceUpdate + 1 },
      }));
    await run(force());
    expect(iteration()).toBe(2);
    await run(cluster.services.update('batch', (spec) => ({ ...spec, job: { completions: 2 } })));
    expect(iteration()).toBe(3);
    await run(cluster.services.waitFor('batch', 'completed'));
    const { jobStatus } = cluster.services.inspect('batch');
    expect(jobStatus?.ended.map(({ outcome }) => outcome)).toEqual(['completed', 'stopped', 'completed']);
    await expect(run(cluster.services.scale('batch', 3))).rejects.toThrow(/a job has no replicas/);
    await run(cluster.close());
  });

  it('when it is no job, then waiting for its completion says so', async () => {
    const { cluster, run } = await aCluster();
    await run(cluster.services.create({ name: 'web', task: { image: 'web' } }));
    await expect(run(cluster.services.waitFor('web', 'completed'))).rejects.toThrow(/is no job/);
    await run(cluster.close());
  });
});

describe('given a global job', () => {
  it('when it is created, then it completes on every node, and on one that joins later', async () => {
    const { cluster, run, clock } = await aCluster();
    await run(cluster.services.create({ ...batch, mode: 'global-job' }));
    expect((await run(cluster.services.waitFor('batch', 'completed'))).job).toMatchObject({
      completed: 2,
      total: 2,
    });
    const host = new SimulatedHost({ clock, random: seededRandom(9), images: IMAGES });
    await run(cluster.addNode({ driver: new SimulatedDriver({ host }), hostname: 'node-3' }));
    const isDone = (status: { job?: { completed: number } }) => status.job?.completed === 3;
    expect((await run(cluster.services.waitFor('batch', isDone))).job).toMatchObject({ total: 3 });
    await run(cluster.close());
  });
});

describe('given a job on a schedule', () => {
  it('when its time comes, then a run begins, and the status tells when the next is due', async () => {
    const { cluster, run, clock } = await aCluster();
    await run(
      cluster.services.create({ ...batch, schedule: { cron: '0 * * * *', timeZone: 'Europe/Berlin' } }),
    );
    const hour = 3_600_000;
    const next = Math.ceil((clock.now() + 1) / hour) * hour;
    expect(cluster.services.status('batch')).toMatchObject({
      converged: true,
      desired: 0,
      job: { iteration: 0, nextRunAt: next },
    });
    await run(cluster.services.waitFor('batch', 'completed'));
    expect(cluster.services.inspect('batch').jobStatus?.ended).toMatchObject([
      { dueAt: next, outcome: 'completed' },
    ]);
    expect(cluster.services.status('batch').job?.nextRunAt).toBe(next + hour);
    await run(cluster.close());
  });
});

describe('given a service that depends on others', () => {
  const db = {
    name: 'db',
    task: {
      image: 'slow',
      health: { test: { kind: 'exec' as const, command: ['ok'] }, startPeriodMs: 60_000 },
    },
  };

  it('when they are created in any order, then its tasks start when the others are healthy and complete, and tell why not', async () => {
    const { cluster, run } = await aCluster();
    await run(
      cluster.services.create({
        name: 'web',
        replicas: 2,
        task: { image: 'web' },
        dependsOn: [
          { service: 'db', condition: 'healthy' },
          { service: 'batch', condition: 'completed' },
        ],
      }),
    );
    const [task] = cluster.tasks.list({ service: 'web' });
    const isTold = (text: string) => (status: { reasons: readonly string[] }) =>
      status.reasons.some((reason) => reason.includes(text));
    await run(
      cluster.services.waitFor('web', isTold('waits for service db, which does not exist (2 tasks)')),
    );
    expect((await run(cluster.explain(task?.id ?? ''))).wait).toMatchObject({
      code: 'dependency-missing',
      remedy: 'create service db, or take it out of dependsOn',
    });
    await run(cluster.services.create(batch));
    await run(cluster.services.create(db));
    await run(cluster.services.waitFor('web', isTold('waits for service db to be healthy')));
    await run(cluster.services.waitFor('db', 'running'));
    await run(cluster.services.waitFor('web', isTold('waits for job batch to complete')));
    await run(cluster.services.waitFor('web', 'running'));
    expect(cluster.services.inspect('batch').jobStatus?.ended).toHaveLength(1);
    await run(cluster.close());
  });

  it('when a task of it ends while the others are away, then the next waits for them again', async () => {
    const { cluster, run, pass } = await aCluster();
    await run(cluster.services.create(db));
    await run(
      cluster.services.create({ name: 'web', task: { image: 'web' }, dependsOn: [{ service: 'db' }] }),
    );
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.services.remove('db'));
    await pass(60_000);
    expect(cluster.services.status('web').converged).toBe(true);
    await run(
      cluster.services.update('web', (spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } })),
    );
    await expect(run(cluster.services.waitFor('web', 'running', { timeout: 120_000 }))).rejects.toThrow(
      TimeoutError,
    );
    expect(cluster.services.status('web').reasons).toEqual(['waits for service db, which does not exist']);
    await run(cluster.services.update('web', (spec) => ({ ...spec, dependsOn: [] })));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.close());
  });

  it('when services would wait for each other, then that is refused, with the cycle', async () => {
    const { cluster, run } = await aCluster();
    const on = (name: string, ...services: string[]) =>
      ({ name, task: { image: 'web' }, dependsOn: services.map((service) => ({ service })) }) as const;
    await run(cluster.services.create(on('a', 'b')));
    await run(cluster.services.create(on('b', 'C', 'x')));
    const refused = await run(cluster.services.create(on('c', 'x', 'a')).catch((error: unknown) => error));
    expect(refused).toBeInstanceOf(InvalidSpecError);
    expect((refused as InvalidSpecError).issues).toEqual([
      { field: 'dependsOn[1].service', rule: 'makes a cycle: c → a → b → c' },
    ]);
    await run(cluster.services.create(on('c', 'x')));
    await expect(run(cluster.services.update('c', { ...on('c', 'a') }))).rejects.toThrow(
      /makes a cycle: c → a → b → c/,
    );
    await run(cluster.close());
  });

  it('when it waits for the completion of what is no job, then that is refused', async () => {
    const { cluster, run } = await aCluster();
    await run(cluster.services.create(db));
    const dependsOn = [{ service: 'db', condition: 'completed' as const }];
    await expect(
      run(cluster.services.create({ name: 'web', task: { image: 'web' }, dependsOn })),
    ).rejects.toThrow("dependsOn[0].condition: service 'db' is replicated, and only jobs complete");
    await run(cluster.close());
  });
});

describe('given a task whose image can not be fetched', () => {
  it('when the registry says no, then it waits longer each time, up to a quarter of an hour, and says so', async () => {
    const { cluster, run, clock, pass } = await aCluster();
    await run(cluster.services.create({ name: 'web', task: { image: 'gone', restart: { delayMs: 0 } } }));
    const waits: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const newest = () => cluster.tasks.list({ service: 'web' }).at(-1);
      const isWaiting = ({ reasons }: { readonly reasons: readonly string[] }) =>
        newest()?.status.state === 'rejected' && reasons.length > 0;
      const status = await run(cluster.services.waitFor('web', isWaiting));
      expect(status.reasons[0]).toMatch(
        /^image pull waits until .* (\(\d+ failures in a row\) )?after: task rejected: manifest unknown$/,
      );
      const { wait } = await run(cluster.explain(newest()?.id ?? ''));
      expect(wait).toMatchObject({ code: 'pull-back-off', failures: attempt + 1 });
      expect(cluster.tasks.list({ service: 'web', desiredState: 'running' })).toHaveLength(1);
      const ms = (wait?.retryAt ?? 0) - clock.now();
      waits.push(Math.round(ms / 1_000));
      await pass(ms);
    }
    expect(waits).toEqual([15, 45, 135, 405, 900, 900, 900]);
    await run(cluster.close());
  });

  it('when the registry is away, then its agent tries again, ever later, and says when', async () => {
    const { cluster, run, clock } = await aCluster();
    const from = clock.now();
    await run(cluster.services.create({ name: 'web', task: { image: 'away' } }));
    const isRetried = (status: { reasons: readonly string[] }) =>
      status.reasons.some((reason) => reason.startsWith('image pull failed: trying again in 40 s'));
    await run(cluster.services.waitFor('web', isRetried));
    const [task] = cluster.tasks.list({ service: 'web' });
    expect((await run(cluster.explain(task?.id ?? ''))).wait).toMatchObject({
      code: 'pull-back-off',
      retryAt: task?.status.retryAt,
    });
    await run(cluster.services.waitFor('web', 'running'));
    expect(Math.floor((clock.now() - from) / 1_000)).toBe(70);
    expect(cluster.tasks.inspect(task?.id ?? '').status).not.toHaveProperty('retryAt');
    await run(cluster.close());
  });
});

describe('given a task that fails again and again', () => {
  it('then the service and the task tell why it waits, since how many failures, and until when', async () => {
    const { cluster, run, clock, pass } = await aCluster();
    await run(
      cluster.services.create({ name: 'web', task: { image: 'broken', restart: { delayMs: 4_000 } } }),
    );
    const newest = () => cluster.tasks.list({ service: 'web' }).at(-1);
    const isWaiting = () => (newest()?.startAfter ?? 0) > clock.now();
    for (const [failures, ms] of [
      [1, 4_000],
      [2, 8_000],
      [3, 16_000],
    ] as const) {
      const { reasons } = await run(cluster.services.waitFor('web', isWaiting));
      const { wait } = await run(cluster.explain(newest()?.id ?? ''));
      expect(wait).toMatchObject({ code: 'restart-back-off', failures, retryAt: newest()?.startAfter });
      expect(reasons).toEqual([wait?.message]);
      expect(wait?.message).toContain('task failed: task: non-zero exit (3)');
      expect(Math.round(((wait?.retryAt ?? 0) - clock.now()) / 1_000) * 1_000).toBe(ms);
      await pass(ms);
    }
    await run(cluster.close());
  });
});
