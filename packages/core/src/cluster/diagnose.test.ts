import { describe, expect, it } from 'vitest';
import { GoalFailedError, TimeoutError } from '../errors.ts';
import { FINDING_CODES } from '../model/finding.ts';
import { seededRandom } from '../runtime/random.ts';
import type { SimulatedBehaviour } from '../testing/simulated-behaviour.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';
import { clusterFindings } from './diagnose.ts';
import type { Progress } from './progress.ts';
import type { ServiceProgress } from './service-goals.ts';

/** A cluster of nodes of one machine, in virtual time. */
async function aCluster(images: Readonly<Record<string, SimulatedBehaviour>> = {}, hostnames = ['a', 'b']) {
  const clock = new SimulatedClock();
  const host = new SimulatedHost({ clock, random: seededRandom(2), images });
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 3_600_000 });
  const cluster = await run(Cluster.open({ clock, random: seededRandom(1) }));
  for (const hostname of hostnames)
    await run(cluster.addNode({ hostname, driver: new SimulatedDriver({ host }) }));
  return { clock, run, cluster };
}

describe('given a service that does not come to run', () => {
  it('when it asks for too much, then each task says what is missing', async () => {
    const { run, cluster } = await aCluster();
    const task = { image: 'web', resources: { reservations: { cpus: 1_000 } } };
    await run(cluster.services.create({ name: 'web', replicas: 2, task }));
    const told: ServiceProgress[] = [];
    const waiting = cluster.services.waitFor('web', 'running', {
      timeout: 5_000,
      onProgress: (progress) => told.push(progress),
    });
    const error = await run(waiting).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ findings: [{ code: 'no-suitable-node' }] });
    expect(told.at(-1)).toMatchObject({ left: 2, total: 2, finished: false, stalled: true });
    const diagnosis = await run(cluster.services.diagnose('web'));
    expect(diagnosis).toMatchObject({
      ...{ name: 'web', settled: false, stalled: true, findings: [], counts: { 'no-suitable-node': 2 } },
      tasks: [
        { slot: 1, message: /insufficient resources on 2 nodes: cpus/ },
        { slot: 2, remedy: /more CPUs free on a node/ },
      ].map(({ slot, message, remedy }) => ({
        slot,
        ...(message ? { message: expect.stringMatching(message) } : {}),
        ...(remedy ? { remedy: expect.stringMatching(remedy) } : {}),
      })),
    });
    await run(cluster.close());
  });

  it('when it crashes, then the back-off is told, and then that its restarts are used up', async () => {
    const { clock, run, cluster } = await aCluster({ web: { runMs: 100, exitCode: 1 } });
    const restart = { delayMs: 5_000, backoff: 'fixed' as const, maxAttempts: 1 };
    await run(cluster.services.create({ name: 'web', task: { image: 'web', restart } }));
    await clock.advance(2_000);
    const first = await run(cluster.services.diagnose('web'));
    expect(first.tasks).toMatchObject([{ code: 'restart-back-off', retryAt: expect.any(Number) }]);
    await clock.advance(60_000);
    const last = await run(cluster.services.diagnose('web'));
    expect(last).toMatchObject({ settled: false, stalled: true, counts: { 'restart-limit': 1 } });
    await run(cluster.close());
  });

  it('when there is never more than one task of it, then a lease that is waited for has a code of its own', async () => {
    const { clock, run, cluster } = await aCluster({ db: { stopMs: 8_000 } });
    await run(cluster.services.create({ name: 'db', maxOne: {}, task: { image: 'db' } }));
    await run(cluster.services.waitFor('db', 'running'));
    await run(cluster.services.forceUpdate('db'));
    await clock.advance(1_000);
    const diagnosis = await run(cluster.services.diagnose('db'));
    const waiting = diagnosis.tasks.find(({ code }) => code === 'lease-wait');
    expect(waiting).toMatchObject({
      slot: 1,
      message: expect.stringMatching(/^waits until task .* has ended$/),
    });
    expect(diagnosis.stalled).toBe(false);
    const explained = await run(cluster.explain(waiting?.task ?? ''));
    expect(explained).toMatchObject({ message: waiting?.message, remedies: [] });
    await run(cluster.services.waitFor('db', 'updated'));
    await run(cluster.close());
  });

  it('when all is as asked for, then there is nothing to tell', async () => {
    const { run, cluster } = await aCluster();
    await run(cluster.services.create({ name: 'web', replicas: 3, task: { image: 'web' } }));
    await run(cluster.services.waitFor('web', 'running'));
    const { index, at, service, ...rest } = await run(cluster.services.diagnose('web'));
    expect(rest).toEqual({ name: 'web', settled: true, stalled: false, findings: [], tasks: [], counts: {} });
    await run(cluster.close());
  });

  it('when nobody knows it, or the options are none, then that is told', async () => {
    const { run, cluster } = await aCluster();
    await expect(run(cluster.services.diagnose('nobody'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(run(cluster.services.diagnose('web', { what: 1 } as never))).rejects.toMatchObject({
      issues: [{ field: 'what', rule: 'unknown option' }],
    });
    await run(cluster.close());
  });
});

describe('given something that is waited for', () => {
  it('when a service is created, updated, rolled back and removed, then each reports progress in one form', async () => {
    const { run, cluster } = await aCluster({ web: { startMs: 200 } });
    const task = { image: 'web' };
    const { services, nodes } = cluster;
    const heard = async (wait: (onProgress: (progress: Progress) => void) => Promise<unknown>) => {
      const told: Progress[] = [];
      await run(wait((progress) => told.push(progress)));
      expect(told.length).toBeGreaterThan(1);
      expect(told[0]).toMatchObject({ finished: false });
      expect(told[0]?.findings.length).toBeGreaterThan(0);
      expect(told.at(-1)).toMatchObject({ finished: true, left: 0, stalled: false, findings: [] });
      for (const { findings } of told) for (const { code } of findings) expect(FINDING_CODES).toContain(code);
    };
    await run(services.create({ name: 'web', replicas: 4, task, update: { parallelism: 2 } }));
    await heard((onProgress) => services.waitFor('web', 'running', { onProgress }));
    await run(services.update('web', (spec) => ({ ...spec, task: { ...spec.task, env: { A: '1' } } })));
    await heard((onProgress) => services.waitFor('web', 'updated', { onProgress }));
    await run(services.rollback('web'));
    await heard((onProgress) => services.waitFor('web', 'rolled-back', { onProgress }));
    await run(nodes.drain('a'));
    await heard((onProgress) => nodes.waitFor('a', 'drained', { onProgress }));
    await run(services.remove('web'));
    await heard((onProgress) => services.waitFor('web', 'removed', { onProgress }));
    await run(cluster.close());
  });

  it('when an update is paused or rolled back, then the wait fails and carries the findings', async () => {
    const { run, cluster } = await aCluster({ bad: { runMs: 10, exitCode: 1 } });
    const web = { name: 'web', replicas: 2, task: { image: 'web' } };
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.services.apply({ ...web, task: { image: 'bad' } }));
    const paused = await run(cluster.services.waitFor('web', 'updated')).catch((reason: unknown) => reason);
    expect(paused).toBeInstanceOf(GoalFailedError);
    const { findings, goal, code } = paused as GoalFailedError;
    expect({ goal, code, first: findings[0]?.code }).toEqual({
      ...{ goal: 'service web updated', code: 'GOAL_FAILED', first: 'update-paused' },
    });
    await run(cluster.services.rollback('web'));
    await expect(run(cluster.services.waitFor('web', 'updated'))).rejects.toThrow(/rolled back/);
    await run(cluster.services.waitFor('web', 'rolled-back'));
    await run(cluster.close());
  });

  it('when nothing moves for long, then it is told to be stalled, and goes on being waited for', async () => {
    const { clock, run, cluster } = await aCluster({ web: { prepareMs: 60_000 } });
    await run(cluster.services.create({ name: 'web', task: { image: 'web' } }));
    const told: Progress[] = [];
    await run(
      cluster.services.waitFor('web', 'running', { stallMs: 2_000, onProgress: (each) => told.push(each) }),
    );
    const preparing = told.filter(({ findings }) => findings[0]?.code === 'preparing');
    expect(preparing.map(({ stalled }) => stalled)).toEqual([false, true]);
    expect(told.at(-1)).toMatchObject({ finished: true, stalled: false });
    const abort = new AbortController();
    const waiting = cluster.services.waitFor('web', ({ running }) => running === 2, { signal: abort.signal });
    abort.abort('enough');
    await expect(run(waiting)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(clock.now()).toBeGreaterThan(0);
    await run(cluster.close());
  });

  it('when the options for it are none, then the field is named', async () => {
    const { run, cluster } = await aCluster();
    for (const [field, options] of [
      ['onProgress', { onProgress: 1 as never }],
      ['stallMs', { stallMs: 0 }],
      ['timeout', { timeout: -1 }],
    ] as const) {
      await expect(run(cluster.services.waitFor('web', 'removed', options))).rejects.toMatchObject({
        issues: [{ field }],
      });
    }
    await run(cluster.close());
  });
});

describe('given a member of a cluster without a leader', () => {
  it('when nobody leads, or the log takes nothing, then that is told, and what would resolve it', () => {
    const nobody = { leading: undefined, leader: undefined, refusal: undefined };
    expect(clusterFindings(nobody)).toMatchObject([{ code: 'no-leader' }]);
    expect(clusterFindings({ ...nobody, leader: 'another' })).toEqual([]);
    const refusal = new TimeoutError('disk is full');
    expect(clusterFindings({ ...nobody, refusal })).toMatchObject([
      { code: 'log-refuses', message: 'disk is full' },
    ]);
  });
});
