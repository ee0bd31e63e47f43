/**
 * Files that are read again and again, kept open between one read and the next: the story of an object reads block after
 * block of a segment. Only the last used few, so that a long history holds no more descriptors than a short one.
 */

import type { Disk, DiskFile } from '../disk.ts';

/** Files kept open that nobody reads just now. */
const IDLE_MAX = 4;

interface OpenFile {
  readonly file: Promise<DiskFile>;
  readers: number;
}

/** The files of one directory, as far as they are open. */
export class OpenFiles {
  readonly #disk: Disk;
  /** By path, the last used last. One that is not in here any more is closed by its last reader. */
  readonly #open = new Map<string, OpenFile>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Reads from a file. @throws what opening it, or `read`, does */
  async use<T>(path: string, read: (file: DiskFile) => Promise<T>): Promise<T> {
    const entry = this.#open.get(path) ?? { file: this.#disk.open(path, 'read'), readers: 0 };
    entry.readers += 1;
    this.#open.delete(path);
    this.#open.set(path, entry);
    try {
      return await read(await entry.file);
    } catch (error) {
      // What could not be read may be another file by the next time.
      if (this.#open.get(path) === entry) this.#open.delete(path);
      throw error;
    } finally {
      entry.readers -= 1;
      await this.#closeIdle(path, entry);
    }
  }

  /** Lets go of a file that is to be renamed or removed. */
  async drop(path: string): Promise<void> {
    const entry = this.#open.get(path);
    this.#open.delete(path);
    if (entry?.readers === 0) await close(entry);
  }

  /** Lets go of all. */
  async close(): Promise<void> {
    for (const path of [...this.#open.keys()]) await this.drop(path);
  }

  async #closeIdle(path: string, entry: OpenFile): Promise<void> {
    if (this.#open.get(path) !== entry) {
      if (entry.readers === 0) await close(entry);
      return;
    }
    const idle = [...this.#open].filter(([, { readers }]) => readers === 0);
    for (const [oldest] of idle.slice(0, Math.max(0, idle.length - IDLE_MAX))) await this.drop(oldest);
  }
}

/** A file that never opened, or that was only read, has nothing to lose. */
async function close({ file }: OpenFile): Promise<void> {
  await file.then((opened) => opened.close()).catch(() => {});
}
