/**
 * For tests: watches what is written to a disk, and fails when two different frames were ever sealed with one counter
 * under one file key, in this life or any other. Files are told apart by the salt in their header, as their keys are.
 */

import { createHash } from 'node:crypto';
import type { Disk, DiskFile } from './disk.ts';
import { HEADER_BYTES } from './file-header.ts';
import { FRAME_OVERHEAD, isMark, MARK_BYTES, readHead } from './frame.ts';

/** Watches disks. */
export class NonceAudit {
  readonly #seen = new Map<string, string>();
  readonly #reused: string[] = [];

  /** Counters that sealed two different frames. Must stay empty. */
  get reused(): readonly string[] {
    return this.#reused;
  }

  /** Frames that were written, each counted once. */
  get frames(): number {
    return this.#seen.size;
  }

  /** The same disk, watched. */
  watch(disk: Disk): Disk {
    return {
      open: async (path, mode) => this.#watched(path, await disk.open(path, mode)),
      list: (directory) => disk.list(directory),
      makeDirectory: (directory) => disk.makeDirectory(directory),
      rename: (from, to) => disk.rename(from, to),
      unlink: (path) => disk.unlink(path),
      syncDirectory: (directory) => disk.syncDirectory(directory),
      lock: (directory) => disk.lock(directory),
    };
  }

  #watched(path: string, file: DiskFile): DiskFile {
    let salt: string | undefined;
    return {
      ...bound(file),
      write: async (bytes, offset, isUrgent) => {
        const written = Buffer.from(bytes);
        if (offset === 0) salt = written.toString('hex', 32, 64);
        else if (salt === undefined) {
          const header = Buffer.alloc(HEADER_BYTES);
          await file.read(header, 0);
          salt = header.toString('hex', 32, 64);
        }
        this.#note(path, salt ?? '', written, offset === 0 ? HEADER_BYTES : 0);
        await file.write(bytes, offset, isUrgent);
      },
    };
  }

  #note(path: string, salt: string, written: Buffer, from: number): void {
    for (let at = from, head = readHead(written, at); head !== undefined; head = readHead(written, at)) {
      if (isMark(head)) {
        at += MARK_BYTES;
        continue;
      }
      const frame = written.subarray(at, at + head.length + FRAME_OVERHEAD);
      const name = `${salt}/${head.counter}`;
      const digest = createHash('sha256').update(frame).digest('hex');
      const before = this.#seen.get(name);
      if (before !== undefined && before !== digest) this.#reused.push(`${path} frame ${head.counter}`);
      this.#seen.set(name, digest);
      at += frame.length;
    }
  }
}

function bound(file: DiskFile): DiskFile {
  return {
    read: (into, offset) => file.read(into, offset),
    write: (bytes, offset, isUrgent) => file.write(bytes, offset, isUrgent),
    datasync: (isUrgent) => file.datasync(isUrgent),
    sync: () => file.sync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
  };
}
