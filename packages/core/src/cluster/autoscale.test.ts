import { describe, expect, test } from 'vitest';
import { InvalidSpecError } from '../errors.ts';
import type { MetricSources } from '../manager/metric-watch/metric-source.ts';
import type { ServiceSpecInput } from '../model/service-spec.ts';
import { sleep } from '../runtime/clock.ts';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';

/** A cluster of two nodes under virtual time, whose tasks use as much as `used` says. */
async function aCluster(sources: (clock: SimulatedClock) => MetricSources = () => ({})) {
  const clock = new SimulatedClock();
  const random = seededRandom(1);
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 24 * 3_600_000 });
  const used = { cpus: 0.5, memoryBytes: 2 ** 20 };
  const images = { web: { stats: used }, mute: { throwSync: 'stats' as const } };
  const cluster = await run(Cluster.open({ clock, random, metricSources: sources(clock) }));
  for (const hostname of ['node-1', 'node-2']) {
    const host = new SimulatedHost({ clock, random, images });
    await run(cluster.addNode({ driver: new SimulatedDriver({ host }), hostname }));
  }
  const begin = async (spec: ServiceSpecInput) => {
    await run(cluster.services.create(spec));
    await run(cluster.services.waitFor('web', 'running'));
  };
  const replicas = () => cluster.services.inspect('web').spec.replicas;
  return { clock, run, cluster, used, begin, replicas };
}

const AUTOSCALE = { min: 2, max: 8, metric: 'cpu', target: 0.5 } as const;
const web = (more: Partial<ServiceSpecInput> = {}): ServiceSpecInput => ({
  name: 'web',
  task: { image: 'web' },
  autoscale: AUTOSCALE,
  ...more,
});

describe('given a service that is scaled by what its tasks use', () => {
  test('when they use more, then there are more of them, and later fewer; each decision is told with its reason', async () => {
    const { clock, run, cluster, used, begin, replicas } = await aCluster();
    await begin(web());
    await clock.advance(120_000);
    expect(replicas()).toBe(2);
    used.cpus = 1;
    await clock.advance(16_000);
    expect(replicas()).toBe(4);
    used.cpus = 0.5;
    await run(cluster.services.waitFor('web', 'running'));
    await clock.advance(120_000);
    expect(replicas()).toBe(4);
    used.cpus = 0.1;
    await clock.advance(299_000);
    expect(replicas()).toBe(4);
    await clock.advance(20_000);
    expect(replicas()).toBe(2);
    const told: string[] = [];
    for await (const { type } of cluster.history({ service: 'web' })) told.push(type);
    expect(told.filter((type) => type === 'service.autoscaled')).toHaveLength(2);
    expect(cluster.services.inspect('web').autoscaleStatus).toMatchObject({
      last: { from: 4, to: 2, reason: 'cpu is 0.1 a task, below its target of 0.5' },
    });
    await run(cluster.close());
  });

  test('when memory is what is measured, then bytes are compared', async () => {
    const { clock, run, cluster, begin, replicas } = await aCluster();
    await begin(web({ autoscale: { ...AUTOSCALE, metric: 'memory', target: 2 ** 18 } }));
    await clock.advance(46_000);
    expect(replicas()).toBe(8);
    await run(cluster.close());
  });

  test('when it is scaled by hand, then that holds for a cooldown, and only within the bounds', async () => {
    const { clock, run, cluster, used, begin, replicas } = await aCluster();
    await begin(web());
    await run(cluster.services.scale('web', 6));
    await run(cluster.services.waitFor('web', 'running'));
    used.cpus = 1;
    await clock.advance(28_000);
    expect(replicas()).toBe(6);
    await clock.advance(16_000);
    expect(replicas()).toBe(8);
    const error = await run(cluster.services.scale('web', 9)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidSpecError);
    expect(error).toMatchObject({
      issues: [{ field: 'replicas', rule: 'must be from 2 to 8, as autoscale has it' }],
    });
    expect(replicas()).toBe(8);
    await run(cluster.close());
  });

  test('when its spec is applied again, or rolled back, then the number that the metric came to stays', async () => {
    const { clock, run, cluster, used, begin, replicas } = await aCluster();
    await begin(web());
    used.cpus = 1;
    await clock.advance(16_000);
    used.cpus = 0.5;
    expect(replicas()).toBe(4);
    expect(await run(cluster.services.apply(web()))).toMatchObject({ action: 'unchanged' });
    await run(cluster.services.apply(web({ task: { image: 'web', env: { A: 'b' } } })));
    await run(cluster.services.waitFor('web', 'updated'));
    expect(replicas()).toBe(4);
    used.cpus = 1;
    await clock.advance(31_000);
    used.cpus = 0.5;
    expect(replicas()).toBe(8);
    await run(cluster.services.rollback('web'));
    await run(cluster.services.waitFor('web', 'rolled-back'));
    expect(cluster.services.inspect('web').spec).toMatchObject({ replicas: 8, task: { env: {} } });
    await run(cluster.close());
  });

  test('when nothing can be measured, then that is told, nothing is changed, and its return is told, too', async () => {
    const { clock, run, cluster, used, begin, replicas } = await aCluster();
    await begin(web({ task: { image: 'mute' } }));
    await clock.advance(70_000);
    const diagnosis = await run(cluster.services.diagnose('web'));
    expect(diagnosis).toMatchObject({
      settled: false,
      stalled: true,
      findings: [
        { code: 'metric-lost', message: expect.stringMatching(/^stays at 2 tasks, .*no value of cpu/) },
      ],
    });
    used.cpus = 5;
    await clock.advance(300_000);
    expect(replicas()).toBe(2);
    await run(cluster.services.update('web', (spec) => ({ ...spec, task: { ...spec.task, image: 'web' } })));
    await run(cluster.services.waitFor('web', 'updated'));
    await clock.advance(31_000);
    expect(await run(cluster.services.diagnose('web'))).toMatchObject({ findings: [], settled: true });
    expect(replicas()).toBe(8);
    await run(cluster.close());
  });
});

describe("given a service that is scaled by a metric of the user's own", () => {
  const byQueue = (policy: object = {}) =>
    web({ autoscale: { ...AUTOSCALE, min: 0, metric: { name: 'queue' }, target: 10, ...policy } });

  test('when its values change, then so do the tasks, from none and back to none', async () => {
    const queue = { length: 0 };
    const { clock, run, cluster, replicas } = await aCluster((clock) => ({
      async *queue(_, signal) {
        for (;;) {
          yield queue.length;
          await sleep(clock, 5_000, signal);
        }
      },
    }));
    await run(cluster.services.create(byQueue()));
    expect(replicas()).toBe(0);
    queue.length = 35;
    await clock.advance(31_000);
    expect(replicas()).toBe(4);
    queue.length = 0;
    await clock.advance(330_000);
    expect(replicas()).toBe(0);
    await run(cluster.close());
  });

  test('when each value ends the stream, then it is asked again', async () => {
    const queue = { length: 35, asked: 0 };
    const { clock, run, cluster, replicas } = await aCluster(() => ({
      async *queue() {
        queue.asked += 1;
        yield queue.length;
      },
    }));
    await run(cluster.services.create(byQueue()));
    await clock.advance(61_000);
    expect(replicas()).toBe(4);
    expect(queue.asked).toBe(5);
    await run(cluster.close());
  });

  test.each([
    ['ends', /has come for 60 s: its source ended/],
    ['fails', /has come for 60 s: the counter is gone/],
    ['hangs', /has come for 60 s$/],
    ['gives what is no number', /has come for 60 s: its source gave NaN, which is no number of 0 or more/],
  ])('when it %s, then it is told as lost, and the tasks stay', async (how, reason) => {
    let isBroken = false;
    const { clock, run, cluster, replicas } = await aCluster((clock) => ({
      async *queue(_, signal) {
        for (;;) {
          if (isBroken && how === 'ends') return;
          if (isBroken && how === 'fails') throw new Error('the counter is gone');
          if (isBroken && how === 'hangs') await new Promise(() => {});
          yield isBroken ? Number.NaN : 35;
          await sleep(clock, 5_000, signal);
        }
      },
    }));
    await run(cluster.services.create(byQueue()));
    await clock.advance(60_000);
    expect(replicas()).toBe(4);
    isBroken = true;
    await clock.advance(600_000);
    expect(replicas()).toBe(4);
    expect(cluster.services.inspect('web').autoscaleStatus?.lost?.reason).toMatch(reason);
    expect(await run(cluster.services.diagnose('web'))).toMatchObject({
      findings: [{ code: 'metric-lost', message: expect.stringMatching(reason) }],
    });
    await run(cluster.close());
  });

  test('when what is given is no source, then it is refused by its name', async () => {
    const opening = Cluster.open({ metricSources: { queue: 5 as never } });
    await expect(opening).rejects.toMatchObject({
      issues: [{ field: 'metricSources.queue', rule: 'must be a function that gives values' }],
    });
  });

  test('when nobody gave it to the manager, then that is told at once', async () => {
    const { clock, run, cluster } = await aCluster();
    await run(cluster.services.create(byQueue({ metric: { name: 'toString' } })));
    await clock.advance(1);
    expect(await run(cluster.services.diagnose('web'))).toMatchObject({
      findings: [
        {
          code: 'metric-lost',
          message: expect.stringMatching(/given no metric 'toString' \(metricSources\)/),
        },
      ],
    });
    await run(cluster.services.remove('web'));
    await run(cluster.close());
  });

  test('when it is wanted no more, then its source is told', async () => {
    const ended: string[] = [];
    const { clock, run, cluster } = await aCluster((clock) => ({
      async *queue(service, signal) {
        signal.addEventListener('abort', () => ended.push(service.spec.name));
        for (;;) {
          yield 10;
          await sleep(clock, 5_000, signal);
        }
      },
    }));
    await run(cluster.services.create(byQueue()));
    await clock.advance(1_000);
    await run(cluster.services.update('web', ({ autoscale: _, ...spec }) => spec));
    expect(ended).toEqual(['web']);
    await run(cluster.close());
  });
});
