import { Cluster, seededRandom } from '@skep/core';
import { describe, expect, it } from 'vitest';
import { TestCluster } from '../node/test-support/cluster.ts';
import { RaftEventLog } from './raft-event-log.ts';

const IDS = ['a', 'b', 'c'];

/** Three managers of one cluster in this process, under virtual time, with disks that outlive them. */
class ThreeManagers {
  readonly members: TestCluster;
  readonly open = new Map<string, Cluster>();
  #life = 0;

  constructor(seed: number) {
    this.members = new TestCluster(seed);
  }

  static async opened(seed: number): Promise<ThreeManagers> {
    const managers = new ThreeManagers(seed);
    await managers.members.clock.run(Promise.all(IDS.map((id) => managers.start(id))));
    return managers;
  }

  async start(id: string): Promise<Cluster> {
    this.#life += 1;
    const { clock } = this.members;
    const log = new RaftEventLog(this.members.parts(id, IDS));
    const cluster = await Cluster.open({ log, clock, random: seededRandom(this.#life), timeout: 20_000 });
    this.open.set(id, cluster);
    return cluster;
  }

  /** The process dies: what was not on its disk is lost. */
  async kill(id: string): Promise<void> {
    const cluster = this.open.get(id);
    this.members.disk(id).crash();
    this.members.network.join(id);
    this.open.delete(id);
    await this.members.clock.run(cluster?.close({ tasks: 'leave' }) ?? Promise.resolve());
  }

  async leader(): Promise<readonly [id: string, cluster: Cluster]> {
    const leading = () => [...this.open].find(([, cluster]) => cluster.health.leading);
    await this.members.clock.runUntil(() => leading() !== undefined);
    return leading() ?? expect.fail('nobody leads');
  }

  async followers(): Promise<(readonly [id: string, cluster: Cluster])[]> {
    const [leader] = await this.leader();
    return [...this.open].filter(([id]) => id !== leader);
  }

  /** Creates services through whoever leads, one behind the other. Those that were acknowledged, by name. */
  async load(prefix: string, count: number): Promise<string[]> {
    const acknowledged: string[] = [];
    for (let number = 0; number < count; number++) {
      const [, cluster] = await this.leader();
      const name = `${prefix}-${number}`;
      const created = cluster.services.create({ name, task: { image: 'web' }, replicas: 2 }).then(
        () => acknowledged.push(name),
        () => {},
      );
      await this.members.clock.run(created);
    }
    return acknowledged;
  }

  /** Lets time pass until all that run hold the same, and answers with the names of the services there. */
  async converged(): Promise<string[]> {
    const all = () => [...this.open.values()];
    const isEven = () => new Set(all().map(({ health }) => health.index)).size === 1;
    await this.members.clock.advance(500);
    await this.members.clock.runUntil(isEven);
    const names = all().map((cluster) =>
      cluster.services
        .list()
        .map(({ spec }) => spec.name)
        .sort(),
    );
    for (const each of names) expect(each).toEqual(names[0]);
    const tasks = all().map((cluster) => cluster.tasks.list().map(({ id, status }) => [id, status]));
    for (const each of tasks) expect(each).toEqual(tasks[0]);
    return names[0] ?? [];
  }

  async close(): Promise<void> {
    for (const cluster of this.open.values()) await this.members.clock.run(cluster.close({ tasks: 'leave' }));
  }
}

describe('three managers on one log', () => {
  it('given a follower, then it reads and watches, and refuses commands naming who leads', async () => {
    const managers = await ThreeManagers.opened(41);
    const [leader] = await managers.leader();
    const [[, follower] = expect.fail('nobody follows')] = await managers.followers();
    const seen: string[] = [];
    const watch = follower.watch({ kind: 'service' }).subscribe((change) => {
      if ('object' in change && change.object !== undefined) seen.push(change.object.spec.name);
    });
    const acknowledged = await managers.load('web', 3);
    await managers.converged();
    expect(acknowledged).toEqual(['web-0', 'web-1', 'web-2']);
    expect([...new Set(seen)]).toEqual(acknowledged);
    await expect(
      managers.members.clock.run(follower.services.create({ name: 'no', task: { image: 'web' } })),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'not-leader', leader, retryable: true });
    expect(await managers.converged()).toEqual(acknowledged);
    watch.unsubscribe();
    await managers.close();
  });

  it.each([42, 43, 44])(
    'given seed %i, when leaders die one after the other under load, then nothing acknowledged is lost and all agree',
    async (seed) => {
      const managers = await ThreeManagers.opened(seed);
      const acknowledged: string[] = [];
      for (let round = 0; round < 4; round++) {
        const [leader, cluster] = await managers.leader();
        acknowledged.push(...(await managers.load(`before-${round}`, 2)));
        const inFlight = Array.from({ length: 5 }, (_, at) => {
          const name = `amid-${round}-${at}`;
          return cluster.services.create({ name, task: { image: 'web' } }).then(
            () => name,
            (error: { readonly code: string }) => ({ code: error.code }),
          );
        });
        await managers.kill(leader);
        const outcomes = await managers.members.clock.run(Promise.all(inFlight));
        for (const outcome of outcomes) {
          if (typeof outcome === 'string') acknowledged.push(outcome);
          else expect(['OUTCOME_UNKNOWN', 'UNAVAILABLE', 'CLOSED']).toContain(outcome.code);
        }
        acknowledged.push(...(await managers.load(`after-${round}`, 2)));
        await managers.members.clock.run(managers.start(leader));
      }
      expect(await managers.converged()).toEqual(expect.arrayContaining(acknowledged));
      expect(acknowledged.length).toBeGreaterThanOrEqual(16);
      await managers.close();
    },
  );
});
