/**
 * Measures the file storage on the disk at hand: durable, sealed batches of one 256-byte entry with 1, 100 and 1,000
 * under way, and the opening of a log of 256-byte entries.
 *
 * `node --conditions=@skep/source --import=tsx packages/raft/bench-storage.ts [--dir <directory>] [--entries <n>]
 * [--seconds <n>] [--per-batch <n>]`
 */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FileStorage, KeyRing } from './src/adapters/file-storage/index.ts';
import type { Entry } from './src/core/types.ts';

const ENTRY_BYTES = 256;

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: tmpdir() },
    entries: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '3' },
    'per-batch': { type: 'string', default: '100' },
  },
});

const keys = new KeyRing({ id: 'bench', key: randomBytes(32) });
const payload = randomBytes(ENTRY_BYTES);

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(values.dir, 'skep-raft-bench-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A closed loop: each of `concurrent` hands over its next batch when its last one is durable. */
async function measureBatches(concurrent: number, seconds: number): Promise<void> {
  await inDirectory(async (directory) => {
    const storage = new FileStorage({ directory, keys });
    await storage.open();
    const latencies: number[] = [];
    let index = 0;
    const start = performance.now();
    const end = start + seconds * 1000;
    const loop = async () => {
      while (performance.now() < end) {
        index += 1;
        const begun = performance.now();
        const entries: Entry[] = [{ kind: 'command', index, term: 1, payload }];
        await storage.persist({ sequence: index, hardState: { term: 1, commit: 0 }, entries, messages: [] });
        latencies.push(performance.now() - begun);
      }
    };
    await Promise.all(Array.from({ length: concurrent }, loop));
    const elapsed = (performance.now() - start) / 1000;
    const syncs = storage.status?.syncs ?? 0;
    await storage.close();
    latencies.sort((one, other) => one - other);
    const quantile = (q: number) => (latencies[Math.floor(latencies.length * q)] ?? 0).toFixed(2);
    const rate = Math.round(latencies.length / elapsed);
    console.log(
      `${String(concurrent).padStart(5)} under way  ${String(rate).padStart(7)} batches/s  p50 ${quantile(0.5)} ms  ` +
        `p99 ${quantile(0.99)} ms  ${Math.round(syncs / elapsed)} syncs/s`,
    );
  });
}

async function measureOpening(count: number, perBatch: number): Promise<void> {
  await inDirectory(async (directory) => {
    const storage = new FileStorage({ directory, keys, groupBytes: 1 });
    await storage.open();
    let sequence = 0;
    for (let first = 1; first <= count; first += perBatch) {
      const length = Math.min(perBatch, count - first + 1);
      const entries = Array.from({ length }, (_, at): Entry => {
        return { kind: 'command', index: first + at, term: 1, payload };
      });
      sequence += 1;
      await storage.persist({ sequence, hardState: { term: 1, commit: first }, entries, messages: [] });
    }
    await storage.close();
    const again = new FileStorage({ directory, keys });
    let longest = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const start = performance.now();
    const before = process.cpuUsage();
    const { stored } = await again.open();
    const elapsed = performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    clearInterval(watch);
    if (stored.entries.length !== count) throw new Error(`${stored.entries.length} entries came back`);
    console.log(
      `opening ${count} entries, ${perBatch} a frame: ${Math.round(elapsed)} ms, ` +
        `${Math.round((user + system) / 1000)} ms of processor time, longest pause ${Math.round(longest)} ms`,
    );
    await again.close();
  });
}

for (const concurrent of [1, 100, 1000]) await measureBatches(concurrent, Number(values.seconds));
await measureOpening(Number(values.entries), Number(values['per-batch']));
