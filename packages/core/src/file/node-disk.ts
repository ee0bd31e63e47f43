/**
 * The {@link Disk} of Node: `node:fs` and, for the lock, a socket. Callbacks rather than `fs/promises`, whose file
 * handles cost a multiple for each call.
 */

import * as fs from 'node:fs';
import type { Disk, DiskFile, DiskLock } from './disk.ts';
import { lockDirectory } from './socket-lock.ts';

/**
 * Writes up to this size go straight into the page cache, on the event loop. Measured with 400-byte writes, each
 * followed by an fdatasync: 0.16 ms instead of 0.23 ms at the median, since one hop to the thread pool is saved,
 * and a copy of 64 KiB takes some 20 µs.
 */
const INLINE_WRITE_BYTES = 64 * 1024;

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

const OPEN_FLAGS = { create: 'wx+', read: 'r', update: 'r+' } as const;

class NodeFile implements DiskFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const count = await call<number>((back) => {
        fs.read(this.#fd, into, done, into.length - done, offset + done, back);
      });
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const inline = bytes.length <= INLINE_WRITE_BYTES;
    let done = 0;
    while (done < bytes.length) {
      const left = bytes.length - done;
      done += inline
        ? fs.writeSync(this.#fd, bytes, done, left, offset + done)
        : await call<number>((back) => {
            fs.write(this.#fd, bytes, done, left, offset + done, back);
          });
    }
  }

  datasync(): Promise<void> {
    return call((back) => fs.fdatasync(this.#fd, back));
  }

  sync(): Promise<void> {
    return call((back) => fs.fsync(this.#fd, back));
  }

  truncate(length: number): Promise<void> {
    return call((back) => fs.ftruncate(this.#fd, length, back));
  }

  async size(): Promise<number> {
    const stats = await call<fs.Stats>((back) => fs.fstat(this.#fd, back));
    return stats.size;
  }

  close(): Promise<void> {
    return call((back) => fs.close(this.#fd, back));
  }
}

/** The disk of the machine. */
export const nodeDisk: Disk = {
  async open(path, mode) {
    return new NodeFile(await call<number>((back) => fs.open(path, OPEN_FLAGS[mode], PRIVATE_FILE, back)));
  },
  list: (directory) => fs.promises.readdir(directory),
  async makeDirectory(directory) {
    await fs.promises.mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
  },
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
  async syncDirectory(directory) {
    // Windows has no way to sync a directory, and needs none: its metadata is journalled with the file.
    if (process.platform === 'win32') return;
    const fd = await call<number>((back) => fs.open(directory, 'r', back));
    try {
      await call<void>((back) => fs.fsync(fd, back));
    } finally {
      await call<void>((back) => fs.close(fd, back));
    }
  },
  lock: (path): Promise<DiskLock | undefined> => lockDirectory(path),
};

function call<T>(start: (back: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}
