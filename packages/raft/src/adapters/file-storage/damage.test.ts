import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { PersistBatch } from '../../core/ready.ts';
import type { StoredState } from '../../core/types.ts';
import { FileStorageError } from './errors.ts';
import { HEADER_BYTES } from './file-header.ts';
import { MARK_BYTES } from './frame.ts';
import {
  batchOf,
  bytesOf,
  command,
  commands,
  description,
  hardState,
  StorageFixture,
  seededRandom,
  writeSnapshot,
} from './storage-fixture.ts';

interface Opened {
  readonly stored?: StoredState;
  readonly tornBytes?: number;
  readonly snapshot?: Uint8Array;
  readonly error?: FileStorageError;
}

/** Opens a copy of the disk on which one file holds other bytes, and reads all there is. */
async function openWith(fixture: StorageFixture, path: string, contents: Uint8Array): Promise<Opened> {
  const disk = fixture.disk.copy(seededRandom(1));
  disk.replace(path, contents);
  const storage = fixture.storage({ disk });
  try {
    const { stored, tornBytes } = await storage.open();
    const snapshot = stored.snapshot && (await bytesOf(storage.readSnapshot(stored.snapshot)));
    return { stored, tornBytes, ...(snapshot === undefined ? {} : { snapshot }) };
  } catch (error) {
    if (error instanceof FileStorageError) return { error };
    throw error;
  } finally {
    await storage.close();
  }
}

const BATCHES: readonly PersistBatch[] = [
  batchOf(1, { hardState: hardState(1, 0, 'a'), entries: commands(1, 3) }),
  batchOf(2, { hardState: hardState(1, 3, 'a'), entries: commands(4, 6) }),
  batchOf(3, { hardState: hardState(2, 3), entries: [command(5, 2), command(6, 2)] }),
  batchOf(4, { hardState: hardState(3, 5, 'b') }),
  batchOf(5, { entries: [command(7, 3)] }),
];

/** What is stored after each batch, the first state being the empty one. */
function statesOf(batches: readonly PersistBatch[]): StoredState[] {
  const states: StoredState[] = [{ hardState: hardState(0), entries: [] }];
  for (const batch of batches) {
    const before = states.at(-1) ?? { hardState: hardState(0), entries: [] };
    const [first] = batch.entries;
    const kept = before.entries.filter(({ index }) => first === undefined || index < first.index);
    states.push({ hardState: batch.hardState ?? before.hardState, entries: [...kept, ...batch.entries] });
  }
  return states;
}

/** A log of one segment, a frame for each batch. */
async function smallLog(close: boolean) {
  const fixture = new StorageFixture(3);
  const storage = await fixture.opened({ preallocateBytes: 64 });
  for (const batch of BATCHES) await storage.persist(batch);
  if (close) await storage.close();
  else await new Promise((resolve) => setImmediate(resolve));
  const [segment] = fixture.segments;
  if (segment === undefined) throw new Error('there is no segment');
  return { fixture, segment, states: statesOf(BATCHES), contents: fixture.disk.contents(segment) };
}

/** A log of several segments with a snapshot, closed in order. */
async function longLog() {
  const fixture = new StorageFixture(9);
  const storage = await fixture.opened({ segmentBytes: 2200, preallocateBytes: 64 });
  for (let index = 1; index <= 30; index++) {
    await storage.persist(
      batchOf(index, { hardState: hardState(1, index - 1), entries: [command(index, 1, 'x'.repeat(90))] }),
    );
  }
  const contents = Uint8Array.from({ length: 700 }, (_, at) => at % 256);
  await writeSnapshot(storage, description(12), contents.subarray(0, 400), contents.subarray(400));
  await storage.compact(description(12), 5);
  await storage.close();
  const reopened = await fixture.storage().open();
  return { fixture: await closedCopy(fixture), stored: reopened.stored, contents };
}

/** The same disk, as the next process will find it. */
async function closedCopy(fixture: StorageFixture): Promise<StorageFixture> {
  const copy = new StorageFixture(9);
  copy.disk = fixture.disk.copy(seededRandom(2));
  const storage = await copy.opened();
  await storage.close();
  return copy;
}

function flipped(contents: Uint8Array, at: number, mask: number): Uint8Array {
  const damaged = contents.slice();
  damaged[at] = (damaged[at] ?? 0) ^ mask;
  return damaged;
}

describe('a damaged file storage', { timeout: 120_000 }, () => {
  it('given the last segment cut at any byte, then the batches before the cut come back, or it is refused', async () => {
    const { fixture, segment, states, contents } = await smallLog(false);
    const seen = new Set<number>();
    const written = contents.findLastIndex((byte) => byte !== 0);
    for (let length = 0; length < contents.length; length += length <= written ? 1 : 501) {
      const { stored, tornBytes, error } = await openWith(fixture, segment, contents.subarray(0, length));
      if (stored === undefined) {
        expect(error?.code).toBe('corrupt');
        continue;
      }
      const at = states.findIndex((state) => isDeepStrictEqual(state, stored));
      expect(at, `cut at ${length}`).toBeGreaterThanOrEqual(0);
      if (tornBytes === 0) seen.add(at);
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('given a log that was closed in order, when any byte is flipped, then it is refused, or all comes back', async () => {
    const { fixture, segment, states, contents } = await smallLog(true);
    const { segments } = fixture;
    expect(segments).toHaveLength(1);
    let refused = 0;
    for (let at = 0; at < contents.length; at++) {
      const { stored, error } = await openWith(fixture, segment, flipped(contents, at, 1 << (at % 8)));
      if (error === undefined) expect(stored).toEqual(states.at(-1));
      else {
        refused += 1;
        expect(error.code).toBe('corrupt');
        expect(error.place?.file).toBe(segment);
        expect(error.place?.offset).toBeLessThanOrEqual(at);
      }
    }
    // All but the marks behind the frames, which say nothing of what is there.
    expect(refused).toBe(contents.length - (BATCHES.length + 2) * MARK_BYTES);
  });

  it('given a log that a power cut ended before its last mark was there, when any bit is flipped, then at most its last frame is cut off, and that is told', async () => {
    const { fixture, segment, states, contents } = await smallLog(false);
    const marked = contents.findLastIndex((byte) => byte !== 0);
    contents.fill(0, marked + 1 - MARK_BYTES);
    let cut = 0;
    // Every bit of the frames, a bit of each byte of the header, and here and there in the space behind.
    const written = contents.findLastIndex((byte) => byte !== 0);
    for (let at = 0; at < contents.length; at += at <= written ? 1 : 501) {
      const bits = at < HEADER_BYTES || at > written ? [0x81] : [1, 2, 4, 8, 16, 32, 64, 128];
      for (const bit of bits) {
        const { stored, tornBytes, error } = await openWith(fixture, segment, flipped(contents, at, bit));
        if (error !== undefined) {
          expect(error.code).toBe('corrupt');
          continue;
        }
        if (isDeepStrictEqual(stored, states.at(-1))) continue;
        expect(tornBytes, `flipped at ${at}`).toBeGreaterThan(0);
        expect(stored).toEqual(states.at(-2));
        cut += 1;
      }
    }
    expect(cut).toBeGreaterThan(0);
  });

  it('given a log whose process was killed, when any bit of a frame is flipped, the last one included, then it is refused', async () => {
    const { fixture, segment, states, contents } = await smallLog(false);
    const written = contents.findLastIndex((byte) => byte !== 0);
    let refused = 0;
    for (let at = HEADER_BYTES; at <= written; at++) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const { stored, error } = await openWith(fixture, segment, flipped(contents, at, bit));
        if (error === undefined) expect(stored, `flipped at ${at}`).toEqual(states.at(-1));
        else {
          expect(error.code).toBe('corrupt');
          refused += 1;
        }
      }
    }
    const marks = (BATCHES.length + 1) * MARK_BYTES;
    expect(refused).toBe((written + 1 - HEADER_BYTES - marks) * 8);
  });

  it('given several segments and a snapshot, when bytes of any file are flipped, then it is refused, or all comes back', async () => {
    const { fixture, stored, contents } = await longLog();
    expect(fixture.segments.length).toBeGreaterThan(3);
    for (const path of [...fixture.segments, ...fixture.snapshots]) {
      const whole = fixture.disk.contents(path);
      for (let at = 0; at < whole.length; at += at < 1100 ? 37 : 11) {
        const opened = await openWith(fixture, path, flipped(whole, at, 0x40));
        if (opened.error === undefined) {
          expect(opened.stored).toEqual(stored);
          expect(opened.snapshot).toEqual(contents);
        } else {
          expect(opened.error.code).toBe('corrupt');
          expect(opened.error.message).toContain(path);
        }
      }
    }
  });

  it('given several segments and a snapshot, when any file but the last segment is cut, then it is refused', async () => {
    const { fixture, stored, contents } = await longLog();
    for (const path of [...fixture.segments.slice(0, -1), ...fixture.snapshots]) {
      const whole = fixture.disk.contents(path);
      for (let length = 0; length < whole.length; length += 23) {
        const opened = await openWith(fixture, path, whole.subarray(0, length));
        if (opened.error === undefined) {
          expect(opened.stored).toEqual(stored);
          expect(opened.snapshot).toEqual(contents);
        } else expect(opened.error.code).toBe('corrupt');
      }
    }
  });

  it('given a segment or a snapshot that is missing, then it is refused', async () => {
    const { fixture } = await longLog();
    for (const path of [...fixture.segments, ...fixture.snapshots]) {
      const disk = fixture.disk.copy(seededRandom(1));
      disk.lose(path);
      const storage = fixture.storage({ disk });
      await expect(storage.open(), path).rejects.toMatchObject({ code: 'corrupt' });
    }
  });

  it('given a log of which nothing is left, then it does not begin anew', async () => {
    const { fixture, segment } = await smallLog(false);
    fixture.disk.kill();
    fixture.disk.boot();
    fixture.disk.lose(segment);
    await expect(fixture.storage().open()).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('given a refusal, then nothing on the disk was changed', async () => {
    const { fixture } = await longLog();
    const [first] = fixture.segments;
    const disk = fixture.disk.copy(seededRandom(1));
    disk.replace(first ?? '', flipped(disk.contents(first ?? ''), 1100, 1));
    const before = disk.paths().map((path) => disk.contents(path));
    await expect(fixture.storage({ disk }).open()).rejects.toMatchObject({ code: 'corrupt' });
    expect(disk.paths().map((path) => disk.contents(path))).toEqual(before);
  });
});
