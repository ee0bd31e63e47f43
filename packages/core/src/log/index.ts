/**
 * The event log: its port, and the log in memory.
 *
 * @packageDocumentation
 */

export * from './event-log.ts';
export {
  MemoryEventLog,
  type MemoryEventLogOptions,
  type MemoryLogFault,
  MemoryLogStorage,
} from './memory-event-log.ts';
