import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { LogModel } from './log-model.ts';
import { batchOf, below, bytesOf, commands, StorageFixture } from './storage-fixture.ts';

/** More find rarer crashes: `SKEP_CRASH_RUNS=5000 npx vitest run packages/raft/src/adapters/file-storage`. */
const RUNS = Number(process.env['SKEP_CRASH_RUNS'] ?? 100);
const TIMEOUT = Math.max(60_000, RUNS * 500);

const FAULTS = [
  'none',
  'power-cut',
  'power-cut',
  'sync-fails',
  'write-fails',
  'write-refused',
  'disk-full',
] as const;
type Fault = (typeof FAULTS)[number];

/** Opens, with the power failing now and then while it does. Anything else that keeps it from opening is a fault. */
async function openThroughPowerCuts(fixture: StorageFixture) {
  for (let attempt = 0; ; attempt++) {
    const storage = fixture.storage();
    if (attempt < 3 && fixture.random.next() < 0.4) fixture.disk.cutPowerAfter(below(fixture.random, 40));
    try {
      const recovered = await storage.open();
      fixture.disk.boot();
      return { storage, recovered };
    } catch (error) {
      const { cause } = error as Error;
      if (!String(cause).includes('EIO')) throw error;
      fixture.disk.crash();
      fixture.disk.boot();
    }
  }
}

/** The disk, whose power fails as soon as anything was renamed. */
function dyingAtRename({ audit, disk }: StorageFixture): Disk {
  return {
    ...audit.watch(disk),
    rename: async (from, to) => {
      await disk.rename(from, to);
      disk.cutPowerAfter(0);
    },
  };
}

function arm(fixture: StorageFixture, fault: Fault): void {
  const { disk, random } = fixture;
  if (fault === 'power-cut') disk.cutPowerAfter(below(random, 250));
  if (fault === 'disk-full') {
    const used = disk.paths().reduce((sum, path) => sum + disk.contents(path).length, 0);
    disk.capacity = used + below(random, 6000);
  }
}

describe('a file storage after crashes', { timeout: TIMEOUT }, () => {
  it(
    'given any writes and any end, then what comes back is a state that was handed over, none older than what was acknowledged',
    async () => {
      const property = async (seed: number) => {
        const fixture = new StorageFixture(seed);
        const { disk, random, audit } = fixture;
        const model = new LogModel(random);
        for (let life = 0; life < 5; life++) {
          const { storage, recovered } = await openThroughPowerCuts(fixture);
          await model.adopt(recovered.stored, (snapshot) => bytesOf(storage.readSnapshot(snapshot)));
          const fault = FAULTS[below(random, FAULTS.length)] ?? 'none';
          arm(fixture, fault);
          const steps = 10 + below(random, 30);
          for (let step = 0; step < steps; step++) {
            if (step === 5 && fault === 'sync-fails') disk.failNextSync((path) => path.includes('wal'));
            if (step === 5 && fault === 'write-fails') disk.failNextWrite();
            if (step % 5 === 0 && fault === 'write-refused') disk.failNextWrite(() => true, 'ENOSPC');
            if (random.next() < 0.03) model.note(storage.rotateKey());
            await model.step(storage);
            if (storage.status?.retryFrom !== undefined) {
              disk.capacity = Number.POSITIVE_INFINITY;
              await model.retry(storage);
            }
          }
          disk.capacity = Number.POSITIVE_INFINITY;
          const end = random.next();
          if (end < 0.3) await storage.close();
          if (end < 0.8) disk.crash();
          else disk.kill();
          await model.settled();
          await storage.close();
          disk.boot();
          expect(audit.reused).toEqual([]);
        }
      };
      await fc.assert(fc.asyncProperty(fc.integer(), property), { numRuns: RUNS });
    },
    TIMEOUT,
  );

  it('given a process that dies before the name of its segment is synced, when power fails at the same place in the next one, then nothing is missed', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const fixture = new StorageFixture(seed);
      const { disk } = fixture;
      const first = await fixture.opened();
      await first.persist(batchOf(1, { entries: commands(1, 9) }));
      disk.kill();
      for (const end of ['kill', 'crash'] as const) {
        disk.boot();
        await expect(fixture.storage({ disk: dyingAtRename(fixture) }).open()).rejects.toThrow();
        disk[end]();
      }
      disk.boot();
      const { stored } = await fixture.storage().open();
      expect(stored.entries, `seed ${seed}`).toHaveLength(9);
    }
  });

  it('given the same seed twice, then the same bytes are on disk', async () => {
    const images: string[] = [];
    for (let time = 0; time < 2; time++) {
      const fixture = new StorageFixture(4);
      const model = new LogModel(fixture.random);
      const storage = await fixture.opened();
      for (let step = 0; step < 40; step++) await model.step(storage);
      await model.settled();
      await storage.close();
      const { disk } = fixture;
      images.push(
        disk
          .paths()
          .map((path) => Buffer.from(disk.contents(path)).toString('hex'))
          .join(),
      );
    }
    expect(images[0]).toBe(images[1]);
  });
});
