/**
 * How a batch of entries is laid out inside one frame: epoch, first sequence, first position and count, then length,
 * time and payload of each. Positions and sequences are consecutive within a batch, so they are not repeated.
 * An empty batch is what a log that was closed in order ends with.
 */

import type { Append, Entry, Position } from '../log/event-log.ts';

/** Bytes before the first entry of a batch. */
export const BATCH_HEADER_BYTES = 28;

/** Bytes that each entry adds to its payload. */
export const ENTRY_OVERHEAD = 12;

/** Lays out `appends[from..to)` as a batch whose first entry stands at `position`. Returns the length. */
export function encodeBatch(
  appends: readonly { readonly append: Append }[],
  position: Position,
  into: Buffer,
): number {
  const first = appends[0]?.append;
  into.writeDoubleLE(first?.epoch ?? 0, 0);
  into.writeDoubleLE(first?.sequence ?? 0, 8);
  into.writeDoubleLE(position, 16);
  into.writeUInt32LE(appends.length, 24);
  let at = BATCH_HEADER_BYTES;
  for (const { append } of appends) {
    into.writeUInt32LE(append.payload.length, at);
    into.writeDoubleLE(append.at, at + 4);
    into.set(append.payload, at + ENTRY_OVERHEAD);
    at += ENTRY_OVERHEAD + append.payload.length;
  }
  return at;
}

/**
 * Calls `emit` for each entry of a batch. Payloads are views of `bytes`. Returns the last position, if any.
 *
 * @param isWanted - whether the entry whose payload lies between these offsets is made at all. Default: each is.
 */
export function decodeBatch(
  bytes: Buffer,
  emit: (entry: Entry) => void,
  isWanted: (start: number, end: number) => boolean = () => true,
): Position | undefined {
  const epoch = bytes.readDoubleLE(0);
  const sequence = bytes.readDoubleLE(8);
  const position = bytes.readDoubleLE(16);
  const count = bytes.readUInt32LE(24);
  let at = BATCH_HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    const length = bytes.readUInt32LE(at);
    const start = at + ENTRY_OVERHEAD;
    if (isWanted(start, start + length)) {
      const payload = new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
      emit({
        position: position + index,
        epoch,
        sequence: sequence + index,
        at: bytes.readDoubleLE(at + 4),
        payload,
      });
    }
    at = start + length;
  }
  return count === 0 ? undefined : position + count - 1;
}

/** The first position of a batch, and how many entries it has. */
export function batchRange(bytes: Buffer): { readonly position: Position; readonly count: number } {
  return { position: bytes.readDoubleLE(16), count: bytes.readUInt32LE(24) };
}
