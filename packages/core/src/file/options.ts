/** What can be set of a file log, with defaults and units. */

import * as path from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { systemRandom } from '../runtime/system-random.ts';
import type { Disk } from './disk.ts';
import { fileKeyProvider, type KeyProvider } from './keys.ts';
import { nodeDisk } from './node-disk.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Options of {@link FileEventLog}. */
export interface FileEventLogOptions {
  /** The directory to keep everything in. Made if absent, open to its owner alone. One process at a time. */
  readonly dir: string;
  /** Where keys come from. Default: a random key in the file `key` in `dir`, readable by its owner alone. */
  readonly keyProvider?: KeyProvider;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Source of salts. Must be fit for cryptography outside tests. Default: the system's. */
  readonly random?: Random;
  /** Told of what was mended, of failed checkpoints and of a full disk. Default: silent. */
  readonly logger?: Logger;
  /** Default: the machine's. */
  readonly disk?: Disk;
  /** The largest payload that one append may carry, in bytes. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /** Entries that are synced together at most. Default 4096. */
  readonly maxBatchEntries?: number;
  /** Bytes of payload that are synced together at most, though always one entry. Default 1 MiB. */
  readonly maxBatchBytes?: number;
  /** Appends that may wait at once; more are refused as `busy`. Default 100,000. */
  readonly maxInFlight?: number;
  /** Bytes of payload that may wait at once; more are refused as `busy`. Default 64 MiB. */
  readonly maxInFlightBytes?: number;
  /** A new segment begins once one has grown to this many bytes. Default 16 MiB. */
  readonly segmentBytes?: number;
  /** Zeroes written ahead in a segment, in bytes. More makes fewer syncs slow, 0 all of them. Default 1 MiB. */
  readonly preallocateBytes?: number;
  /** A snapshot is taken after this many entries. Default 100,000. `Infinity` turns it off. */
  readonly snapshotEveryEntries?: number;
  /** A snapshot is taken after this many bytes of segments. Default 64 MiB. `Infinity` turns it off. */
  readonly snapshotEveryBytes?: number;
  /**
   * Bytes of segments that a snapshot covers to keep all the same, for readers of history. `checkpoint` removes them
   * too unless told `discard: false`. Default 0.
   */
  readonly retainBytes?: number;
  /** Bytes of the newest payloads that are kept in memory for live readers. Default 4 MiB. */
  readonly recentBytes?: number;
  /** How long to wait before a full disk is tried again, in milliseconds. Default 1000. */
  readonly diskFullRetryMs?: number;
}

/** All options, decided. */
export type FileEventLogSettings = Required<FileEventLogOptions>;

/** Fills in the defaults. */
export function withDefaults(options: FileEventLogOptions): FileEventLogSettings {
  return {
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    disk: nodeDisk,
    keyProvider: fileKeyProvider(path.join(options.dir, 'key')),
    maxPayloadBytes: MIB,
    maxBatchEntries: 4096,
    maxBatchBytes: MIB,
    maxInFlight: 100_000,
    maxInFlightBytes: 64 * MIB,
    segmentBytes: 16 * MIB,
    preallocateBytes: MIB,
    snapshotEveryEntries: 100_000,
    snapshotEveryBytes: 64 * MIB,
    retainBytes: 0,
    recentBytes: 4 * MIB,
    diskFullRetryMs: 1000,
    ...options,
  };
}
