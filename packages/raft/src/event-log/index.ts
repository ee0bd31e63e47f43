/**
 * A Raft cluster as an event log of `@skep/core`, which is known here by its types alone.
 *
 * @packageDocumentation
 */

export { RaftLogError } from './log-error.ts';
export type { RaftEventLogOptions } from './raft-event-log.ts';
export { RaftEventLog } from './raft-event-log.ts';
