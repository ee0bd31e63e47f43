/**
 * The disk as a port, call by call as an operating system has it, so that the storage can be run over a simulated disk
 * that loses, tears and refuses what real ones do. Nothing here buffers, retries or decides.
 */

/** How a file is opened. `create` fails with `EEXIST` where there is one; what it makes is for its owner alone. */
export type OpenMode = 'create' | 'read' | 'update';

/** An open file. Offsets are in bytes; there is no cursor. */
export interface DiskFile {
  /** Fills `into` from `offset` on, with less only where the file ends. Resolves to the number of bytes. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /**
   * Writes all of `bytes`. When it rejects, any part of them may have been written. The bytes may be used again after.
   *
   * @param isUrgent - somebody waits for this one: a little may be written without a hop to another thread.
   */
  write(bytes: Uint8Array, offset: number, isUrgent?: boolean): Promise<void>;
  /**
   * Makes durable what was written, and the length of the file (fdatasync).
   *
   * @param isUrgent - somebody waits for this one alone: the quickest way is worth holding up the rest of the process
   *   for as long as a quick disk takes.
   */
  datasync(isUrgent?: boolean): Promise<void>;
  /** Makes data and all metadata durable (fsync). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** A lock that is held. */
export interface DiskLock {
  release(): Promise<void>;
}

/** What the storage asks of an operating system. Failures carry the system's name for them in `code`. */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** The names in a directory, in any order. */
  list(directory: string): Promise<string[]>;
  /** Makes a directory and those above it, for their owner alone. Does nothing where it is there. */
  makeDirectory(directory: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes durable what was created, renamed and unlinked in a directory. */
  syncDirectory(directory: string): Promise<void>;
  /**
   * Takes the lock of a directory, which one process may hold and which ends with it, in whatever way it ends.
   * Resolves to undefined when somebody holds it.
   */
  lock(directory: string): Promise<DiskLock | undefined>;
}

/** Opens a file, uses it, and closes it whatever happens. */
export async function withFile<T>(
  disk: Disk,
  path: string,
  mode: OpenMode,
  use: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const file = await disk.open(path, mode);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
