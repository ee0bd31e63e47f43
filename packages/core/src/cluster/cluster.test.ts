import { describe, expect, it } from 'vitest';
import { FileEventLog } from '../file/file-event-log.ts';
import { SimulatedDisk } from '../file/simulated-disk.ts';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';
import type { ClusterOptions } from './cluster-options.ts';

const MINUTE_MS = 60_000;

/** A world in virtual time: a machine for tasks, a disk for logs, and clusters that come and go on them. */
function aWorld(seed = 1) {
  const clock = new SimulatedClock();
  const random = seededRandom(seed);
  const host = new SimulatedHost({ clock, random: seededRandom(seed + 1) });
  const disk = new SimulatedDisk(seededRandom(seed + 2));
  const lines: unknown[] = [];
  const note = (fields: unknown, message: string) => void lines.push({ message, fields });
  const logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 10 * MINUTE_MS });
  const driver = () => new SimulatedDriver({ host });
  const open = (options: ClusterOptions = {}) => {
    return run(Cluster.open({ clock, random, logger, driver: driver(), ...options }));
  };
  const openOnDisk = (options: ClusterOptions = {}) => {
    const log = new FileEventLog({ dir: '/log', disk, clock, random, keyProvider: aKey });
    return open({ log, ...options });
  };
  return { clock, host, disk, lines, run, driver, open, openOnDisk };
}

const key = () => ({ id: 'test', key: new Uint8Array(32).fill(7) });
const aKey = { currentKey: async () => key(), keyById: async () => key().key };

const web = { name: 'web', task: { image: 'web' }, replicas: 3 };

describe('given a cluster with one node', () => {
  it('when a service is created, then its tasks come to run', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const { id } = await run(cluster.services.create(web));
    const status = await run(cluster.services.waitFor(id, 'running'));
    expect(status).toMatchObject({ desired: 3, running: 3, converged: true, reasons: [] });
    await run(cluster.close());
  });

  it('when a task is killed, then another takes its slot after the restart delay', async () => {
    const { clock, host, run, open } = aWorld();
    const cluster = await open();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    const [killed] = cluster.tasks.list({ service: 'web' });
    host.kill(killed?.id ?? ('' as never), 3);
    await clock.advance(4_900);
    expect(cluster.services.status('web')).toMatchObject({ running: 2, converged: false });
    await clock.advance(1_000);
    expect(cluster.services.status('web')).toMatchObject({ running: 3, converged: true });
    expect(cluster.tasks.inspect(killed?.id ?? '').status).toMatchObject({ state: 'failed', exitCode: 3 });
    await run(cluster.close());
  });

  it('when a service is scaled, updated and removed, then what runs follows', async () => {
    const { host, run, open } = aWorld();
    const cluster = await open();
    await run(cluster.services.create(web));
    await run(cluster.services.scale('web', 5));
    expect(await run(cluster.services.waitFor('web', 'running'))).toMatchObject({ running: 5 });
    await run(
      cluster.services.update('web', (spec) => ({ ...spec, task: { ...spec.task, env: { A: 'b' } } })),
    );
    await run(cluster.services.waitFor('web', 'running'));
    expect(cluster.tasks.list({ service: 'web', state: 'running' }).map(({ spec }) => spec.env)).toEqual(
      Array.from({ length: 5 }, () => ({ A: 'b' })),
    );
    await run(cluster.services.remove('web'));
    await run(cluster.services.waitFor('web', 'removed'));
    expect(host.running()).toEqual([]);
    expect(cluster.tasks.list()).toEqual([]);
    await run(cluster.close());
  });

  it('when the same spec is applied twice, then the second changes nothing and says so', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    expect(await run(cluster.services.apply(web))).toMatchObject({ action: 'created' });
    const index = () => cluster.health.index;
    await run(cluster.services.waitFor('web', 'running'));
    const before = index();
    expect(await run(cluster.services.apply(web))).toMatchObject({ action: 'unchanged', changes: [] });
    expect(index()).toBe(before);
    expect(await run(cluster.services.apply({ ...web, replicas: 4 }))).toMatchObject({
      action: 'updated',
      changes: ['replicas'],
    });
    await run(cluster.close());
  });

  it('when a service can not be placed, then waiting for it ends with the reason', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const constraints = ['node.labels.disk==ssd'];
    await run(cluster.services.create({ ...web, task: { image: 'web', placement: { constraints } } }));
    const waiting = run(cluster.services.waitFor('web', 'running', { timeout: 1_000 }));
    await expect(waiting).rejects.toMatchObject({
      code: 'TIMEOUT',
      reasons: [
        'no suitable node (scheduling constraints not satisfied on 1 node: node.labels.disk==ssd) (3 tasks)',
      ],
    });
    await run(cluster.nodes.update('node-1', { labels: { disk: 'ssd' } }));
    expect(await run(cluster.services.waitFor('web', 'running'))).toMatchObject({ running: 3 });
    await run(cluster.close());
  });

  it('when a spec is larger than a transaction may be, then it is refused and the next command goes on', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const labels = { big: 'x'.repeat(2 ** 21) };
    await expect(run(cluster.services.create({ ...web, labels }))).rejects.toMatchObject({
      code: 'INVALID_SPEC',
      retryable: false,
    });
    expect(await run(cluster.services.create(web))).toMatchObject({ action: 'created' });
    await run(cluster.close());
  });

  it('when a task fails again and again, then its service says until when it waits, and after what', async () => {
    const { clock, host, run, open } = aWorld();
    host.setBehaviour('flaky', { runMs: 10, exitCode: 3 });
    const cluster = await open();
    await run(cluster.services.create({ name: 'flaky', task: { image: 'flaky' } }));
    await clock.advance(1_000);
    const reason = /^restart waits until \d{4}-.*Z after: task failed: task: non-zero exit \(3\)$/;
    expect(cluster.services.status('flaky').reasons).toEqual([expect.stringMatching(reason)]);
    const restart = { condition: 'none' } as const;
    await run(cluster.services.create({ name: 'once', task: { image: 'flaky', restart } }));
    await clock.advance(1_000);
    expect(cluster.services.status('once').reasons).toEqual([
      'task failed: task: non-zero exit (3); its restart policy allows no more',
    ]);
    await run(cluster.close());
  });

  it('when it is closed with commands on their way, then no committed one is told as failed', async () => {
    const { run, openOnDisk } = aWorld();
    const cluster = await openOnDisk();
    const outcomes = Promise.allSettled(
      Array.from({ length: 20 }, (_, number) =>
        cluster.services.create({ name: `s-${number}`, task: { image: 'web' }, replicas: 0 }),
      ),
    );
    await run(cluster.close());
    const acknowledged = (await outcomes).filter(({ status }) => status === 'fulfilled');
    const again = await openOnDisk();
    expect(again.services.list()).toHaveLength(acknowledged.length);
    await run(again.close());
  });

  it('when its driver hangs, then opening and adding nodes end by their time-out', async () => {
    const { clock, host, run } = aWorld();
    const hanging = Object.assign(new SimulatedDriver({ host }), {
      describe: () => Promise.reject(new Error('no engine here')),
    });
    await expect(run(Cluster.open({ clock, driver: hanging, timeout: 3_000 }))).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    const cluster = await run(Cluster.open({ clock }));
    const adding = run(cluster.addNode({ driver: hanging, hostname: 'x', timeout: 3_000 }));
    await expect(adding).rejects.toMatchObject({ code: 'TIMEOUT', reasons: ['no engine here'] });
    expect(cluster.localNodes).toEqual([]);
    await run(cluster.close());
  });

  it.each([undefined, null, 5, {}])(
    'when %s is given for a name, then it is refused with a type',
    async (bad) => {
      const { run, open } = aWorld();
      const cluster = await open();
      const ref = bad as unknown as string;
      const calls = [
        () => cluster.services.inspect(ref),
        () => cluster.services.remove(ref),
        () => cluster.services.waitFor(ref, 'running'),
        () => cluster.nodes.inspect(ref),
        () => cluster.tasks.inspect(ref),
        () => cluster.secrets.inspect(ref),
        () => cluster.currentEndpoints(ref),
        () => cluster.endpoints(ref),
      ];
      for (const call of calls) {
        const refused = run((async () => call())());
        await expect(refused).rejects.toMatchObject({ code: 'INVALID_SPEC' });
      }
      await run(cluster.close());
    },
  );

  it('when a reader leaves while it waits, then it is let go at once', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const reader = cluster.watch({ kind: 'service' })[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ type: 'synced' });
    const waiting = reader.next();
    expect(await reader.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(() => cluster.watch({ kind: 'services' as never })).toThrow('kind: must be one of');
    await run(cluster.close());
  });

  it('when a command is sent again under its id, then it is carried out once', async () => {
    const { run, open } = aWorld();
    const cluster = await open();
    const first = await run(cluster.services.create(web, { commandId: 'c-1' }));
    const second = await run(cluster.services.create(web, { commandId: 'c-1' }));
    expect(second).toMatchObject({ id: first.id, action: 'created' });
    expect(cluster.services.list()).toHaveLength(1);
    await run(cluster.services.remove('web', { commandId: 'c-2' }));
    expect(await run(cluster.services.remove('web', { commandId: 'c-2' }))).toEqual({ id: first.id });
    expect(await run(cluster.services.create(web, { commandId: 'c-1' }))).toMatchObject({ id: first.id });
    await expect(run(cluster.nodes.remove('node-1', { commandId: 'c-1' }))).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await run(cluster.close());
  });

  it('when it is closed, then its tasks are stopped, and every wait, watch and command ends', async () => {
    const { host, run, open } = aWorld();
    const cluster = await open();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    const waiting = cluster.services.waitFor('web', 'removed').catch((error: unknown) => error);
    const watching = (async () => {
      for await (const _ of cluster.watch());
      return 'ended';
    })();
    await run(cluster.close());
    expect(host.running()).toEqual([]);
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect(await watching).toBe('ended');
    await expect(cluster.services.scale('web', 1)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('given a cluster with three nodes', () => {
  async function threeNodes() {
    const world = aWorld();
    const cluster = await world.open({ node: { hostname: 'a' } });
    for (const hostname of ['b', 'c']) {
      await world.run(cluster.addNode({ hostname, driver: world.driver() }));
    }
    const nodesOf = (service: string) => {
      const running = cluster.tasks.list({ service, state: 'running' });
      const names = running.map(({ nodeId }) => cluster.nodes.inspect(nodeId ?? '').description.hostname);
      return names.sort();
    };
    return { ...world, cluster, nodesOf };
  }

  it('when services are created, then replicas spread over the nodes and a global one is on each', async () => {
    const { run, cluster, nodesOf } = await threeNodes();
    await run(cluster.services.create({ ...web, replicas: 6 }));
    await run(cluster.services.create({ name: 'agent', mode: 'global', task: { image: 'agent' } }));
    for (const name of ['web', 'agent']) await run(cluster.services.waitFor(name, 'running'));
    expect(nodesOf('web')).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    expect(nodesOf('agent')).toEqual(['a', 'b', 'c']);
    await run(cluster.close());
  });

  it('when a node is watched by its hostname, then only its tasks are told', async () => {
    const { run, cluster } = await threeNodes();
    await run(cluster.services.create({ ...web, replicas: 6 }));
    await run(cluster.services.waitFor('web', 'running'));
    const seen: (string | undefined)[] = [];
    for await (const event of cluster.watch({ kind: 'task', node: 'b' })) {
      if (event.type === 'synced') break;
      if (event.type === 'current') seen.push(event.object.nodeId);
    }
    const { id } = cluster.nodes.inspect('b');
    expect(seen).toEqual([id, id]);
    await run(cluster.close());
  });

  it('when a node is drained, then its tasks move and nothing new comes to it', async () => {
    const { run, cluster, nodesOf } = await threeNodes();
    await run(cluster.services.create({ ...web, replicas: 6 }));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.nodes.update('a', { availability: 'drain' }));
    await run(cluster.services.waitFor('web', 'running'));
    expect(nodesOf('web')).toEqual(['b', 'b', 'b', 'c', 'c', 'c']);
    await run(cluster.close());
  });

  it('when a node is lost, then it is down within 3.5 s and its tasks run elsewhere within 5 s', async () => {
    const { clock, run, cluster, nodesOf } = await threeNodes();
    await run(cluster.services.create({ ...web, replicas: 3 }));
    await run(cluster.services.waitFor('web', 'running'));
    const lost = cluster.localNodes.find(({ hostname }) => hostname === 'c');
    await run(lost?.close({ tasks: 'leave' }) ?? Promise.resolve());
    await clock.advance(3_000);
    expect(cluster.nodes.inspect('c').status.state).toBe('ready');
    await clock.advance(2_000);
    expect(cluster.nodes.inspect('c').status.state).toBe('down');
    expect(nodesOf('web').filter((name) => name !== 'c')).toHaveLength(3);
    await run(cluster.close());
  });

  it('when a node is lost for good, then its services converge without it, and can be removed', async () => {
    const { clock, run, cluster } = await threeNodes();
    await run(cluster.services.create({ ...web, replicas: 3 }));
    await run(cluster.services.create({ name: 'agent', mode: 'global', task: { image: 'agent' } }));
    for (const name of ['web', 'agent']) await run(cluster.services.waitFor(name, 'running'));
    const lost = cluster.localNodes.find(({ hostname }) => hostname === 'c');
    await run(lost?.close({ tasks: 'leave' }) ?? Promise.resolve());
    await clock.advance(10_000);
    for (const name of ['web', 'agent']) {
      expect(cluster.services.status(name)).toMatchObject({ converged: true, reasons: [] });
      await run(cluster.services.remove(name));
      await run(cluster.services.waitFor(name, 'removed', { timeout: 30_000 }));
    }
    await run(cluster.close());
  });

  it('when endpoints are watched, then a stopped task leaves as soon as it is told to stop', async () => {
    const { run, cluster } = await threeNodes();
    const counts: number[] = [];
    cluster.endpoints('web').subscribe((endpoints) => counts.push(endpoints.length));
    await run(cluster.services.create({ ...web, ports: [{ target: 80 }] }));
    await run(cluster.services.waitFor('web', 'running'));
    expect(counts.at(-1)).toBe(3);
    expect(cluster.currentEndpoints('web')[0]?.ports).toMatchObject([{ target: 80 }]);
    await run(cluster.services.scale('web', 1));
    await run(cluster.services.waitFor('web', 'running'));
    expect(counts.at(-1)).toBe(1);
    expect(counts[0]).toBe(0);
    await run(cluster.close());
  });
});

describe('given a cluster on disk', () => {
  it('when its machine loses power and it is opened again, then it is as it was and goes on', async () => {
    const world = aWorld();
    const { host, disk, run, openOnDisk } = world;
    const cluster = await openOnDisk();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    const before = cluster.services.inspect('web');
    disk.crash();
    host.reboot();
    await run(cluster.close({ tasks: 'leave' }));
    disk.boot();

    const again = await openOnDisk();
    expect(again.info.id).toBe(cluster.info.id);
    expect(again.nodes.list().map(({ id }) => id)).toEqual(cluster.nodes.list().map(({ id }) => id));
    expect(again.services.inspect('web')).toEqual(before);
    expect(await run(again.services.waitFor('web', 'running'))).toMatchObject({ running: 3 });
    await run(again.close());
  });

  it('when its process dies and the tasks do not, then they are found again and none is started twice', async () => {
    const { host, disk, run, openOnDisk } = aWorld();
    const cluster = await openOnDisk();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    const running = host.running().map(({ id }) => id);
    disk.kill();
    await run(cluster.close({ tasks: 'leave' }));
    disk.boot();

    const again = await openOnDisk();
    await run(again.services.waitFor('web', 'running'));
    expect(host.running().map(({ id }) => id)).toEqual(running);
    expect(host.running().every(({ starts }) => starts === 1)).toBe(true);
    await run(again.close());
  });

  it('when it is closed and opened again, then its tasks run again at once', async () => {
    const { run, clock, driver, openOnDisk } = aWorld();
    const hostnames = ['b', 'c'];
    const openThree = async () => {
      const cluster = await openOnDisk({ node: { hostname: 'a' } });
      for (const hostname of hostnames) await run(cluster.addNode({ hostname, driver: driver() }));
      return cluster;
    };
    const cluster = await openThree();
    await run(cluster.services.create({ ...web, task: { ...web.task, restart: { condition: 'none' } } }));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.close());
    const closedAt = clock.now();
    const again = await openThree();
    await run(again.services.waitFor('web', 'running'));
    expect(clock.now() - closedAt).toBeLessThan(2_000);
    expect(again.tasks.list({ state: 'running' })).toHaveLength(3);
    await run(again.close());
  });

  it('when the disk is full, then commands are refused with the reason, reads go on, and room heals it', async () => {
    const { clock, disk, run, openOnDisk } = aWorld();
    const cluster = await openOnDisk();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    disk.capacity = 0;
    // Some still fits into what the log has taken of the disk before.
    const acknowledged = ['web'];
    const refusals: unknown[] = [];
    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      const big = { name, labels: { big: 'x'.repeat(400_000) }, task: { image: 'web' }, replicas: 0 };
      const created = run(cluster.services.create(big));
      await created.then(
        () => acknowledged.push(name),
        (error: unknown) => refusals.push(error),
      );
    }
    expect(refusals.length).toBeGreaterThan(1);
    for (const error of refusals) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'disk-full', retryable: true });
    }
    expect(cluster.services.list().map(({ spec }) => spec.name)).toEqual(acknowledged);
    expect(cluster.services.status('web').running).toBe(3);

    disk.capacity = Number.POSITIVE_INFINITY;
    await clock.advance(10_000);
    await run(cluster.services.create({ name: 'after', task: { image: 'web' } }));
    expect(await run(cluster.services.waitFor('after', 'running'))).toMatchObject({ running: 1 });
    await run(cluster.close());
  });

  it('when a secret is kept and removed, then its value is nowhere in clear, and nowhere at all after', async () => {
    const { disk, lines, run, openOnDisk } = aWorld();
    const value = 'correct horse battery staple';
    const cluster = await openOnDisk();
    const seen: unknown[] = [];
    cluster.watch().subscribe((event) => seen.push(event));
    await run(cluster.secrets.create({ name: 'password' }, new TextEncoder().encode(value)));
    const task = { image: 'web', secrets: [{ name: 'password' }] };
    await run(cluster.services.create({ name: 'db', task: { ...task, registryAuth: `token ${value}` } }));
    await run(cluster.services.waitFor('db', 'running'));
    await expect(run(cluster.secrets.remove('password'))).rejects.toMatchObject({
      code: 'IN_USE',
      users: ['db'],
    });
    const entriesBefore = cluster.health.log.first;
    await run(cluster.services.remove('db'));
    await run(cluster.secrets.remove('password'));

    const told = JSON.stringify([seen, lines, cluster.services.list(), cluster.secrets.list()]);
    expect(told).not.toContain(value);
    const bytes = disk.paths().map((path) => new TextDecoder('latin1').decode(disk.contents(path)));
    expect(bytes.join('\n')).not.toContain(value);
    // What held the value is not among the entries that are kept, so no key can bring it back.
    expect(cluster.health.log.snapshot).toBeGreaterThan(entriesBefore);
    await run(cluster.close());
  });

  it('when the process dies between the removal of a secret and the compaction, then the next one does it', async () => {
    const { disk, run, openOnDisk } = aWorld();
    const cluster = await openOnDisk();
    await run(cluster.secrets.create({ name: 'password' }, new TextEncoder().encode('hunter2')));
    cluster.watch({ kind: 'secret' }).subscribe(({ type }) => {
      if (type === 'removed') disk.kill();
    });
    await run(cluster.secrets.remove('password')).catch(() => {});
    await run(cluster.close({ tasks: 'leave' }));
    disk.boot();
    const again = await openOnDisk();
    expect(again.secrets.list()).toEqual([]);
    await run(again.secrets.create({ name: 'other' }, new Uint8Array([1])));
    // What replay found is forgotten by itself, with nobody asking.
    expect(again.health.log.snapshot).toBeGreaterThan(0);
    await run(again.close());
  });

  it('when the log can not be compacted, then the removal of a secret says so, and it is tried again', async () => {
    const { clock, run, disk, openOnDisk } = aWorld();
    const cluster = await openOnDisk();
    await run(cluster.secrets.create({ name: 'password' }, new TextEncoder().encode('hunter2')));
    const before = disk.paths();
    disk.failNextSync((path) => path.includes('snapshots'));
    await expect(run(cluster.secrets.remove('password'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'not-compacted',
    });
    expect(cluster.secrets.list()).toEqual([]);
    await clock.advance(5_000);
    expect(cluster.health.log.snapshot).toBeGreaterThan(0);
    expect(disk.paths()).not.toEqual(before);
    await run(cluster.close());
  });
});
