import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Leader, nextLeader } from '../log/conformance/harness.ts';
import { describeEventLog, RecordingMachine } from '../log/conformance.ts';
import type { EventLog } from '../log/event-log.ts';
import { FileEventLog } from './file-event-log.ts';
import { FileLogFixture, fixedKeys } from './file-log-fixture.ts';
import type { FileEventLogOptions } from './options.ts';

describeEventLog(
  'the file log on a real disk',
  {
    reopens: true,
    create: async () => {
      const dir = await mkdtemp(join(tmpdir(), 'skep-file-log-'));
      let last: EventLog | undefined;
      return {
        log: () => {
          last = new FileEventLog({ dir, preallocateBytes: 16 * 1024, maxInFlight: 12_000 });
          return last;
        },
        dispose: async () => {
          await last?.close();
          await rm(dir, { recursive: true, force: true });
        },
      };
    },
  },
  { describe, it, expect },
);

describeEventLog(
  'the file log on a simulated disk',
  {
    reopens: true,
    crashes: true,
    fillsDisk: true,
    create: async () => {
      const fixture = new FileLogFixture(1);
      let last: EventLog | undefined;
      return {
        log: () => {
          last = fixture.log({ segmentBytes: 64 * 1024, maxInFlight: 12_000 });
          return last;
        },
        crash: async () => fixture.disk.crash(),
        fillDisk: async () => {
          fixture.disk.capacity = 0;
        },
        freeDisk: async () => {
          fixture.disk.capacity = Number.POSITIVE_INFINITY;
          fixture.clock.fire();
        },
        dispose: async () => last?.close(),
      };
    },
  },
  { describe, it, expect },
);

async function opened(fixture: FileLogFixture, options?: Partial<FileEventLogOptions>) {
  const log = fixture.log(options);
  const machine = new RecordingMachine();
  const report = await log.open(machine);
  return { log, machine, report, leader: await nextLeader(log) };
}

describe('FileEventLog', () => {
  it('given a directory, then all in it is for its owner alone, and no payload is in clear', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skep-file-log-'));
    try {
      const state = join(dir, 'state');
      const log = new FileEventLog({ dir: state, preallocateBytes: 0 });
      await log.open(new RecordingMachine());
      const leader = await nextLeader(log);
      await leader.commit('a very secret password');
      await log.checkpoint({ discard: false });
      await leader.commit('a very secret password');
      await log.close();
      const modes = new Map<string, number>();
      for (const name of await readdir(state, { recursive: true })) {
        const path = join(state, name);
        const stats = await stat(path);
        modes.set(name.replace(/\d{2,}/, 'N'), stats.mode & 0o777);
        if (stats.isFile()) expect((await readFile(path)).includes('secret')).toBe(false);
      }
      expect(Object.fromEntries(modes)).toEqual({
        key: 0o600,
        segments: 0o700,
        snapshots: 0o700,
        'segments/N.log': 0o600,
        'snapshots/N.snapshot': 0o600,
      });
      expect((await stat(state)).mode & 0o777).toBe(0o700);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('given many appends in one turn, then they are synced together', async () => {
    const fixture = new FileLogFixture(1);
    const { leader } = await opened(fixture, { segmentBytes: 1e6 });
    const before = fixture.disk.syncs;
    await Promise.all(Array.from({ length: 1000 }, (_, index) => leader.send(`${index}`)));
    expect(fixture.disk.syncs - before).toBe(1);
  });

  it('given limits of a batch, then none is larger', async () => {
    const fixture = new FileLogFixture(1);
    const { leader } = await opened(fixture, { segmentBytes: 1e6, maxBatchEntries: 10, maxBatchBytes: 20 });
    const before = fixture.disk.syncs;
    await Promise.all(Array.from({ length: 30 }, () => leader.send('x')));
    await Promise.all(Array.from({ length: 4 }, () => leader.send('0123456789')));
    await leader.commit('larger than the limit of bytes on its own');
    expect(fixture.disk.syncs - before).toBe(3 + 2 + 1);
  });

  it('given an open log, when it is opened by another, then that one is told, and the first goes on', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture);
    await expect(fixture.log().open(new RecordingMachine())).rejects.toMatchObject({ code: 'locked' });
    await leader.commit('still mine');
    await log.close();
    await (await opened(fixture)).log.close();
  });

  it('given a log that is closed while it opens, then opening is refused, and the next log can be opened', async () => {
    const fixture = new FileLogFixture(1);
    for (let turns = 0; turns < 60; turns++) {
      const log = fixture.log();
      const opening = log.open(new RecordingMachine()).then(
        () => 'opened',
        (error: { code: string }) => error.code,
      );
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await log.close();
      expect(['opened', 'closed']).toContain(await opening);
      expect(log.leadership().role).toBe('none');
    }
    await (await opened(fixture)).leader.commit('open again');
  });

  it('given another key under the same id, then opening says so, and not that anything is corrupt', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture);
    await leader.commit('sealed');
    await log.close();
    const otherKey = { ...fixedKeys('b key'), keyById: async () => new Uint8Array(32).fill(9) };
    const open = fixture.log({ keyProvider: otherKey }).open(new RecordingMachine());
    await expect(open).rejects.toMatchObject({
      code: 'wrong-key',
      message: expect.stringContaining('another key'),
    });
    const without = fixture.log({ keyProvider: fixedKeys('b key') }).open(new RecordingMachine());
    await expect(without).rejects.toMatchObject({
      code: 'wrong-key',
      message: expect.stringContaining('a key'),
    });
    expect((await opened(fixture)).machine.payloads).toEqual(['sealed']);
  });

  it('given a rotated key, then old files open with the old one, and a checkpoint leaves only the new', async () => {
    const fixture = new FileLogFixture(1);
    const first = await opened(fixture);
    await first.leader.commit('old key');
    await first.log.close();
    const second = await opened(fixture, { keyProvider: fixedKeys('a key', 'new key') });
    await second.leader.commit('new key');
    await second.log.checkpoint();
    await second.log.close();
    const third = await opened(fixture, { keyProvider: fixedKeys('new key') });
    expect(third.machine.payloads).toEqual(['old key', 'new key']);
  });

  it('given a file of a later format, then opening is refused as an unsupported version', async () => {
    const fixture = new FileLogFixture(1);
    await (await opened(fixture)).log.close();
    const [segment = ''] = fixture.segments();
    const bytes = fixture.disk.contents(segment);
    bytes[8] = 2;
    fixture.disk.replace(segment, bytes);
    await expect(fixture.log().open(new RecordingMachine())).rejects.toMatchObject({
      code: 'unsupported-version',
    });
  });

  it('given a sync that fails, then its batch is unknown, all later ones are refused, and nothing is synced again', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log, machine } = await opened(fixture);
    await leader.commit('safe');
    fixture.disk.failNextSync();
    const unknown = leader.send('perhaps');
    await Promise.resolve();
    expect(await unknown).toMatchObject({ kind: 'unknown', reason: 'closed' });
    expect(await leader.send('never')).toMatchObject({ kind: 'rejected', reason: 'closed' });
    const { syncs } = fixture.disk;
    expect(machine.payloads).toEqual(['safe']);
    expect(log.status().failure?.message).toContain('EIO');
    await expect(log.checkpoint()).rejects.toMatchObject({ code: 'io' });
    await log.close();
    expect(fixture.disk.syncs).toBe(syncs);
  });

  it('given a batch that is in the page cache alone, when it was recovered, then it outlives a power cut', async () => {
    const fixture = new FileLogFixture(1);
    const first = await opened(fixture);
    fixture.disk.failNextSync();
    await first.leader.send('perhaps');
    fixture.disk.kill();
    const second = await opened(fixture);
    expect(second.machine.payloads).toEqual(['perhaps']);
    fixture.disk.crash();
    expect((await opened(fixture)).machine.payloads).toEqual(['perhaps']);
  });

  it('given a full disk at opening, then what is there can be read, and appends begin with room', async () => {
    const fixture = new FileLogFixture(1);
    const first = await opened(fixture);
    await first.leader.commit('kept');
    await first.log.close();
    fixture.disk.capacity = 0;
    const log = fixture.log();
    const machine = new RecordingMachine();
    await log.open(machine);
    expect(machine.payloads).toEqual(['kept']);
    expect(log.leadership()).toEqual({ role: 'none', epoch: 1 });
    const append = new Leader(log, 1).send('no room');
    expect(await append).toMatchObject({ kind: 'rejected', reason: 'disk-full' });
    fixture.disk.capacity = Number.POSITIVE_INFINITY;
    fixture.clock.fire();
    const leader = await nextLeader(log);
    await leader.commit('room');
    expect(machine.payloads).toEqual(['kept', 'room']);
    expect(log.status().failure).toBeUndefined();
  });

  it('given a disk that fills during a checkpoint, then that fails, nothing is forgotten, and appends go on', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture);
    for (let index = 0; index < 20; index++) await leader.commit(`entry ${index}`);
    await leader.commit('in the new segment');
    const used = fixture.disk.paths().reduce((sum, path) => sum + fixture.disk.contents(path).length, 0);
    fixture.disk.capacity = used + 1300;
    await expect(log.checkpoint()).rejects.toMatchObject({ code: 'io' });
    expect(fixture.snapshots()).toEqual([]);
    await leader.commit('goes on');
    await log.close();
    expect((await opened(fixture)).machine.count).toBe(22);
  });

  it('given a checkpoint that discards, then no file from before it is left', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture, { retainBytes: 1e9 });
    await leader.commit('one');
    await log.checkpoint({ discard: false });
    await leader.commit('two');
    const before = [...fixture.segments(), ...fixture.snapshots()];
    expect(fixture.segments()).toHaveLength(2);
    await log.checkpoint({ discard: true });
    expect([...fixture.segments(), ...fixture.snapshots()].filter((path) => before.includes(path))).toEqual(
      [],
    );
  });

  it('given bytes to retain, then history is readable behind a checkpoint, across restarts, up to that', async () => {
    const fixture = new FileLogFixture(1);
    const first = await opened(fixture, { retainBytes: 1e9 });
    await first.leader.commit('one');
    await first.log.checkpoint({ discard: false });
    await first.leader.commit('two');
    await first.log.close();
    const { log, report } = await opened(fixture, { retainBytes: 1e9 });
    expect(report).toMatchObject({ entriesReplayed: 1, snapshotPosition: 1 });
    const read: string[] = [];
    for await (const { payload } of log.read({ after: 0 })) read.push(new TextDecoder().decode(payload));
    expect(read).toEqual(['one', 'two']);
  });

  it('given many entries, then a snapshot is taken by itself and bounds what is replayed', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture, { snapshotEveryEntries: 50 });
    for (let index = 0; index < 120; index++) await leader.commit(`entry ${index}`);
    await log.close();
    const { report, machine } = await opened(fixture);
    expect(report.snapshotPosition).toBeGreaterThanOrEqual(50);
    expect(report.entriesReplayed).toBeLessThan(71);
    expect(machine.count).toBe(120);
  });

  it('given many restarts with nothing to write, then segments do not pile up', async () => {
    const fixture = new FileLogFixture(1);
    for (let restart = 0; restart < 80; restart++) {
      const { log } = await opened(fixture);
      for (let turn = 0; turn < 500; turn++) await Promise.resolve();
      await log.close();
    }
    expect(fixture.segments().length).toBeLessThan(40);
  });

  it('given a damaged newest snapshot and nothing else, then opening is refused with its name', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture);
    await leader.commit('one');
    await log.checkpoint();
    await log.close();
    const [snapshot = ''] = fixture.snapshots();
    const bytes = fixture.disk.contents(snapshot);
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    fixture.disk.replace(snapshot, bytes);
    const open = fixture.log().open(new RecordingMachine());
    await expect(open).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(snapshot) });
  });

  it('given a damaged snapshot and all segments, then the state is built from those', async () => {
    const fixture = new FileLogFixture(1);
    const { leader, log } = await opened(fixture, { retainBytes: 1e9 });
    await leader.commit('one');
    await log.checkpoint({ discard: false });
    await leader.commit('two');
    await log.close();
    const [snapshot = ''] = fixture.snapshots();
    fixture.disk.replace(snapshot, fixture.disk.contents(snapshot).subarray(0, 170));
    expect((await opened(fixture)).machine.payloads).toEqual(['one', 'two']);
  });

  it('given a segment that is missing from the middle, then opening is refused', async () => {
    const fixture = new FileLogFixture(1);
    for (const text of ['one', 'two', 'three']) {
      const { leader, log } = await opened(fixture);
      await leader.commit(text);
      await log.close();
    }
    const [, middle = ''] = fixture.segments();
    await fixture.disk.unlink(middle);
    const open = fixture.log().open(new RecordingMachine());
    await expect(open).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('missing'),
    });
  });
});
