/**
 * The disk as a port, at the granularity of system calls, so that the file log can be run on a simulated disk that
 * loses, tears and refuses what real ones do. Nothing here buffers, retries or decides.
 */

/** An open file. Positions are byte offsets; there is no cursor. */
export interface DiskFile {
  /** Reads into the whole of `into` from `offset`, fewer bytes only at the end of the file. Resolves to the count. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Writes all of `bytes` at `offset`, or rejects, in which case any part of it may have been written. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Makes what was written durable, and the size of the file with it (fdatasync). */
  datasync(): Promise<void>;
  /** Makes data and all metadata durable (fsync). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** What the file log asks of an operating system. Failures carry its error name in `code`, as Node's do. */
export interface Disk {
  /** `create` makes a new file readable by its owner alone, and fails with `EEXIST` if there is one. */
  open(path: string, mode: 'create' | 'read' | 'update'): Promise<DiskFile>;
  /** Names in a directory, in any order. */
  list(directory: string): Promise<string[]>;
  /** Makes a directory, and those above it, open to its owner alone. No failure if it is there. */
  makeDirectory(directory: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes what was created, renamed and unlinked in a directory durable. */
  syncDirectory(directory: string): Promise<void>;
  /**
   * Takes the lock that only one process may hold, and that ends with its holder, however that ends. Resolves to
   * undefined when another holds it.
   */
  lock(path: string): Promise<DiskLock | undefined>;
}

/** A held lock. */
export interface DiskLock {
  release(): Promise<void>;
}

/** The name that the operating system gives to a failure, such as `ENOSPC`. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether a failure means that there is no room (or none within the user's quota). */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
