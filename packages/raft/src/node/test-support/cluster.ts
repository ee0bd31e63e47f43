/** Members of one cluster in this process, under virtual time, with disks that outlive them. For tests. */

import { SimulatedClock, seededRandom } from '@skep/core/testing';
import { configurationOf } from '../../core/membership.ts';
import type { Random } from '../../core/types.ts';
import { MemoryDisk } from '../../storage/memory-storage.ts';
import { MemoryNetwork, type MemoryNetworkOptions } from '../../transport/memory-transport.ts';
import type { RaftNodeOptions } from '../options.ts';
import type { RaftMetricLabels, RaftMetrics } from '../ports.ts';

/** Adds up what is counted, by name and labels. */
export class CountingMetrics implements RaftMetrics {
  readonly counts = new Map<string, number>();

  count(name: string, by: number, labels: RaftMetricLabels = {}): void {
    const key = [name, ...Object.values(labels)].join(' ');
    this.counts.set(key, (this.counts.get(key) ?? 0) + by);
  }

  gauge(): void {}

  observe(): void {}
}

/** What members share. */
export class TestCluster {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly disks = new Map<string, MemoryDisk>();
  readonly metrics = new CountingMetrics();
  readonly #seed: number;
  #lives = 0;
  #isRunning = false;
  #run: Promise<void> = Promise.resolve();

  constructor(seed: number, network: Partial<MemoryNetworkOptions> = {}) {
    this.#seed = seed;
    this.random = seededRandom(seed);
    this.network = new MemoryNetwork({ clock: this.clock, random: this.random, ...network });
  }

  disk(id: string): MemoryDisk {
    const disk = this.disks.get(id) ?? new MemoryDisk();
    this.disks.set(id, disk);
    return disk;
  }

  /** What the next life of a member is made of, but for its machine. */
  parts(id: string, voters: readonly string[]): Omit<RaftNodeOptions, 'machine'> {
    this.#lives++;
    return {
      id,
      storage: this.disk(id).open(),
      transport: this.network.join(id, this.metrics),
      clock: this.clock,
      random: seededRandom(this.#seed * 1000 + this.#lives),
      metrics: this.metrics,
      ...(voters.length === 0 ? {} : { bootstrap: configurationOf(voters) }),
    };
  }

  /** Lets virtual time pass by itself until {@link stop}. */
  run(): this {
    this.#isRunning = true;
    this.#run = (async () => {
      while (this.#isRunning) await this.clock.advance(10);
    })();
    return this;
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#run;
  }
}
