/**
 * The port between the simulation of nodes and the storage under them: a disk that outlives its member's processes and
 * does to them what disks do. Which storage stands on it, and what a write costs it, is the adapter's matter.
 */

import type { RaftStorage } from '../../storage/storage.ts';
import type { RandomStream } from '../seeded-random.ts';

/** A kind of call of the operating system, as far as its time goes. */
export type DiskCall = 'read' | 'write' | 'sync' | 'names';

/** Called as each call begins; what it returns is waited for before the call has its effect. */
export type DiskPace = (call: DiskCall) => Promise<void> | undefined;

/** One member's disk. */
export interface MemberDisk {
  /** A storage for the next process. The one before it must be dead. */
  boot(): RaftStorage;
  /** The process dies; with `power`, so does the machine, and what was not synced is there in part or not at all. */
  crash(how: 'kill' | 'power'): void;
  /**
   * The next sync or write fails with an I/O error, as the file system reports it once; or the next write finds no
   * room, as where a file system copies what it overwrites.
   */
  failNext(what: 'sync' | 'write' | 'room'): void;
  /** From now on there is room for so many bytes more; undefined for any number. */
  leaveRoom(bytes: number | undefined): void;
  /**
   * A bit flips in what had been durable for long, or a file of it is gone, where a good storage notices.
   *
   * @returns what and where; undefined if there is nothing to rot.
   */
  rot(): { readonly kind: 'bits that flipped' | 'files that were lost'; readonly where: string } | undefined;
  /** Goes over to a new key for what is sealed, if anything is. */
  rotateKey?(): Promise<void>;
}

/** Randomness for one purpose, by its name. */
export type StreamOf = (name: string) => RandomStream;

/** Makes the disks of one simulation, and watches over rules that concern them all. */
export interface MemberDisks {
  make(streamOf: StreamOf, pace: DiskPace): MemberDisk;
  /** A rule of the storage that was broken, such as a nonce used twice. */
  readonly brokenRule: string | undefined;
}
