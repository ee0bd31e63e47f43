/**
 * Reads the frames of one file in order, and says how the file ends: cleanly, or with something that is no frame,
 * and in that case whether an intact frame stands behind it. It never judges what that means: recovery does.
 */

import type { DiskFile } from './disk.ts';
import { HEADER_BYTES } from './file-header.ts';
import { FRAME_HEADER_BYTES, FRAME_MARKER, FRAME_OVERHEAD, openFrame, parseFrameHeader } from './frame.ts';

const CHUNK_BYTES = 1024 * 1024;

/** A point between two frames, from which reading can start. */
export interface FrameMark {
  readonly offset: number;
  /** Number of the frame that starts there. */
  readonly counter: number;
}

/** Where the frames of a file start. */
export const FIRST_FRAME: FrameMark = { offset: HEADER_BYTES, counter: 1 };

/** What stands at one place of a file. */
export type FrameRead =
  | { readonly kind: 'frame'; readonly contents: Buffer; readonly at: FrameMark; readonly next: FrameMark }
  /** Nothing but zeroes, or nothing at all, from here on. */
  | { readonly kind: 'end'; readonly at: FrameMark }
  | {
      readonly kind: 'bad';
      readonly at: FrameMark;
      /** Bytes up to the last one that is not zero. */
      readonly bytes: number;
      /** Offset of an intact frame behind the bad place. */
      readonly intactBehind: number | undefined;
    };

/** Reads frames one after the other. */
export class FrameReader {
  readonly #file: DiskFile;
  readonly #fileKey: Uint8Array;
  #next: FrameMark;
  #buffer = Buffer.alloc(0);
  #from = 0;

  constructor(file: DiskFile, fileKey: Uint8Array, from: FrameMark = FIRST_FRAME) {
    this.#file = file;
    this.#fileKey = fileKey;
    this.#next = from;
  }

  async next(): Promise<FrameRead> {
    const at = this.#next;
    if (this.#buffered < FRAME_HEADER_BYTES) await this.#fill(FRAME_HEADER_BYTES);
    const header = parseFrameHeader(this.#buffer, this.#from);
    if (header === undefined || header.counter !== at.counter) return this.#inspect(at);
    const length = header.length + FRAME_OVERHEAD;
    if (this.#buffered < length) await this.#fill(length);
    const contents = openFrame(this.#fileKey, header, this.#buffer, this.#from);
    if (contents === undefined) return this.#inspect(at);
    this.#from += length;
    this.#next = { offset: at.offset + length, counter: at.counter + 1 };
    return { kind: 'frame', contents, at, next: this.#next };
  }

  get #buffered(): number {
    return this.#buffer.length - this.#from;
  }

  /** Reads on, so that at least `bytes` are buffered if the file has them. */
  async #fill(bytes: number): Promise<void> {
    const kept = this.#buffer.subarray(this.#from);
    const grown = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes + FRAME_HEADER_BYTES));
    kept.copy(grown);
    const count = await this.#file.read(grown.subarray(kept.length), this.#next.offset + kept.length);
    this.#buffer = grown.subarray(0, kept.length + count);
    this.#from = 0;
  }

  async #inspect(at: FrameMark): Promise<FrameRead> {
    const rest = Buffer.alloc(Math.max(0, (await this.#file.size()) - at.offset));
    const count = await this.#file.read(rest, at.offset);
    const bytes = lengthWithoutZeroes(rest.subarray(0, count));
    if (bytes === 0) return { kind: 'end', at };
    const behind = findIntactFrame(rest.subarray(0, count), this.#fileKey, at.counter);
    return { kind: 'bad', at, bytes, intactBehind: behind === undefined ? undefined : at.offset + behind };
  }
}

/** Length up to and with the last byte that is not zero. */
export function lengthWithoutZeroes(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  return length;
}

/** Looks at every place where a frame could start, since a damaged length tells nothing of the next one. */
function findIntactFrame(bytes: Buffer, fileKey: Uint8Array, expected: number): number | undefined {
  for (let at = bytes.indexOf(FRAME_MARKER, 1); at >= 0; at = bytes.indexOf(FRAME_MARKER, at + 1)) {
    const header = parseFrameHeader(bytes, at);
    if (header === undefined || header.counter < expected) continue;
    if (openFrame(fileKey, header, bytes, at) !== undefined) return at;
  }
  return undefined;
}
