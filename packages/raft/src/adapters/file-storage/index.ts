/**
 * Durable storage for a member on Node: a sealed write-ahead log and snapshots in a directory.
 *
 * @packageDocumentation
 */

export type { Disk, DiskFile, DiskLock, OpenMode } from './disk.ts';
export type { DamagePlace, FileStorageErrorCode } from './errors.ts';
export { FileStorageError } from './errors.ts';
export type { FileStorageStatus } from './file-storage.ts';
export { FileStorage } from './file-storage.ts';
export type { KeyProvider, RingKey, WrappedKey } from './keys.ts';
export { KeyRing } from './keys.ts';
export { nodeDisk } from './node-disk.ts';
export type { FileStorageOptions } from './options.ts';
export { SimulatedDisk, SimulatedDiskError } from './simulated-disk.ts';
export { SimulatedFileDisks } from './simulated-file-disks.ts';
