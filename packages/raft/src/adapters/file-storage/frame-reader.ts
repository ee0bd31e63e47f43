/**
 * Reads the frames of one file in order, and says how they end: cleanly, or with bytes that are no frame, and then
 * whether anything stands behind them that was written after they had been synced. What that means is for recovery to
 * judge.
 */

import type { DiskFile } from './disk.ts';
import { HEADER_BYTES } from './file-header.ts';
import {
  FRAME_HEAD_BYTES,
  FRAME_MARKER,
  FRAME_OVERHEAD,
  isMark,
  MARK_BYTES,
  MARK_KIND,
  openFrame,
  readHead,
} from './frame.ts';

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
  /** Nothing but zeroes from here on, or nothing at all; but for a mark, which may say that the log goes on elsewhere. */
  | { readonly kind: 'end'; readonly offset: number; readonly isContinued: boolean }
  | {
      readonly kind: 'bad';
      readonly offset: number;
      /** Bytes up to the last one that is not zero. */
      readonly bytes: number;
      /** An intact frame stands behind, or a mark that says of what is bad that it was synced. */
      readonly wasSynced: boolean;
      readonly isContinued: boolean;
    };

/** Reads frames one after the other, from the first. */
export class FrameReader {
  readonly #file: DiskFile;
  readonly #key: Uint8Array;
  readonly #hasMarks: boolean;
  readonly #readsAhead: boolean;
  #ahead: { readonly from: number; readonly read: Promise<Uint8Array> } | undefined;
  #spare = Buffer.alloc(0);
  #isContinued = false;
  #memory = Buffer.alloc(0);
  /** The part of the memory that was read and not yet given away, from `#at` on. */
  #buffer = this.#memory;
  #at = 0;
  #offset = HEADER_BYTES;
  #counter = 1;

  /**
   * @param options.hasMarks - there is a mark, or room for one, behind each frame. Default false.
   * @param options.readsAhead - what comes next is read while frames are opened. {@link FrameReader.settled} has to be
   * waited for, then, before the file is closed. Default false.
   */
  constructor(
    file: DiskFile,
    key: Uint8Array,
    options: { readonly hasMarks?: boolean; readonly readsAhead?: boolean } = {},
  ) {
    this.#file = file;
    this.#key = key;
    this.#hasMarks = options.hasMarks ?? false;
    this.#readsAhead = options.readsAhead ?? false;
  }

  /** Resolves when nothing is being read. */
  async settled(): Promise<void> {
    await this.#ahead?.read.catch(() => {});
  }

  /** The next frame. `skip` is asked with its length, and spares opening it: its contents are then not checked. */
  async next(skip?: (frameKind: number, length: number) => boolean): Promise<FrameRead> {
    if (this.#hasMarks && this.#counter > 1) await this.#passMark();
    const offset = this.#offset;
    if (this.#left < FRAME_HEAD_BYTES) await this.#fill(FRAME_HEAD_BYTES);
    const head = readHead(this.#buffer, this.#at);
    if (head === undefined || isMark(head) || head.counter !== this.#counter) return this.#inspect();
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

  /** Steps over a mark, readable or not: one that a crash has torn must not hide the frame behind it. */
  async #passMark(): Promise<void> {
    if (this.#left < MARK_BYTES) await this.#fill(MARK_BYTES);
    const mark = readHead(this.#buffer, this.#at);
    this.#isContinued = mark?.kind === MARK_KIND.continued && mark.counter === this.#counter - 1;
    this.#at += MARK_BYTES;
    this.#offset += MARK_BYTES;
  }

  /** Reads on, into the same memory as long as it is large enough: what was handed out is a copy. */
  async #fill(bytes: number): Promise<void> {
    const kept = this.#buffer.subarray(Math.min(this.#at, this.#buffer.length));
    const from = this.#offset + kept.length;
    const ahead = this.#ahead?.from === from ? await this.#ahead.read : undefined;
    const length = Math.max(bytes, kept.length + READ_BYTES);
    const target = this.#memory.length < length ? Buffer.allocUnsafe(length) : this.#memory;
    target.set(kept, 0);
    this.#memory = target;
    let end = kept.length;
    if (ahead !== undefined) {
      target.set(ahead, end);
      end += ahead.length;
    }
    if (end < bytes || ahead === undefined) {
      end += await this.#file.read(target.subarray(end, length), this.#offset + end);
    }
    this.#buffer = target.subarray(0, end);
    this.#at = 0;
    this.#ahead = undefined;
    if (this.#readsAhead && end - kept.length >= READ_BYTES) this.#readAhead(this.#offset + end);
  }

  #readAhead(from: number): void {
    if (this.#spare.length === 0) this.#spare = Buffer.allocUnsafe(READ_BYTES);
    const spare = this.#spare;
    const read = this.#file.read(spare, from).then((count) => spare.subarray(0, count));
    // Whoever needs it is told; nobody may.
    read.catch(() => {});
    this.#ahead = { from, read };
  }

  async #inspect(): Promise<FrameRead> {
    const offset = this.#offset;
    const rest = Buffer.alloc(Math.max(0, (await this.#file.size()) - offset));
    const count = await this.#file.read(rest, offset);
    let bytes = count;
    while (bytes > 0 && rest[bytes - 1] === 0) bytes -= 1;
    const isContinued = this.#isContinued;
    if (bytes === 0) return { kind: 'end', offset, isContinued };
    return { kind: 'bad', offset, bytes, wasSynced: this.#wasSynced(rest.subarray(0, count)), isContinued };
  }

  /** Tries every place where a frame or a mark could begin, since the length of a damaged frame leads nowhere. */
  #wasSynced(bytes: Buffer): boolean {
    for (let at = bytes.indexOf(FRAME_MARKER, 1); at >= 0; at = bytes.indexOf(FRAME_MARKER, at + 1)) {
      const head = readHead(bytes, at);
      if (head === undefined || head.counter < this.#counter) continue;
      if (isMark(head)) return true;
      if (head.counter > this.#counter && openFrame(this.#key, head, bytes, at) !== undefined) return true;
    }
    return false;
  }
}
