/** How one append of the event log lies in a command: time and sequence as big-endian doubles, then the payload. */

import type { Append, Entry } from '@skep/core/log';
import type { Entry as RaftEntry } from '../core/types.ts';
import { unwrap } from '../node/command-envelope.ts';
import type { AppliedCommand } from '../node/state-machine.ts';

/** Bytes before the payload. */
export const APPEND_HEADER_BYTES = 16;

/** What stands before the payload. The epoch is the entry's term, and needs no place. */
export function appendHeader({ at, sequence }: Append): Uint8Array {
  const header = new Uint8Array(APPEND_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setFloat64(0, at);
  view.setFloat64(8, sequence);
  return header;
}

/** A command as the entry that the port speaks of. */
export function toLogEntry({ index, term, payload }: AppliedCommand): Entry {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return {
    position: index,
    epoch: term,
    at: view.getFloat64(0),
    sequence: view.getFloat64(8),
    payload: payload.subarray(APPEND_HEADER_BYTES),
  };
}

/** The same from an entry of the log; undefined for the log's own bookkeeping. */
export function fromRaftEntry(entry: RaftEntry): Entry | undefined {
  if (entry.kind !== 'command') return undefined;
  const { identity, payload } = unwrap(entry.payload);
  if (identity !== undefined) return undefined;
  return toLogEntry({ index: entry.index, term: entry.term, payload });
}
