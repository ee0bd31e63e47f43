/** The machine's disk: `node:fs`, by descriptors and callbacks, whose calls cost a fraction of a `FileHandle`'s. */

import * as fs from 'node:fs';
import type { Disk, DiskFile, OpenMode } from './disk.ts';
import { lockDirectory } from './process-lock.ts';

/**
 * So much is copied into the page cache on the event loop if somebody waits for it: the hop to another thread would take
 * longer. What nobody waits for is not, since a file that grows may have to wait for the file system's journal.
 */
const INLINE_BYTES = 128 * 1024;

/**
 * A sync on the event loop saves two changes of thread, which take longer than a quick disk does. While any sync of the
 * last half minute took longer than this, in ms, none is done so: a disk that stalls shall not hold up heartbeats.
 */
const STALL_MS = 20;
const STALL_MEMORY_MS = 30_000;

const FLAGS: Readonly<Record<OpenMode, string>> = { create: 'wx+', read: 'r', update: 'r+' };
const FOR_OWNER = { file: 0o600, directory: 0o700 } as const;

/** Node's callback API as promises. */
function called<T = void>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error)));
  });
}

function openFile(path: string, flags: string): Promise<number> {
  return called<number>((done) => fs.open(path, flags, FOR_OWNER.file, done));
}

class DescriptorFile implements DiskFile {
  readonly #descriptor: number;
  #stalledAt = Number.NEGATIVE_INFINITY;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let at = 0;
    while (at < into.length) {
      const start = at;
      const count = await called<number>((done) =>
        fs.read(this.#descriptor, into, start, into.length - start, offset + start, done),
      );
      if (count === 0) break;
      at += count;
    }
    return at;
  }

  async write(bytes: Uint8Array, offset: number, isUrgent = false): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const start = at;
      const rest = bytes.length - start;
      if (isUrgent && bytes.length <= INLINE_BYTES) {
        at += fs.writeSync(this.#descriptor, bytes, start, rest, offset + start);
      } else {
        at += await called<number>((done) =>
          fs.write(this.#descriptor, bytes, start, rest, offset + start, done),
        );
      }
    }
  }

  async datasync(isUrgent = false): Promise<void> {
    const began = performance.now();
    if (isUrgent && began - this.#stalledAt > STALL_MEMORY_MS) fs.fdatasyncSync(this.#descriptor);
    else await called((done) => fs.fdatasync(this.#descriptor, done));
    const ended = performance.now();
    if (ended - began > STALL_MS) this.#stalledAt = ended;
  }

  sync(): Promise<void> {
    return called((done) => fs.fsync(this.#descriptor, done));
  }

  truncate(length: number): Promise<void> {
    return called((done) => fs.ftruncate(this.#descriptor, length, done));
  }

  async size(): Promise<number> {
    const { size } = await called<fs.Stats>((done) => fs.fstat(this.#descriptor, done));
    return size;
  }

  close(): Promise<void> {
    return called((done) => fs.close(this.#descriptor, done));
  }
}

/** The disk of the machine. */
export const nodeDisk: Disk = {
  async open(path, mode) {
    return new DescriptorFile(await openFile(path, FLAGS[mode]));
  },
  list(directory) {
    return fs.promises.readdir(directory);
  },
  async makeDirectory(directory) {
    await fs.promises.mkdir(directory, { recursive: true, mode: FOR_OWNER.directory });
  },
  rename(from, to) {
    return fs.promises.rename(from, to);
  },
  unlink(path) {
    return fs.promises.unlink(path);
  },
  async syncDirectory(directory) {
    // Windows can't open a directory for that, and journals names by itself.
    if (process.platform === 'win32') return;
    const descriptor = await openFile(directory, 'r');
    try {
      await called((done) => fs.fsync(descriptor, done));
    } finally {
      await called((done) => fs.close(descriptor, done));
    }
  },
  lock(directory) {
    return lockDirectory(directory);
  },
};
