/**
 * A task's output from the engine: both streams taken apart, or the one raw stream of a terminal, with the times that
 * the engine saw it at.
 */

import type { LogChunk, LogOptions } from '@skep/core/driver';

/** The engine's frame: stream, three zeros, length in big-endian (Docker's API, "Attach to a container"). */
const HEADER = 8;

/** Takes apart a stream of frames. A frame that is cut off at the end is dropped. */
export async function* readFrames(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly stream: LogChunk['stream']; readonly data: Buffer }> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  let needed = HEADER;
  for await (const piece of source) {
    pieces.push(piece);
    size += piece.length;
    if (size < needed) continue;
    let rest: Buffer = Buffer.concat(pieces);
    while (rest.length >= HEADER) {
      const length = rest.readUInt32BE(4);
      needed = HEADER + length;
      if (rest.length < needed) break;
      yield { stream: rest[0] === 2 ? 'stderr' : 'stdout', data: rest.subarray(HEADER, needed) };
      rest = rest.subarray(needed);
      needed = HEADER;
    }
    pieces = [rest];
    size = rest.length;
  }
}

/** Each frame is one message, with its time before it: `2026-01-31T10:00:00.123456789Z text`. */
export async function* readTimedFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<LogChunk> {
  for await (const { stream, data } of readFrames(source)) {
    const space = data.indexOf(0x20);
    const at = space < 0 ? Number.NaN : Date.parse(data.subarray(0, space).toString('latin1'));
    if (Number.isNaN(at)) yield { stream, at: 0, data };
    else yield { stream, at, data: data.subarray(space + 1) };
  }
}

/** A terminal's output has no frames, and no times that could be told from the text. */
export async function* readRaw(
  source: AsyncIterable<Uint8Array>,
  now: () => number,
): AsyncGenerator<LogChunk> {
  for await (const data of source) yield { stream: 'stdout', at: now(), data };
}

/** What the engine is asked for. It counts time in seconds, with fractions. */
export function logQuery(options: LogOptions, isTerminal: boolean) {
  return {
    stdout: true,
    stderr: true,
    timestamps: !isTerminal,
    ...(options.since !== undefined && { since: options.since / 1000 }),
    ...(options.tail !== undefined && { tail: options.tail }),
  };
}
