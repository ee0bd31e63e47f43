/** What the file storage can be told, and its defaults. */

import * as path from 'node:path';
import type { Disk } from './disk.ts';
import { FileStorageError } from './errors.ts';
import { type KeyProvider, systemRandomBytes } from './keys.ts';
import { nodeDisk } from './node-disk.ts';

/** Options of a file storage. Sizes are in bytes. */
export interface FileStorageOptions {
  /** Made if it is not there. Nothing else may be kept in it. */
  readonly directory: string;
  /** Wraps and unwraps the keys that the files are sealed with. */
  readonly keys: KeyProvider;
  /** Default: the machine's. */
  readonly disk?: Disk;
  /** A segment that has reached this is followed by another. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** How far ahead zeroes are written into a segment. Default 4 MiB. */
  readonly preallocateBytes?: number;
  /** Batches that wait are written together up to this size. Default 4 MiB. */
  readonly groupBytes?: number;
  /** Default: the operating system's. Must be unpredictable, but in simulations. */
  readonly randomBytes?: (length: number) => Uint8Array;
  /** Lets other work of this process run before a group is closed. Default: one turn of the event loop. */
  readonly yieldTurn?: () => Promise<void>;
  /** Told of what failed without harm: files that can't be removed, or a log that can't be closed in order. */
  readonly onTidyError?: (error: FileStorageError) => void;
}

/** Options with all defaults filled in. */
export type FileStorageSettings = Required<FileStorageOptions>;

const MEBIBYTE = 1024 * 1024;

const DEFAULTS = {
  disk: nodeDisk,
  segmentBytes: 64 * MEBIBYTE,
  preallocateBytes: 4 * MEBIBYTE,
  groupBytes: 4 * MEBIBYTE,
  randomBytes: systemRandomBytes,
  yieldTurn: () => new Promise<void>((resolve) => setImmediate(resolve)),
  onTidyError: () => {},
};

/** @throws FileStorageError `invalid-option`. */
export function resolveSettings(options: FileStorageOptions): FileStorageSettings {
  const settings = { ...DEFAULTS, ...options };
  for (const name of ['segmentBytes', 'preallocateBytes', 'groupBytes'] as const) {
    const value = settings[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new FileStorageError(
        'invalid-option',
        `${name} is ${value}, and has to be a whole number from 1`,
      );
    }
  }
  if (settings.directory === '') {
    throw new FileStorageError('invalid-option', 'directory has to name a directory');
  }
  return { ...settings, directory: path.resolve(settings.directory) };
}
