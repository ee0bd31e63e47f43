import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextLeader, readAll, texts } from '../log/conformance/harness.ts';
import { RecordingMachine } from '../log/conformance.ts';
import type { AppendOutcome, RecoveryReport } from '../log/event-log.ts';
import { type Random, seededRandom } from '../runtime/random.ts';
import { FileLogFixture } from './file-log-fixture.ts';

/** More of them find rarer crashes: `SKEP_CRASH_RUNS=5000 npx vitest run packages/core/src/file/crash-recovery.test.ts`. */
const RUNS = Number(process.env['SKEP_CRASH_RUNS'] ?? 100);

function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}

/** What must be there after a crash, and what may be there behind it. */
interface Expectation {
  readonly certain: readonly string[];
  readonly possible: readonly string[];
}

/** The machine loses its power, or the process alone dies: what it wrote stays readable then, and unsynced. */
function strike({ random, disk }: FileLogFixture): void {
  if (random.next() < 0.4) disk.kill();
  else disk.crash();
}

/** Opens, and lets the power or the process fail while opening now and then. */
async function openThroughCrashes(fixture: FileLogFixture, snapshotEveryEntries: number) {
  for (let attempt = 0; ; attempt++) {
    const log = fixture.log({ snapshotEveryEntries });
    const machine = new RecordingMachine();
    if (attempt < 3 && fixture.random.next() < 0.5) fixture.disk.cutPowerAfter(below(fixture.random, 40));
    try {
      const report = await log.open(machine);
      fixture.disk.boot();
      if (log.leadership().role === 'leader') return { log, machine, report };
    } catch (error) {
      // Only the power may be the reason: a log that can't be read after a crash is what this test looks for.
      if (!String(error).includes('EIO') && !String((error as Error).cause).includes('EIO')) throw error;
    }
    strike(fixture);
    await log.close();
  }
}

/** Appends and checkpoints at random until all fails or enough is done. */
async function work(
  fixture: FileLogFixture,
  generation: number,
  history: readonly string[],
): Promise<Expectation> {
  const { random, disk } = fixture;
  const { log, machine } = await openThroughCrashes(fixture, 40);
  expect(machine.payloads).toEqual(history);
  const leader = await nextLeader(log);
  const names: string[] = [];
  const outcomes: Promise<AppendOutcome>[] = [];
  const checkpoints: Promise<unknown>[] = [];
  disk.cutPowerAfter(20 + below(random, 150));
  for (let step = 0; step < 30 && log.leadership().role === 'leader'; step++) {
    for (let burst = below(random, 6); burst >= 0; burst--) {
      const name = `${generation}.${names.length}:${'x'.repeat(below(random, random.next() < 0.1 ? 900 : 40))}`;
      names.push(name);
      outcomes.push(leader.send(name));
    }
    if (random.next() < 0.15)
      checkpoints.push(log.checkpoint({ discard: random.next() < 0.5 }).catch(() => {}));
    if (random.next() < 0.7) await outcomes.at(-1);
  }
  if (random.next() < 0.2) await log.close();
  const settled = await Promise.all(outcomes);
  strike(fixture);
  await log.close();
  await Promise.all(checkpoints);
  const committed = settled.filter(({ kind }) => kind === 'committed').length;
  const perhaps = settled.filter(({ kind }) => kind === 'unknown').length;
  expect(settled.slice(0, committed).every(({ kind }) => kind === 'committed')).toBe(true);
  return {
    certain: [...history, ...names.slice(0, committed)],
    possible: [...history, ...names.slice(0, committed + perhaps)],
  };
}

describe('the file log after crashes', { timeout: Math.max(60_000, RUNS * 1000) }, () => {
  it(
    'given any writes, checkpoints, power cuts and deaths of the process, then all that was acknowledged is there, and no more than was sent',
    async () => {
      const property = async (seed: number) => {
        const fixture = new FileLogFixture(seed);
        let history: readonly string[] = [];
        for (let generation = 0; generation < 4; generation++) {
          const { certain, possible } = await work(fixture, generation, history);
          const { log, machine } = await openThroughCrashes(fixture, Number.POSITIVE_INFINITY);
          const { payloads } = machine;
          expect(payloads.slice(0, certain.length)).toEqual(certain);
          expect(payloads).toEqual(possible.slice(0, payloads.length));
          const readable = texts(await readAll(log, { after: log.status().snapshot }));
          expect(readable).toEqual(payloads.slice(payloads.length - readable.length));
          history = payloads;
          await log.close();
          if (fixture.random.next() < 0.5) strike(fixture);
        }
      };
      await fc.assert(fc.asyncProperty(fc.integer(), property), { numRuns: RUNS });
    },
    RUNS * 1000,
  );

  it('given the death of the process at any operation, then nothing acknowledged is lost and nothing is refused', async () => {
    for (let operations = 1; operations < 120; operations++) {
      const fixture = new FileLogFixture(operations);
      fixture.disk.cutPowerAfter(operations);
      const log = fixture.log();
      const names: string[] = [];
      const outcomes: Promise<AppendOutcome>[] = [];
      let checkpoint: Promise<unknown> = Promise.resolve();
      try {
        await log.open(new RecordingMachine());
        const leader = await nextLeader(log);
        for (let index = 0; index < 12; index++) {
          names.push(`entry ${index}`);
          outcomes.push(leader.send(`entry ${index}`));
          if (index === 5) checkpoint = log.checkpoint().catch(() => {});
          if (index % 3 === 0) await outcomes.at(-1);
        }
      } catch (error) {
        expect(String(error)).toContain('EIO');
      }
      const committed = (await Promise.all(outcomes)).filter(({ kind }) => kind === 'committed').length;
      await log.close();
      await checkpoint;
      fixture.disk.kill();
      const machine = new RecordingMachine();
      const again = fixture.log();
      await again.open(machine);
      expect(machine.payloads).toEqual(names.slice(0, machine.count));
      expect(machine.count).toBeGreaterThanOrEqual(committed);
      await again.close();
    }
  });

  it('given the death of the process within a checkpoint, when the power fails within the next opening, then nothing acknowledged is lost', async () => {
    for (let seed = 1; seed <= 1200; seed++) {
      const fixture = new FileLogFixture(seed);
      const log = fixture.log();
      await log.open(new RecordingMachine());
      const leader = await nextLeader(log);
      for (const name of ['one', 'two']) await leader.commit(name);
      await log.checkpoint();
      await leader.commit('three');
      fixture.disk.cutPowerAfter(1 + below(fixture.random, 24));
      await log.checkpoint().catch(() => {});
      fixture.disk.kill();
      await log.close();
      const next = fixture.log();
      fixture.disk.cutPowerAfter(1 + below(fixture.random, 40));
      await next.open(new RecordingMachine()).catch(() => {});
      fixture.disk.crash();
      await next.close();
      const last = fixture.log();
      const machine = new RecordingMachine();
      await last.open(machine);
      expect(machine.payloads, `seed ${seed}`).toEqual(['one', 'two', 'three']);
      await last.close();
    }
  });
});

describe('a damaged file log', { timeout: 60_000 }, () => {
  /** A log of a snapshot, a full segment and a last one of three batches; closed in order, or not. */
  async function sample(close: boolean) {
    const fixture = new FileLogFixture(5);
    const log = fixture.log({ preallocateBytes: 64, segmentBytes: 600 });
    await log.open(new RecordingMachine());
    const leader = await nextLeader(log);
    for (let index = 0; index < 3; index++) await leader.commit(`covered ${index}`);
    await log.checkpoint();
    for (let index = 0; index < 8; index++) await leader.commit(`entry ${index} ${'y'.repeat(30)}`);
    if (close) await log.close();
    const payloads = [
      ...Array.from({ length: 3 }, (_, index) => `covered ${index}`),
      ...Array.from({ length: 8 }, (_, index) => `entry ${index} ${'y'.repeat(30)}`),
    ];
    return { fixture, payloads, segments: fixture.segments(), snapshots: fixture.snapshots() };
  }

  interface Reopened {
    readonly payloads?: readonly string[];
    readonly report?: RecoveryReport;
    readonly refused?: string;
    readonly message?: string;
  }

  /** Opens a copy in which one file is replaced. Resolves to the payloads, or to the code of the refusal. */
  async function openDamaged(fixture: FileLogFixture, path: string, contents: Uint8Array): Promise<Reopened> {
    const copy = new FileLogFixture(7);
    copy.disk = fixture.disk.clone(seededRandom(7));
    copy.disk.replace(path, contents);
    const log = copy.log({ preallocateBytes: 64 });
    const machine = new RecordingMachine();
    try {
      const report = await log.open(machine);
      const recovered = { payloads: machine.payloads, report };
      await log.close();
      return recovered;
    } catch (error) {
      return { refused: (error as { code: string }).code, message: (error as Error).message };
    }
  }

  it('given the last segment cut at any byte, then a prefix comes back, with what was cut off reported', async () => {
    const { fixture, payloads, segments } = await sample(false);
    expect(segments).toHaveLength(2);
    const last = segments.at(-1) ?? '';
    const whole = fixture.disk.contents(last);
    const counts = new Set<number>();
    for (let length = 0; length < whole.length; length++) {
      const result = await openDamaged(fixture, last, whole.subarray(0, length));
      expect(result.payloads).toEqual(payloads.slice(0, result.payloads?.length));
      const torn = result.report?.tornBytes ?? -1;
      // A mere multiple of whole batches, with or without zeroes behind it, is a clean end.
      if (result.payloads && torn === 0) counts.add(result.payloads.length);
    }
    expect(counts.size).toBeGreaterThan(2);
  });

  it('given any other file cut at any byte, then opening is refused, or all comes back', async () => {
    const { fixture, payloads, segments, snapshots } = await sample(true);
    for (const path of [...segments.slice(0, -1), ...snapshots]) {
      const whole = fixture.disk.contents(path);
      for (let length = 0; length < whole.length; length++) {
        const result = await openDamaged(fixture, path, whole.subarray(0, length));
        expect(result.payloads ?? result.refused).toEqual(result.payloads ? payloads : 'corrupt');
        expect(result.message ?? path).toContain(path.split('/').at(-1));
      }
    }
  });

  it('given a log that was closed in order, when any bit flips, then opening is refused, or all comes back', async () => {
    const { fixture, payloads, segments, snapshots } = await sample(true);
    const refusals = new Set<string>();
    for (const path of [...segments, ...snapshots]) {
      const whole = fixture.disk.contents(path);
      for (let at = 0; at < whole.length; at++) {
        const bits = at < 200 ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8];
        for (const bit of bits) {
          const damaged = whole.slice();
          damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
          const result = await openDamaged(fixture, path, damaged);
          if (result.refused === undefined) expect(result.payloads).toEqual(payloads);
          else refusals.add(result.refused);
        }
      }
    }
    expect([...refusals].sort()).toEqual(['corrupt', 'unsupported-version']);
  });

  it('given a log that was not closed, when any byte flips, then at most its last batch is cut off, and reported', async () => {
    const { fixture, payloads, segments } = await sample(false);
    const last = segments.at(-1) ?? '';
    const whole = fixture.disk.contents(last);
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      const result = await openDamaged(fixture, last, damaged);
      if (result.refused !== undefined) continue;
      const lost = payloads.length - (result.payloads?.length ?? 0);
      expect(result.payloads).toEqual(payloads.slice(0, payloads.length - lost));
      expect(lost).toBeLessThanOrEqual(1);
      expect(result.report?.tornBytes).toBeGreaterThan(0);
    }
  });

  it('given a bad batch with an intact one behind it, then the error names the file and the offset', async () => {
    const { fixture, segments } = await sample(true);
    const last = segments.at(-1) ?? '';
    const damaged = fixture.disk.contents(last);
    damaged[170] = (damaged[170] ?? 0) ^ 1;
    const { refused, message } = await openDamaged(fixture, last, damaged);
    expect(refused).toBe('corrupt');
    expect(message).toContain(`${last} is damaged at offset 160`);
  });

  it('given crashes and recoveries, then no two files were ever sealed with one salt', async () => {
    const fixture = new FileLogFixture(11);
    const salts: string[] = [];
    for (let generation = 0; generation < 10; generation++) {
      const log = fixture.log({ retainBytes: 1e9 });
      await log.open(new RecordingMachine());
      const leader = await nextLeader(log);
      for (let index = 0; index < 5; index++) await leader.commit(`${generation}.${index}`);
      leader.send('torn').catch(() => {});
      fixture.disk.crash();
      await log.close();
    }
    for (const path of fixture.segments()) salts.push(String(fixture.disk.contents(path).slice(40, 72)));
    expect(new Set(salts).size).toBe(salts.length);
    expect(salts.length).toBeGreaterThanOrEqual(10);
  });
});
