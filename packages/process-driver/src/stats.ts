/** What a task's processes use, from Linux's /proc. */

import type { TaskStats } from '@skep/core/driver';
import type { Clock } from './core-types.ts';
import { groupMembers, residentBytes } from './process-table.ts';
import { Wakeup } from './wakeup.ts';

/** Processor use is measured over at least this long, unless an earlier measurement serves. */
const SPAN_MS = 200;
const SPAN_MS_MAX = 60_000;

interface Sample {
  readonly at: number;
  readonly cpuSeconds: ReadonlyMap<number, number>;
  readonly memoryBytes: number;
}

/** Measures one task, each time since the time before. */
export class StatsMeter {
  readonly #clock: Clock;
  #last: Sample | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Measures the group of a wrapper. The wrapper itself counts: it is part of the price. */
  async measure(group: number, signal: AbortSignal): Promise<TaskStats> {
    let before = this.#last;
    const age = before && this.#clock.monotonic() - before.at;
    if (before === undefined || age === undefined || age < SPAN_MS || age > SPAN_MS_MAX) {
      before = await this.#sample(group);
      const wakeup = new Wakeup(this.#clock, signal);
      try {
        await wakeup.wait(SPAN_MS);
      } finally {
        wakeup.close();
      }
    }
    const now = await this.#sample(group);
    this.#last = now;
    let cpuSeconds = 0;
    for (const [pid, seconds] of now.cpuSeconds) cpuSeconds += seconds - (before.cpuSeconds.get(pid) ?? 0);
    const cpus = (cpuSeconds * 1000) / Math.max(1, now.at - before.at);
    return { at: this.#clock.now(), cpus: Math.max(0, cpus), memoryBytes: now.memoryBytes };
  }

  async #sample(group: number): Promise<Sample> {
    const members = await groupMembers(group);
    return {
      at: this.#clock.monotonic(),
      cpuSeconds: new Map(members.map((row) => [row.pid, row.cpuSeconds])),
      memoryBytes: members.reduce((sum, row) => sum + residentBytes(row.pid), 0),
    };
  }
}
