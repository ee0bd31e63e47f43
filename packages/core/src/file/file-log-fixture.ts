/** What tests of the file log share: a log on a simulated disk, under a clock that waits for nothing. */

import type { EventLog } from '../log/event-log.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Random, seededRandom } from '../runtime/random.ts';
import { FileEventLog } from './file-event-log.ts';
import type { DataKey, KeyProvider } from './keys.ts';
import type { FileEventLogOptions } from './options.ts';
import { SimulatedDisk } from './simulated-disk.ts';

/** Time that stands still, with timers that fire when a test says so. */
export class ManualClock implements Clock {
  #timers = new Set<() => void>();

  now(): number {
    return 0;
  }

  monotonic(): number {
    return 0;
  }

  setTimer(_delayMs: number, callback: () => void): () => void {
    const timer = () => callback();
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  defer(callback: () => void): () => void {
    let cancelled = false;
    // Long enough a chain of microtasks that all who were woken have had their turn.
    const wait = (turns: number) => {
      if (cancelled) return;
      if (turns === 0) callback();
      else queueMicrotask(() => wait(turns - 1));
    };
    wait(8);
    return () => {
      cancelled = true;
    };
  }

  /** Fires all timers that are set. */
  fire(): void {
    const timers = [...this.#timers];
    this.#timers.clear();
    for (const timer of timers) timer();
  }
}

/** A provider of keys that are known beforehand. The last one is the current one. */
export function fixedKeys(...ids: readonly [string, ...string[]]): KeyProvider {
  const keys = ids.map((id): DataKey => ({ id, key: new Uint8Array(32).fill(id.charCodeAt(0)) }));
  const current = keys.at(-1) ?? { id: '', key: new Uint8Array(0) };
  return {
    currentKey: async () => current,
    keyById: async (wanted) => keys.find(({ id }) => id === wanted)?.key,
  };
}

/** Small enough files that a few entries fill them. */
export const SMALL = { segmentBytes: 4096, preallocateBytes: 1024, diskFullRetryMs: 1 } as const;

/** A simulated disk and logs on it. */
export class FileLogFixture {
  readonly dir = '/state';
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly keys: KeyProvider;
  disk: SimulatedDisk;

  constructor(seed: number, keys: KeyProvider = fixedKeys('a key')) {
    this.random = seededRandom(seed);
    this.keys = keys;
    this.disk = new SimulatedDisk(this.random);
  }

  /** A log on this disk, not opened. The disk is started if a crash had stopped it. */
  log(options: Partial<FileEventLogOptions> = {}): EventLog {
    this.disk.boot();
    const { dir, clock, random, disk, keys: keyProvider } = this;
    return new FileEventLog({ dir, clock, random, disk, keyProvider, ...SMALL, ...options });
  }

  /** Paths of segments, oldest first. */
  segments(): string[] {
    return this.disk.paths().filter((path) => path.startsWith(`${this.dir}/segments/`));
  }

  /** Paths of snapshots, oldest first. */
  snapshots(): string[] {
    return this.disk.paths().filter((path) => path.startsWith(`${this.dir}/snapshots/`));
  }
}
