/**
 * One output stream of a task as a file that the task itself appends to. The driver looks at it now and then: it
 * notes when the file had grown how far, so that old output has a time, and keeps the file from growing for ever.
 *
 * Offsets count from the task's first byte, also when the first bytes are gone. All access is synchronous and short,
 * so that a reader never meets a file half trimmed.
 */

import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LogChunk } from '@skep/core/driver';

const BLOCK_BYTES = 64 * 1024;
const MARKS_MAX = 4096;
/** How much may be added between looking at the size and reading the file. */
const TRIM_SLACK_BYTES = 1024 * 1024;
/** Most that is copied of a file that outgrew its bound between two looks: it may be outgrowing it again. */
const HURRIED_KEEP_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** All bytes before `end` had been written at `at`. */
interface Mark {
  readonly end: number;
  readonly at: number;
}

/** A piece of output and where the next one begins. */
export interface PlacedChunk extends LogChunk {
  readonly next: number;
}

/** One stream's file, its older half, and its times. */
export class StreamLog {
  readonly #stream: LogChunk['stream'];
  readonly #dir: string;
  readonly #bytesMax: number;
  #marks: Mark[] = [];
  /** First byte of the older file, which ends where the current one begins. */
  #olderStart = 0;
  #currentStart = 0;
  #loaded = false;

  constructor(dir: string, stream: LogChunk['stream'], bytesMax: number) {
    this.#dir = dir;
    this.#stream = stream;
    this.#bytesMax = bytesMax;
  }

  /** Notes growth, and trims when there is too much. To be called about once a second, and before reading. */
  look(): void {
    this.#load();
    const found = statSync(this.#file('log'), { throwIfNoEntry: false });
    if (!found) return;
    const last = this.#marks.at(-1);
    const end = this.#currentStart + found.size;
    if (end > (last?.end ?? 0)) {
      const mark = { end, at: Math.max(Math.floor(found.mtimeMs), last?.at ?? 0) };
      this.#marks.push(mark);
      appendFileSync(this.#file('times'), `${mark.end} ${mark.at}\n`, { mode: 0o600 });
    }
    if (found.size > this.#bytesMax / 2) this.#trim(found.size);
    else if (this.#marks.length > MARKS_MAX) this.#rewriteMarks();
  }

  /** Whether it is time to trim. Cheap: for asking often. */
  isFull(): boolean {
    const size = statSync(this.#file('log'), { throwIfNoEntry: false })?.size ?? 0;
    return size > this.#bytesMax / 2;
  }

  /** Just past the last byte that the last look saw. */
  get end(): number {
    return this.#marks.at(-1)?.end ?? 0;
  }

  /** Where output of this time or later begins. */
  startOf(since: number): number {
    return this.#marks.findLast((mark) => mark.at < since)?.end ?? this.#olderStart;
  }

  /** Where the last so many lines begin. */
  startOfTail(lines: number): number {
    let found = 0;
    let position = this.end;
    while (position > this.#olderStart) {
      const from = Math.max(this.#olderStart, position - BLOCK_BYTES);
      const block = this.#read(from, position);
      for (let index = block.length - 1; index >= 0; index--) {
        // The line end that closes the last line begins none.
        if (block[index] === NEWLINE && from + index + 1 < this.end && ++found === lines)
          return from + index + 1;
      }
      position = from;
    }
    return this.#olderStart;
  }

  /**
   * Output from an offset on, in whole lines. A last line without its end is held back unless `complete`: more of
   * it may come.
   */
  *chunks(from: number, complete: boolean): Generator<PlacedChunk> {
    let position = Math.max(from, this.#olderStart);
    while (position < this.end) {
      const block = this.#read(position, Math.min(position + BLOCK_BYTES, this.end));
      if (block.length === 0) return;
      const mark = this.#marks.find((each) => each.end > position);
      const wanted = Math.min(block.length, (mark?.end ?? this.end) - position);
      const before = block.lastIndexOf(NEWLINE, wanted - 1);
      const cut = before >= 0 ? before : block.indexOf(NEWLINE, wanted);
      const isLast = position + block.length >= this.end;
      if (cut < 0 && isLast && !complete && block.length < BLOCK_BYTES) return;
      const data = cut < 0 ? block : block.subarray(0, cut + 1);
      position += data.length;
      yield { stream: this.#stream, at: mark?.at ?? 0, data, next: position };
    }
  }

  #file(kind: string): string {
    return join(this.#dir, `${this.#stream}.${kind}`);
  }

  #older(): string {
    return this.#file(`${this.#olderStart}.log`);
  }

  #load(): void {
    if (this.#loaded) return;
    this.#loaded = true;
    const pattern = new RegExp(`^${this.#stream}\\.(\\d+)\\.log$`);
    const starts = readdirSync(this.#dir)
      .map((name) => pattern.exec(name)?.[1])
      .filter((start) => start !== undefined)
      .map(Number);
    if (starts.length > 0) {
      this.#olderStart = Math.max(...starts);
      this.#currentStart = this.#olderStart + statSync(this.#older()).size;
    }
    try {
      this.#marks = readFileSync(this.#file('times'), 'utf8')
        .split('\n')
        .map((line) => line.split(' ').map(Number))
        .flatMap(([end, at]) => (end !== undefined && at !== undefined ? [{ end, at }] : []));
    } catch {
      // Nothing was printed yet, or nobody looked.
    }
  }

  /**
   * Moves the newest half aside and empties the file, as copy-truncate of logrotate does. What is written in between
   * the two, microseconds, is lost.
   */
  #trim(size: number): void {
    const ownHalf = Math.floor(this.#bytesMax / 2);
    const half = size > this.#bytesMax ? Math.min(ownHalf, HURRIED_KEEP_BYTES) : ownHalf;
    const fresh = this.#file('fresh');
    const olderStart = this.#currentStart + Math.max(0, size - half);
    const kept = this.#read(olderStart, Number.MAX_SAFE_INTEGER, Math.min(half, size) + TRIM_SLACK_BYTES);
    const older = this.#olderStart < this.#currentStart ? this.#older() : undefined;
    writeFileSync(fresh, kept, { mode: 0o600 });
    renameSync(fresh, this.#file(`${olderStart}.log`));
    truncateSync(this.#file('log'), 0);
    if (older !== undefined && older !== this.#file(`${olderStart}.log`)) rmSync(older, { force: true });
    this.#olderStart = olderStart;
    this.#currentStart = olderStart + kept.length;
    const last = this.#marks.at(-1);
    if (last && last.end < this.#currentStart) this.#marks.push({ end: this.#currentStart, at: last.at });
    this.#rewriteMarks();
  }

  #rewriteMarks(): void {
    const kept = this.#marks.filter((mark) => mark.end > this.#olderStart);
    this.#marks =
      kept.length <= MARKS_MAX / 2
        ? kept
        : kept.filter((_, index) => index % 2 === 1 || index === kept.length - 1);
    const fresh = this.#file('times.fresh');
    writeFileSync(fresh, this.#marks.map((mark) => `${mark.end} ${mark.at}\n`).join(''), { mode: 0o600 });
    renameSync(fresh, this.#file('times'));
  }

  /** Bytes from an offset, of the one file that has it: fewer than asked for at that file's end. */
  #read(from: number, to: number, bytesMax = BLOCK_BYTES): Uint8Array {
    const isOlder = from < this.#currentStart;
    const length = Math.min(to - from, bytesMax);
    const start = isOlder ? this.#olderStart : this.#currentStart;
    let file: number;
    try {
      file = openSync(isOlder ? this.#older() : this.#file('log'), 'r');
    } catch {
      // Removed with its task while somebody read.
      return new Uint8Array(0);
    }
    try {
      const block = new Uint8Array(length);
      return block.subarray(0, readSync(file, block, 0, length, from - start));
    } finally {
      closeSync(file);
    }
  }
}
