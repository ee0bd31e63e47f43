import { describe, expect, test } from 'vitest';
import {
  InvalidSpecError,
  PreconditionError,
  type SkepError,
  type SpecIssue,
  VersionConflictError,
} from '../errors.ts';
import type { ServiceSpecInput } from '../model/service-spec.ts';
import type { Services } from './services.ts';
import { aClusterOf } from './test-support/simulated-nodes.ts';

const WEB: ServiceSpecInput = { name: 'web', replicas: 3, task: { image: 'web' } };

/** A cluster of three nodes with a service that runs, and a way to have something refused. */
async function aService(spec: ServiceSpecInput = WEB) {
  const { cluster, run, clock } = await aClusterOf([{}, {}, {}]);
  await run(cluster.services.create(spec));
  await run(cluster.services.waitFor(spec.name, 'running'));
  /** What refuses it: with the field and the rule, and with nothing changed, not even later. */
  const refused = async (work: () => Promise<unknown>) => {
    const before = cluster.health.index;
    const error = await run(work()).then(
      () => undefined,
      (reason: unknown) => reason as SkepError & { readonly issues: readonly SpecIssue[] },
    );
    await clock.advance(60_000);
    expect(cluster.health.index, 'something was changed').toBe(before);
    return error;
  };
  return { cluster, run, clock, refused };
}

describe('given a service that runs, when somebody asks for what can not be', () => {
  const COMMANDS: Readonly<Record<string, (services: Services, version: number) => Promise<unknown>>> = {
    update: (services, version) => services.update('web', { ...WEB, replicas: 5 }, { version }),
    scale: (services, version) => services.scale('web', 5, { version }),
    forceUpdate: (services, version) => services.forceUpdate('web', { version }),
    rollback: (services, version) => services.rollback('web', { version }),
    promote: (services, version) => services.promote('web', { version }),
    abort: (services, version) => services.abort('web', { version }),
    pauseUpdate: (services, version) => services.pauseUpdate('web', { version }),
    resumeUpdate: (services, version) => services.resumeUpdate('web', { version }),
    remove: (services, version) => services.remove('web', { version }),
  };

  test.each(Object.entries(COMMANDS))('by %s with a stale version, then it is refused', async (_, ask) => {
    const { cluster, run, clock, refused } = await aService();
    const { version } = cluster.services.inspect('web');
    await run(cluster.services.update('web', { ...WEB, labels: { tier: 'front' } }));
    await clock.advance(60_000);
    const actual = cluster.services.inspect('web').version;
    const error = await refused(() => ask(cluster.services, version));
    expect(error).toBeInstanceOf(VersionConflictError);
    expect(error).toMatchObject({
      ...{ expected: version, actual },
      issues: [{ field: 'version', rule: `must be that of the service as it is now, ${actual}` }],
    });
    await run(cluster.close());
  });

  test('a rollback with nothing to go back to, then it is refused', async () => {
    const { cluster, run, refused } = await aService();
    const error = await refused(() => cluster.services.rollback('web'));
    expect(error).toBeInstanceOf(PreconditionError);
    expect(error).toMatchObject({
      message: 'service web does not have a previous spec',
      issues: [{ field: 'previousSpec', rule: 'must be there: the service has not been updated yet' }],
    });
    await run(cluster.close());
  });

  test.each([
    ['global', { mode: 'global', replicas: undefined }],
    ['replicated-job', { mode: 'replicated-job', replicas: undefined }],
    ['global-job', { mode: 'global-job', replicas: undefined }],
  ] as const)('the mode %s, by update or by apply, then it is refused', async (_, change) => {
    const { cluster, run, refused } = await aService();
    for (const ask of ['update', 'apply'] as const) {
      const spec = { ...WEB, ...change };
      const error = await refused(() =>
        ask === 'apply' ? cluster.services.apply(spec) : cluster.services.update('web', spec),
      );
      expect(error).toBeInstanceOf(PreconditionError);
      expect(error?.issues).toEqual([
        { field: 'mode', rule: "must stay 'replicated': create another service instead" },
      ]);
    }
    await run(cluster.close());
  });

  test.each(['0 0 30 2 *', '0 0 31 4,6,9,11 *'])(
    'a job by a cron line that never fires (%s), then it is refused',
    async (cron) => {
      const { cluster, run, refused } = await aService();
      const job: ServiceSpecInput = {
        ...{ name: 'batch', mode: 'replicated-job', task: { image: 'batch' } },
        schedule: { cron },
      };
      const error = await refused(() => cluster.services.create(job));
      expect(error).toBeInstanceOf(InvalidSpecError);
      expect(error?.issues).toEqual([{ field: 'schedule.cron', rule: `'${cron}' never fires` }]);
      expect(cluster.services.list().map(({ spec }) => spec.name)).toEqual(['web']);
      await run(cluster.close());
    },
  );

  test('a cycle of dependencies, then it is refused, with the way around', async () => {
    const { cluster, run, refused } = await aService();
    const api: ServiceSpecInput = { name: 'api', task: { image: 'api' }, dependsOn: [{ service: 'web' }] };
    await run(cluster.services.create(api));
    await run(cluster.services.waitFor('api', 'running'));
    const error = await refused(() =>
      cluster.services.update('web', (spec) => ({ ...spec, dependsOn: [{ service: 'api' }] })),
    );
    expect(error).toBeInstanceOf(InvalidSpecError);
    expect(error?.issues).toEqual([
      { field: 'dependsOn[0].service', rule: 'makes a cycle: web → api → web' },
    ]);
    await run(cluster.close());
  });

  test.each([
    ['the update', (spec: ServiceSpecInput) => ({ ...spec, update: { canary: { tasks: 4 } } })],
    [
      'the replicas',
      (spec: ServiceSpecInput) => ({ ...spec, replicas: 1, update: { canary: { tasks: 2 } } }),
    ],
  ])('a canary larger than the service, by a change of %s, then it is refused', async (_, change) => {
    const { cluster, run, refused } = await aService();
    const error = await refused(() => cluster.services.update('web', change));
    expect(error).toBeInstanceOf(InvalidSpecError);
    expect(error?.issues).toEqual([
      { field: 'update.canary.tasks', rule: expect.stringMatching(/^must be at most the replicas, [13]$/) },
    ]);
    await run(cluster.close());
  });

  test('a canary larger than a global service, then its update is refused, and goes on once it fits', async () => {
    const agent: ServiceSpecInput = {
      ...{ name: 'agent', mode: 'global', task: { image: 'agent' } },
      update: { canary: { tasks: 4 } },
    };
    const { cluster, run, refused } = await aService(agent);
    const next = (tasks: number): ServiceSpecInput => ({
      ...agent,
      task: { image: 'agent:2' },
      update: { canary: { tasks }, monitorMs: 0 },
    });
    const error = await refused(() => cluster.services.update('agent', next(4)));
    expect(error).toBeInstanceOf(InvalidSpecError);
    expect(error?.issues).toEqual([
      {
        field: 'update.canary.tasks',
        rule: 'must be at most the tasks that the service has, one on each of 3 nodes',
      },
    ]);
    expect(await refused(() => cluster.services.forceUpdate('agent'))).toBeInstanceOf(InvalidSpecError);
    await run(cluster.services.update('agent', next(1)));
    await run(cluster.services.waitFor('agent', ({ update }) => update?.state === 'waiting'));
    await run(cluster.services.promote('agent'));
    await run(cluster.services.waitFor('agent', 'updated'));
    await run(cluster.close());
  });

  test('an autoscaler whose metric stops, then that is told, and the tasks stay as they are', async () => {
    const { cluster, run, clock } = await aClusterOf([{}, {}, {}]);
    const autoscale = { min: 2, max: 9, metric: { name: 'queue' }, target: 10 };
    await run(cluster.services.create({ ...WEB, autoscale }));
    await run(cluster.services.waitFor('web', 'running'));
    await clock.advance(600_000);
    expect(await run(cluster.services.diagnose('web'))).toMatchObject({
      stalled: true,
      findings: [{ code: 'metric-lost', message: expect.stringMatching(/^stays at 3 tasks.*'queue'/) }],
      tasks: [],
    });
    expect(cluster.services.status('web')).toMatchObject({ running: 3, converged: true });
    await run(cluster.close());
  });
});
