import { describe, expect, it } from 'vitest';
import { FileEventLog } from '../file/file-event-log.ts';
import { FileHistoryStore } from '../file/history/file-history-store.ts';
import { SimulatedDisk } from '../file/simulated-disk.ts';
import type { HistoryEvent } from '../history/history-event.ts';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';
import type { ClusterOptions } from './cluster-options.ts';

const key = () => ({ id: 'test', key: new Uint8Array(32).fill(7) });
const keyProvider = { currentKey: async () => key(), keyById: async () => key().key };
const web = { name: 'web', task: { image: 'web' }, replicas: 3 };

/** A cluster in virtual time with its log and its history on a disk that outlives it. */
function aWorld(history: ClusterOptions['history'] = {}) {
  const clock = new SimulatedClock();
  const random = seededRandom(1);
  const host = new SimulatedHost({ clock, random: seededRandom(2) });
  const disk = new SimulatedDisk(seededRandom(3));
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 600_000 });
  const open = () => {
    const log = new FileEventLog({ dir: '/log', disk, clock, random, keyProvider });
    const store = new FileHistoryStore({ dir: '/history', disk, random, keyProvider });
    return run(
      Cluster.open({
        ...{ clock, random, log, driver: new SimulatedDriver({ host }) },
        history: history === false ? false : { store, ...history },
      }),
    );
  };
  return { clock, host, disk, run, open };
}

async function all(events: AsyncIterable<HistoryEvent>) {
  const found = [];
  for await (const event of events) if (event.type !== 'gap') found.push(event);
  return found;
}

describe('given a cluster that keeps its history', () => {
  it('when it is opened again after its log was compacted, then it reads as it was, by index and by date', async () => {
    const { clock, run, open } = aWorld();
    const first = await open();
    await run(first.services.create(web, { user: 'ann' }));
    await run(first.services.waitFor('web', 'running'));
    const { index } = first.health;
    const then = {
      services: first.services.list(),
      tasks: first.tasks.list(),
      status: first.services.status('web'),
    };
    const noon = clock.now();
    await clock.advance(60_000);
    await run(first.services.scale('web', 1, { user: 'bob' }));
    await run(first.services.waitFor('web', 'running'));
    await run(first.services.remove('web'));
    await run(first.services.waitFor('web', 'removed'));
    // Removing a secret compacts the log: nothing before is left in it.
    await run(first.secrets.create({ name: 'key' }, new Uint8Array([1, 2, 3])));
    await run(first.secrets.remove('key'));
    await run(first.close());

    const second = await open();
    expect(second.services.list()).toEqual([]);
    for (const moment of [index, new Date(noon)]) {
      const past = await run(second.at(moment));
      expect([past.index, past.services.list(), past.tasks.list(), past.services.status('web')]).toEqual([
        ...[index, then.services, then.tasks, then.status],
      ]);
      expect(past.nodes.list()).toHaveLength(1);
      expect(past.tasks.list({ service: 'web' })).toHaveLength(3);
      expect(past.currentEndpoints('web')).toHaveLength(3);
      expect(past.info.id).toBe(second.info.id);
    }
    const story = await run(all(second.history({ service: 'web' })));
    expect(story.map(({ type, actor }) => [type, actor])).toEqual([
      ['service.created', { kind: 'user', name: 'ann' }],
      ['service.updated', { kind: 'user', name: 'bob' }],
      ['service.removed', { kind: 'user' }],
    ]);
    expect(story[1]?.differences).toEqual([{ field: 'spec.replicas', before: 3, after: 1 }]);
    expect(story[1]?.at).toBe(noon + 60_000);
    expect(story[1]?.commandId).toMatch(/^[0-9a-z]{25}$/);
    const [task] = then.tasks;
    const life = await run(all(second.history({ task: task?.id ?? '' })));
    expect(life[0]).toMatchObject({ type: 'task.created', action: 'created' });
    expect(life.at(-1)).toMatchObject({ type: 'task.removed', action: 'removed' });
    expect(
      life.flatMap(({ differences }) => differences.filter(({ field }) => field === 'status.state')),
    ).toContainEqual({ field: 'status.state', before: 'running', after: 'shutdown' });
    const secrets = await run(all(second.history({ secret: 'key' })));
    expect(secrets.map(({ type }) => type)).toEqual(['secret.created', 'secret.removed']);
    await run(second.close());
  });

  it('when a part of a story is asked for, then no more is told, and it can be gone on from', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    const whole = await run(all(cluster.history()));
    expect(whole.map(({ index }) => index)).toEqual(whole.map(({ index }) => index).sort((a, b) => a - b));
    const part = await run(all(cluster.history(undefined, { from: 3, to: 5 })));
    expect(part).toEqual(whole.filter(({ index }) => index >= 3 && index <= 5));
    expect(await run(all(cluster.history({ cluster: true }, { limit: 1 })))).toEqual(whole.slice(0, 1));
    const causes = ['task.assigned', 'task.allocated', 'task.created'].map((type) => {
      const caused = whole.find((event) => event.type === type);
      return whole.find(({ index }) => index === caused?.cause)?.type;
    });
    expect(causes).toEqual(['task.allocated', 'task.created', 'service.created']);
    expect(await run(all(cluster.history(undefined, { from: cluster.health.index + 1 })))).toEqual([]);
    await run(cluster.close());
  });

  it('when a name is used again, then each of its services has a story of its own, and the name has both', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const first = await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.services.remove('web'));
    await run(cluster.services.waitFor('web', 'removed'));
    const second = await run(cluster.services.create({ ...web, replicas: 1 }));
    await run(cluster.services.waitFor('web', 'running'));
    const ofFirst = await run(all(cluster.history({ service: first.id, tasks: true })));
    const ofSecond = await run(all(cluster.history({ service: second.id, tasks: true })));
    expect(ofSecond[0]).toMatchObject({ type: 'service.created', object: { id: second.id } });
    expect(await run(all(cluster.history({ service: 'web', tasks: true })))).toEqual([
      ...ofFirst,
      ...ofSecond,
    ]);
    await run(cluster.close());
  });

  it('when what is asked for makes no sense, or is not there, then a typed error says so', async () => {
    const { clock, run, open } = aWorld();
    const cluster = await open();
    const garbage: unknown[] = [0, -1, 1.5, Number.NaN, 'yesterday', undefined, new Date(Number.NaN), {}];
    for (const moment of garbage) {
      const asked = cluster.at(moment as number);
      await expect(run(asked)).rejects.toMatchObject({ code: 'INVALID_SPEC', issues: [{ field: 'moment' }] });
    }
    const future = [cluster.health.index + 1, new Date(clock.now() + 1_000)];
    for (const moment of future) {
      await expect(run(cluster.at(moment))).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    }
    await expect(run(all(cluster.history(undefined, { from: 1_000 })))).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await expect(run(cluster.at(new Date(0)))).rejects.toMatchObject({
      code: 'HISTORY_PRUNED',
      oldest: { index: 1 },
    });
    for (const options of [null, 7, { signals: 1 }, { signal: 'stop' }]) {
      const field = options === null || options === 7 ? 'options' : Object.keys(options)[0];
      const refused = { code: 'INVALID_SPEC', issues: [{ field }] };
      await expect(run(cluster.at(1, options as never))).rejects.toMatchObject(refused);
      await expect(run(cluster.plan({ kind: 'lose', node: 'x' }, options as never))).rejects.toMatchObject(
        refused,
      );
      await expect(run(cluster.explain('x', options as never))).rejects.toMatchObject(refused);
      const told = async () => cluster.history(undefined, options as never);
      await expect(told()).rejects.toMatchObject(refused);
    }
    await expect(run(cluster.plan({} as never))).rejects.toMatchObject({
      code: 'INVALID_SPEC',
      message: 'name: must be provided, as text; task: must be provided, as an object',
    });
    const subjects = [
      {},
      { service: 'a', node: 'b' },
      { service: '' },
      { task: 7 },
      { pod: 'a' },
      { node: 'a', tasks: true },
    ];
    for (const subject of subjects) {
      expect(() => cluster.history(subject as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_SPEC' }),
      );
    }
    expect(() => cluster.history(undefined, { limit: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_SPEC' }),
    );
    for (const subject of [
      { service: 'nobody' },
      { task: 'nobody' },
      { node: 'nobody' },
      { secret: 'nobody' },
    ]) {
      await expect(run(all(cluster.history(subject as never)))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    const signal = AbortSignal.abort('enough');
    await expect(run(cluster.at(1, { signal }))).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(run(all(cluster.history(undefined, { signal })))).rejects.toMatchObject({ code: 'ABORTED' });
    await run(cluster.close());
    await expect(run(cluster.at(1))).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(run(all(cluster.history()))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('when a reader comes back after the feed has forgotten, then it is told all the same, by the history', async () => {
    const { run, open } = aWorld();
    const first = await open();
    const seen = first.health.index;
    await run(first.services.create(web, { user: 'ann' }));
    await run(first.services.waitFor('web', 'running'));
    await run(first.services.remove('web'));
    await run(first.services.waitFor('web', 'removed'));
    const told = await run(all(first.history({ service: 'web', tasks: true })));
    await run(first.close());
    // The feed begins anew with each opening.
    const second = await open();
    const watched: unknown[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const event of second.watch({ from: seen, service: 'web', signal: stop.signal })) {
        watched.push(event);
        if (event.type === 'created' && event.kind === 'service' && event.object.spec.replicas === 0) break;
      }
    })();
    await run(second.services.create({ ...web, replicas: 0 }));
    await run(Promise.resolve());
    stop.abort();
    await run(reading);
    expect(watched.slice(0, told.length)).toEqual(
      told.map(({ action, kind, object, before, index, at, actor, cause }) => ({
        ...{ type: action, kind, object, index, at, actor },
        ...(action === 'updated' ? { before } : {}),
        ...(cause === undefined ? {} : { cause }),
      })),
    );
    expect(watched.slice(told.length)).toMatchObject([{ type: 'created', kind: 'service' }]);
    await run(second.close());
  });

  it('when a service was removed, then its tasks are still listed by its name and id until they have stopped', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const { id } = await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.services.remove('web'));
    for (const service of ['web', id]) expect(cluster.tasks.list({ service })).toHaveLength(3);
    await run(cluster.services.waitFor('web', 'removed'));
    expect(() => cluster.tasks.list({ service: 'web' })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    await run(cluster.close());
  });

  it('when it is told to keep none, or senseless bounds, then it says so', async () => {
    const none = await aWorld(false).open();
    await expect(none.at(1)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(() => none.history()).toThrow(expect.objectContaining({ code: 'PRECONDITION_FAILED' }));
    for (const [field, value] of [
      ['maxAgeMs', 0],
      ['maxBytes', -1],
      ['checkpointEvery', 1.5],
      ['maxBytes', '5'],
      ['maxAge', 5],
    ] as const) {
      await expect(aWorld({ [field]: value } as never).open()).rejects.toMatchObject({
        code: 'INVALID_SPEC',
        issues: [{ field: `history.${field}` }],
      });
    }
  });

  it('when the disk of its history fails, then the cluster goes on, and history goes on once it is back', async () => {
    const { disk, run, open } = aWorld();
    const cluster = await open();
    await run(all(cluster.history()));
    disk.failNextSync((path) => path.startsWith('/history'));
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.secrets.create({ name: 'key' }, new Uint8Array([1])));
    await run(cluster.secrets.remove('key'));
    await run(cluster.services.scale('web', 2));
    const story = await run(all(cluster.history({ service: 'web' })));
    expect(story.map(({ type }) => type)).toEqual(['service.created', 'service.updated']);
    await run(cluster.close());
  });
});
