/**
 * Reads the frames of one file in order, and says how they end: cleanly, or with bytes that are no frame, and then
 * whether an intact frame stands behind them. What that means is for recovery to judge.
 */

import type { DiskFile } from './disk.ts';
import { HEADER_BYTES } from './file-header.ts';
import { FRAME_HEAD_BYTES, FRAME_MARKER, FRAME_OVERHEAD, openFrame, readHead } from './frame.ts';

/** Read at once: large enough to be quick, small enough that decoding it does not hold up the event loop. */
const READ_BYTES = 1024 * 1024;

/** What stands at one place of a file. */
export type FrameRead =
  | {
      readonly kind: 'frame';
      readonly offset: number;
      readonly counter: number;
      readonly frameKind: number;
      /** The contents, or only their length if they were skipped. */
      readonly contents: Buffer | undefined;
      readonly length: number;
      readonly end: number;
    }
  /** Nothing but zeroes from here on, or nothing at all. */
  | { readonly kind: 'end'; readonly offset: number }
  | {
      readonly kind: 'bad';
      readonly offset: number;
      /** Bytes up to the last one that is not zero. */
      readonly bytes: number;
      readonly intactBehind: boolean;
    };

/** Reads frames one after the other, from the first. */
export class FrameReader {
  readonly #file: DiskFile;
  readonly #key: Uint8Array;
  #memory = Buffer.alloc(0);
  /** The part of the memory that was read and not yet given away, from `#at` on. */
  #buffer = this.#memory;
  #at = 0;
  #offset = HEADER_BYTES;
  #counter = 1;

  constructor(file: DiskFile, key: Uint8Array) {
    this.#file = file;
    this.#key = key;
  }

  /** The next frame. `skip` is asked with its length, and spares opening it: its contents are then not checked. */
  async next(skip?: (frameKind: number, length: number) => boolean): Promise<FrameRead> {
    const offset = this.#offset;
    if (this.#left < FRAME_HEAD_BYTES) await this.#fill(FRAME_HEAD_BYTES);
    const head = readHead(this.#buffer, this.#at);
    if (head === undefined || head.counter !== this.#counter) return this.#inspect();
    const whole = head.length + FRAME_OVERHEAD;
    const isSkipped = skip?.(head.kind, head.length) ?? false;
    let contents: Buffer | undefined;
    if (isSkipped) {
      if (offset + whole > (await this.#file.size())) return this.#inspect();
    } else {
      if (this.#left < whole) await this.#fill(whole);
      contents = openFrame(this.#key, head, this.#buffer, this.#at);
      if (contents === undefined) return this.#inspect();
    }
    this.#at += whole;
    this.#offset += whole;
    this.#counter += 1;
    const { counter, kind: frameKind, length } = head;
    return { kind: 'frame', offset, counter, frameKind, contents, length, end: this.#offset };
  }

  get #left(): number {
    return this.#buffer.length - this.#at;
  }

  /** Reads on, into the same memory as long as it is large enough: what was handed out is a copy. */
  async #fill(bytes: number): Promise<void> {
    const kept = this.#buffer.subarray(Math.min(this.#at, this.#buffer.length));
    const target =
      this.#memory.length < bytes ? Buffer.allocUnsafe(Math.max(READ_BYTES, bytes)) : this.#memory;
    target.set(kept, 0);
    this.#memory = target;
    const count = await this.#file.read(target.subarray(kept.length), this.#offset + kept.length);
    this.#buffer = target.subarray(0, kept.length + count);
    this.#at = 0;
  }

  async #inspect(): Promise<FrameRead> {
    const offset = this.#offset;
    const rest = Buffer.alloc(Math.max(0, (await this.#file.size()) - offset));
    const count = await this.#file.read(rest, offset);
    let bytes = count;
    while (bytes > 0 && rest[bytes - 1] === 0) bytes -= 1;
    if (bytes === 0) return { kind: 'end', offset };
    return { kind: 'bad', offset, bytes, intactBehind: this.#hasIntactFrame(rest.subarray(0, count)) };
  }

  /** Tries every place where a frame could begin, since the length of a damaged one leads nowhere. */
  #hasIntactFrame(bytes: Buffer): boolean {
    for (let at = bytes.indexOf(FRAME_MARKER, 1); at >= 0; at = bytes.indexOf(FRAME_MARKER, at + 1)) {
      const head = readHead(bytes, at);
      if (head === undefined || head.counter <= this.#counter) continue;
      if (openFrame(this.#key, head, bytes, at) !== undefined) return true;
    }
    return false;
  }
}
