import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileStorage } from './file-storage.ts';
import { KeyRing } from './keys.ts';
import {
  batchOf,
  bytesOf,
  command,
  commands,
  configurationOf,
  description,
  hardState,
  StorageFixture,
  writeSnapshot,
} from './storage-fixture.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a file storage', () => {
  it('given a new directory, when it is opened, then nothing is stored', async () => {
    const recovered = await new StorageFixture(1).storage().open();
    expect(recovered).toEqual({ stored: { hardState: { term: 0, commit: 0 }, entries: [] }, tornBytes: 0 });
  });

  it('given entries of every kind, when it is opened again, then they come back as they were', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    const entries = [
      { kind: 'empty', index: 1, term: 1 } as const,
      { kind: 'configuration', index: 2, term: 1, configuration: configurationOf('a', 'ü') } as const,
      command(3, 1, ''),
      command(4, 1, 'x'.repeat(10_000)),
    ];
    await storage.persist(batchOf(1, { hardState: hardState(1, 2, 'ü'), entries }));
    await storage.close();
    const { stored, tornBytes } = await fixture.storage().open();
    expect(stored).toEqual({ hardState: hardState(1, 2, 'ü'), entries });
    expect(tornBytes).toBe(0);
  });

  it('given entries that a new leader replaces, then only its own come back', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: commands(1, 9) }));
    await storage.persist(batchOf(2, { hardState: hardState(2), entries: commands(4, 5, 2) }));
    await storage.close();
    const { stored } = await fixture.storage().open();
    expect(stored.entries).toEqual([...commands(1, 3), ...commands(4, 5, 2)]);
  });

  it('given many batches at once, then they are synced together, and answered in order', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    const answered: number[] = [];
    await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        await storage.persist(batchOf(at + 1, { entries: [command(at + 1, 1)] }));
        answered.push(at);
      }),
    );
    expect(answered).toEqual(Array.from({ length: 100 }, (_, at) => at));
    expect(storage.status?.syncs).toBe(1);
  });

  it('given a batch of messages alone, then it is answered behind those before it, and needs no sync of its own', async () => {
    const storage = await new StorageFixture(1).opened();
    const answered: number[] = [];
    const first = storage.persist(batchOf(1, { entries: [command(1, 1)] })).then(() => answered.push(1));
    const second = storage.persist(batchOf(2, {})).then(() => answered.push(2));
    await Promise.all([first, second]);
    await storage.persist(batchOf(3, {}));
    expect(answered).toEqual([1, 2]);
    expect(storage.status?.syncs).toBe(1);
  });

  it.each([
    ['a lower term', { hardState: hardState(4, 2) }, 'hard-state-regressed'],
    ['another vote in the term', { hardState: hardState(5, 2, 'b') }, 'hard-state-regressed'],
    ['a vote taken back', { hardState: hardState(5, 2) }, 'hard-state-regressed'],
    ['a lower commit index', { hardState: hardState(6, 1) }, 'hard-state-regressed'],
    ['a gap', { entries: [command(5, 5)] }, 'invalid-batch'],
    ['a gap within', { entries: [command(4, 5), command(6, 5)] }, 'invalid-batch'],
    ['committed entries replaced', { entries: [command(2, 5)] }, 'invalid-batch'],
    ['a snapshot that was never completed', { snapshot: description(9) }, 'snapshot-missing'],
  ] as const)('given %s, then the batch is refused and nothing is changed', async (_, parts, code) => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { hardState: hardState(5, 2, 'a'), entries: commands(1, 3) }));
    await expect(storage.persist(batchOf(2, parts))).rejects.toMatchObject({ code });
    await storage.persist(batchOf(3, { entries: [command(4, 5)] }));
    await storage.close();
    const { stored } = await fixture.storage().open();
    expect(stored).toEqual({ hardState: hardState(5, 2, 'a'), entries: [...commands(1, 3), command(4, 5)] });
  });

  it('given a batch that comes out of order, then it is refused', async () => {
    const storage = await new StorageFixture(1).opened();
    await storage.persist(batchOf(2, { entries: [command(1, 1)] }));
    await expect(storage.persist(batchOf(2, {}))).rejects.toMatchObject({ code: 'invalid-batch' });
  });

  it('given that it is open, when another opens the directory, then it is refused until the first is closed', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await expect(fixture.storage().open()).rejects.toMatchObject({ code: 'locked' });
    await storage.close();
    await fixture.storage().open();
  });

  it('given that it was closed, then it refuses', async () => {
    const storage = await new StorageFixture(1).opened();
    await storage.close();
    await expect(storage.persist(batchOf(1, {}))).rejects.toMatchObject({ code: 'closed' });
    await expect(bytesOf(storage.readSnapshot(description(1)))).rejects.toMatchObject({ code: 'closed' });
  });

  it('given batches under way, when it is closed, then they are seen through', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    const persisted = storage.persist(batchOf(1, { entries: commands(1, 3) }));
    await storage.close();
    await persisted;
    expect((await fixture.storage().open()).stored.entries).toEqual(commands(1, 3));
  });
});

describe('snapshots of a file storage', () => {
  async function withEntries(count: number) {
    const fixture = new StorageFixture(2);
    const storage = await fixture.opened({ segmentBytes: 1500, preallocateBytes: 64 });
    for (let index = 1; index <= count; index++) {
      await storage.persist(
        batchOf(index, { hardState: hardState(1, index - 1), entries: [command(index, 1)] }),
      );
    }
    return { fixture, storage };
  }

  it('given a snapshot of its own, when it compacts, then entries before the reserve and their segments are dropped', async () => {
    const { fixture, storage } = await withEntries(40);
    const before = fixture.segments.length;
    await writeSnapshot(storage, description(30), bytes('state '), bytes('at 30'));
    await storage.compact(description(30), 25);
    expect(storage.status).toMatchObject({ firstIndex: 25, lastIndex: 40, snapshotIndex: 30 });
    await storage.close();
    expect(fixture.segments.length).toBeLessThan(before);
    const again = fixture.storage();
    const { stored } = await again.open();
    expect(stored.snapshot).toEqual(description(30));
    expect(stored.entries).toEqual(commands(25, 40));
    expect(await bytesOf(again.readSnapshot(description(30)))).toEqual(bytes('state at 30'));
    expect(await bytesOf(again.readSnapshot(description(30), { from: 8 }))).toEqual(
      bytes(' 30').subarray(-3),
    );
  });

  it('given batches beside it, when a snapshot is written, then they do not wait for it', async () => {
    const { storage } = await withEntries(10);
    const writer = storage.writeSnapshot(description(8));
    await writer.write(bytes('first half'));
    await storage.persist(batchOf(11, { entries: [command(11, 1)] }));
    await writer.complete();
    await storage.compact(description(8), 9);
    expect(storage.status).toMatchObject({ firstIndex: 9, lastIndex: 11, snapshotIndex: 8 });
  });

  it('given a snapshot from the leader, then it takes the place of the whole log', async () => {
    const { fixture, storage } = await withEntries(10);
    await writeSnapshot(storage, description(90, 4), bytes('state at 90'));
    const batch = { hardState: hardState(4, 90), snapshot: description(90, 4), entries: [command(91, 4)] };
    await storage.persist(batchOf(11, batch));
    expect(await bytesOf(storage.readSnapshot(description(90, 4)))).toEqual(bytes('state at 90'));
    await storage.close();
    expect(fixture.segments).toHaveLength(1);
    const { stored } = await fixture.storage().open();
    expect(stored).toEqual({
      hardState: hardState(4, 90),
      snapshot: description(90, 4),
      entries: [command(91, 4)],
    });
  });

  it('given a newer snapshot from the leader meanwhile, when an own one is done, then it is dropped', async () => {
    const { fixture, storage } = await withEntries(10);
    await writeSnapshot(storage, description(8), bytes('own'));
    await writeSnapshot(storage, description(20), bytes('received'));
    await storage.persist(batchOf(11, { hardState: hardState(1, 20), snapshot: description(20) }));
    await storage.compact(description(8), 5);
    expect(storage.status).toMatchObject({ snapshotIndex: 20, firstIndex: 21 });
    await storage.close();
    expect(fixture.snapshots).toHaveLength(1);
  });

  it('given that it is being read, when a newer one takes its place, then the reader still gets all of it', async () => {
    const { storage } = await withEntries(10);
    await writeSnapshot(storage, description(5), bytes('one'), bytes('two'));
    await storage.compact(description(5), 6);
    const reader = storage.readSnapshot(description(5))[Symbol.asyncIterator]();
    const first = await reader.next();
    await writeSnapshot(storage, description(9), bytes('newer'));
    await storage.compact(description(9), 10);
    expect(first.value).toEqual(Buffer.from('one'));
    expect((await reader.next()).value).toEqual(Buffer.from('two'));
    expect((await reader.next()).done).toBe(true);
    await expect(bytesOf(storage.readSnapshot(description(5)))).rejects.toMatchObject({
      code: 'snapshot-missing',
    });
  });

  it('given a cluster that begins, then its first snapshot, at index 0, needs no bytes', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.compact(description(0, 0), 1);
    await storage.persist(batchOf(1, { entries: [command(1, 1)] }));
    await storage.close();
    const again = fixture.storage();
    const { stored } = await again.open();
    expect(stored.snapshot).toEqual(description(0, 0));
    expect(stored.entries).toEqual([command(1, 1)]);
    expect(await bytesOf(again.readSnapshot(description(0, 0)))).toEqual(new Uint8Array(0));
  });

  it('given a power cut amid receiving, when it is taken up again, then it goes on where the disk is', async () => {
    const { fixture, storage } = await withEntries(3);
    const whole = Uint8Array.from({ length: 2000 }, (_, at) => at % 251);
    const writer = await storage.resumeSnapshot(description(50), 'from b');
    for (let at = 0; at < 1000; at += 100) await writer.write(whole.subarray(at, at + 100));
    await writer.suspend();
    await storage.close();
    fixture.disk.crash();
    fixture.disk.boot();
    const again = await fixture.opened();
    const resumed = await again.resumeSnapshot(description(50), 'from b');
    expect(resumed.received % 100).toBe(0);
    await resumed.write(whole.subarray(resumed.received));
    await resumed.complete();
    await again.persist(batchOf(1, { hardState: hardState(2, 50), snapshot: description(50) }));
    expect(await bytesOf(again.readSnapshot(description(50)))).toEqual(whole);
    expect(fixture.audit.reused).toEqual([]);
  });

  it('given that it was suspended, when it is taken up from another source, then it begins anew', async () => {
    const { storage } = await withEntries(3);
    const writer = await storage.resumeSnapshot(description(50), 'from b');
    await writer.write(bytes('half'));
    await writer.suspend();
    expect((await storage.resumeSnapshot(description(50), 'from c')).received).toBe(0);
    expect((await storage.resumeSnapshot(description(50), 'from b')).received).toBe(0);
  });

  it('given that it was suspended, when it is taken up in the same life, then no byte is sent twice', async () => {
    const { storage } = await withEntries(3);
    const writer = await storage.resumeSnapshot(description(50), 'from b');
    await writer.write(bytes('half'));
    await writer.suspend();
    const resumed = await storage.resumeSnapshot(description(50), 'from b');
    expect(resumed.received).toBe(4);
    await resumed.write(bytes(' and half'));
    await resumed.complete();
    await storage.persist(batchOf(4, { hardState: hardState(1, 50), snapshot: description(50) }));
    expect(await bytesOf(storage.readSnapshot(description(50)))).toEqual(bytes('half and half'));
  });
});

describe('a file storage on a failing disk', () => {
  it('given a sync that fails, then nothing is taken any more, and the sync is not tried again', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: [command(1, 1)] }));
    fixture.disk.failNextSync();
    const { syncs } = fixture.disk;
    const failed = storage.persist(batchOf(2, { entries: [command(2, 1)] }));
    await expect(failed).rejects.toMatchObject({ code: 'failed' });
    await expect(storage.persist(batchOf(3, {}))).rejects.toMatchObject({ code: 'failed' });
    await expect(storage.compact(description(1), 1)).rejects.toMatchObject({ code: 'failed' });
    expect(() => storage.writeSnapshot(description(1))).toThrow('a sync of');
    await storage.close();
    expect(fixture.disk.syncs).toBe(syncs);
    expect(storage.status?.failure?.code).toBe('failed');
  });

  it('given a sync that failed, when the directory is opened anew and power is lost, then what was read stays', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    fixture.disk.failNextSync();
    await expect(storage.persist(batchOf(1, { entries: [command(1, 1)] }))).rejects.toThrow();
    await storage.close();
    fixture.disk.kill();
    fixture.disk.boot();
    const { stored } = await fixture.storage().open();
    fixture.disk.crash();
    fixture.disk.boot();
    expect((await fixture.storage().open()).stored).toEqual(stored);
  });

  it('given a sync of a snapshot that fails, then the storage has failed', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    fixture.disk.failNextSync((path) => path.includes('snapshots'));
    await expect(writeSnapshot(storage, description(1), bytes('state'))).rejects.toMatchObject({
      code: 'failed',
    });
    await expect(storage.persist(batchOf(1, {}))).rejects.toMatchObject({ code: 'failed' });
  });

  it('given a full disk, then batches are refused whole, and taken in order once there is room', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: commands(1, 2) }));
    fixture.disk.capacity = 20_000;
    const large = batchOf(2, { entries: [command(3, 1, 'x'.repeat(30_000))] });
    const small = batchOf(3, { hardState: hardState(7) });
    const refused = [storage.persist(large), storage.persist(small)];
    for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'disk-full' });
    expect(storage.status?.retryFrom).toBe(2);
    await expect(storage.persist(small)).rejects.toMatchObject({ code: 'disk-full' });
    fixture.disk.capacity = Number.POSITIVE_INFINITY;
    await storage.persist(large);
    await storage.persist(small);
    await storage.close();
    const { stored } = await fixture.storage().open();
    expect(stored.hardState.term).toBe(7);
    expect(stored.entries).toHaveLength(3);
  });

  it('given a full disk, then what was refused is not there after a restart, and what was there before is', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: commands(1, 2) }));
    fixture.disk.capacity = 20_000;
    const refused = storage.persist(batchOf(2, { entries: [command(3, 1, 'x'.repeat(30_000))] }));
    await expect(refused).rejects.toMatchObject({ code: 'disk-full' });
    fixture.disk.capacity = Number.POSITIVE_INFINITY;
    fixture.disk.crash();
    fixture.disk.boot();
    expect((await fixture.storage().open()).stored.entries).toEqual(commands(1, 2));
  });

  it('given a full disk that cuts a frame short, then it is taken back, and its number is not used again', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: commands(1, 2) }));
    fixture.disk.failNextWrite((path) => path.includes('wal'), 'ENOSPC');
    const refused = batchOf(2, { entries: [command(3, 1, 'one')] });
    await expect(storage.persist(refused)).rejects.toMatchObject({ code: 'disk-full' });
    await storage.persist(batchOf(2, { entries: [command(3, 1, 'other')] }));
    expect(fixture.audit.reused).toEqual([]);
    expect(fixture.segments).toHaveLength(2);
    await storage.close();
    expect((await fixture.storage().open()).stored.entries).toEqual([
      ...commands(1, 2),
      command(3, 1, 'other'),
    ]);
  });

  it('given a full disk and a snapshot that is done, then compaction is still possible, and makes room', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened({ segmentBytes: 1000 });
    for (let index = 1; index <= 20; index++) {
      await storage.persist(batchOf(index, { entries: [command(index, 1, 'x'.repeat(200))] }));
    }
    await writeSnapshot(storage, description(20), bytes('state'));
    const used = () =>
      fixture.disk.paths().reduce((sum, path) => sum + fixture.disk.contents(path).length, 0);
    fixture.disk.capacity = used();
    const big = batchOf(21, { entries: [command(21, 1, 'x'.repeat(30_000))] });
    await expect(storage.persist(big)).rejects.toMatchObject({ code: 'disk-full' });
    const before = fixture.segments.length;
    await storage.compact(description(20), 21);
    await storage.close();
    expect(fixture.segments.length).toBeLessThan(before);
  });

  it('given a snapshot that a full disk refuses, then nothing of it stays, and the log goes on', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: commands(1, 2) }));
    fixture.disk.capacity = 19_500;
    const refused = writeSnapshot(storage, description(1), new Uint8Array(50_000));
    await expect(refused).rejects.toMatchObject({ code: 'disk-full' });
    expect(fixture.disk.paths().filter((path) => path.includes('snapshots'))).toEqual([]);
    await storage.persist(batchOf(2, { entries: [command(3, 1)] }));
  });
});

describe('the keys of a file storage', () => {
  it('given another key, then it says so, and does not call the files damaged', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.close();
    const keys = new KeyRing({ id: 'first', key: fixture.bytes(32) });
    await expect(fixture.storage({ keys }).open()).rejects.toMatchObject({ code: 'wrong-key' });
    const unknown = new KeyRing({ id: 'other', key: fixture.bytes(32) });
    await expect(fixture.storage({ keys: unknown }).open()).rejects.toMatchObject({ code: 'wrong-key' });
    await fixture.storage().open();
  });

  it('given a provider that does not answer, then it says so', async () => {
    const fixture = new StorageFixture(1);
    await (await fixture.opened()).close();
    const keys = {
      wrap: fixture.keys.wrap.bind(fixture.keys),
      unwrap: () => Promise.reject(new Error('away')),
    };
    await expect(fixture.storage({ keys }).open()).rejects.toMatchObject({ code: 'key-unavailable' });
  });

  it('given a file of a newer version, then it says so', async () => {
    const fixture = new StorageFixture(1);
    await (await fixture.opened()).close();
    const [segment = ''] = fixture.segments;
    fixture.makeNewer(segment);
    await expect(fixture.storage().open()).rejects.toMatchObject({ code: 'unsupported-version' });
  });

  it('given a rotation while it runs, then new files use the new key, and the old one can go once a snapshot covers what it sealed', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(batchOf(1, { entries: commands(1, 5) }));
    fixture.keys.add({ id: 'second', key: fixture.bytes(32) });
    await storage.rotateKey();
    await storage.persist(batchOf(2, { entries: commands(6, 8) }));
    expect(storage.status?.keyIds.toSorted()).toEqual(['first', 'second']);
    await writeSnapshot(storage, description(7), bytes('state'));
    await storage.compact(description(7), 6);
    await storage.close();
    expect(storage.status?.keyIds).toEqual(['second']);
    fixture.keys.remove('first');
    const { stored } = await fixture.storage().open();
    expect(stored.entries).toEqual(commands(6, 8));
  });

  it('given payloads, then none of them stands on the disk in clear', async () => {
    const fixture = new StorageFixture(1);
    const storage = await fixture.opened();
    await storage.persist(
      batchOf(1, { hardState: hardState(1, 0, 'voted-for'), entries: [command(1, 1, 'a secret')] }),
    );
    await writeSnapshot(storage, description(1), bytes('a secret'));
    await storage.compact(description(1), 1);
    const disk = fixture.disk
      .paths()
      .map((path) => Buffer.from(fixture.disk.contents(path)).toString('latin1'));
    expect(disk.join('')).not.toContain('secret');
    expect(disk.join('')).not.toContain('voted-for');
  });
});

describe('a file storage on the disk of the machine', () => {
  it('given batches and a snapshot, when it is closed and opened again, then they come back', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'skep-raft-'));
    try {
      const keys = new KeyRing({ id: 'first', key: new Uint8Array(32).fill(7) });
      const storage = new FileStorage({ directory, keys, segmentBytes: 4096 });
      await storage.open();
      for (let index = 1; index <= 50; index++) {
        const entries = [command(index, 1, 'x'.repeat(300))];
        await storage.persist(batchOf(index, { hardState: hardState(1, index - 1, 'a'), entries }));
      }
      await writeSnapshot(storage, description(40), bytes('state at 40'));
      await storage.compact(description(40), 35);
      await expect(new FileStorage({ directory, keys }).open()).rejects.toMatchObject({ code: 'locked' });
      await storage.close();
      const again = new FileStorage({ directory, keys });
      const { stored, tornBytes } = await again.open();
      expect(tornBytes).toBe(0);
      expect(stored.hardState).toEqual(hardState(1, 49, 'a'));
      expect(stored.entries.map(({ index }) => index)).toEqual(
        Array.from({ length: 16 }, (_, at) => at + 35),
      );
      expect(await bytesOf(again.readSnapshot(description(40)))).toEqual(bytes('state at 40'));
      await again.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
