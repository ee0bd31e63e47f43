/** Three managers on one log in one process, for tests. */

import { Cluster, type ClusterOptions, seededRandom } from '@skep/core';
import { expect } from 'vitest';
import { TestCluster } from '../../node/test-support/cluster.ts';
import { RaftEventLog } from '../raft-event-log.ts';

const IDS = ['a', 'b', 'c'];

/** Three managers of one cluster in this process, under virtual time, with disks that outlive them. */
export class ThreeManagers {
  readonly members: TestCluster;
  readonly open = new Map<string, Cluster>();
  readonly #options: (id: string) => ClusterOptions;
  #life = 0;

  constructor(seed: number, options: (id: string) => ClusterOptions) {
    this.members = new TestCluster(seed);
    this.#options = options;
  }

  /** @param options - of each member, each time that it is opened. */
  static async opened(
    seed: number,
    options: (id: string) => ClusterOptions = () => ({}),
  ): Promise<ThreeManagers> {
    const managers = new ThreeManagers(seed, options);
    await managers.members.clock.run(Promise.all(IDS.map((id) => managers.start(id))));
    return managers;
  }

  async start(id: string): Promise<Cluster> {
    this.#life += 1;
    const { clock } = this.members;
    const log = new RaftEventLog(this.members.parts(id, IDS));
    const cluster = await Cluster.open({
      log,
      clock,
      random: seededRandom(this.#life),
      timeout: 20_000,
      ...this.#options(id),
    });
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
