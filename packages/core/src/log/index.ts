/**
 * The event log: its port, and the log in memory.
 *
 * @packageDocumentation
 */

export * from './event-log.ts';
export { MemoryEventLog, type MemoryEventLogOptions } from './memory-event-log.ts';
export type { MemoryLogFault } from './memory-in-flight.ts';
export { MemoryLogStorage } from './memory-storage.ts';
