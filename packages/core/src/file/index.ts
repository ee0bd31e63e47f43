/**
 * The event log on disk, for Node: the embedded default.
 *
 * @packageDocumentation
 */

export type { Disk, DiskFile, DiskLock } from './disk.ts';
export { FileEventLog } from './file-event-log.ts';
export { FileHistoryStore, type FileHistoryStoreOptions } from './history/file-history-store.ts';
export { type DataKey, fileKeyProvider, type KeyProvider } from './keys.ts';
export { nodeDisk } from './node-disk.ts';
export type { FileEventLogOptions } from './options.ts';
export { SimulatedDisk, SimulatedDiskError } from './simulated-disk.ts';
