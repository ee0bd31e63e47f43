/**
 * Linearizable reads that wait. All that were asked for before the next round share it, so that a thousand readers
 * cost one round of heartbeats. A refusal that may pass is asked again until the reader's time is over.
 */

import type { ReadResult, ReadToken } from '../core/ready.ts';
import type { LogIndex } from '../core/types.ts';
import { RaftNodeError } from './errors.ts';

interface Reader {
  readonly lease: boolean;
  readonly deadline: number;
  readonly resolve: (index: LogIndex) => void;
  readonly reject: (reason: unknown) => void;
  isDone: boolean;
}

/** How a reader waits. */
export interface ReadWish {
  /** Under the leader's lease, if it has one. */
  readonly lease: boolean;
  /** On the clock's monotonic scale. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

/** Readers before their round, in it, and between two attempts. */
export class ReadBarriers {
  readonly #max: number;
  #collecting: Reader[] = [];
  #refused: Reader[] = [];
  readonly #underWay = new Map<ReadToken, readonly Reader[]>();
  #waiting = 0;
  #token = 0;

  /** @param max - readers that may wait at once. */
  constructor(max: number) {
    this.#max = max;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Somebody waits for the next round. */
  get isAsked(): boolean {
    return this.#collecting.length > 0;
  }

  /** @throws RaftNodeError `busy`, `unavailable`, `closed` or `failed`, or the signal's reason. */
  ask({ lease, deadline, signal }: ReadWish): Promise<LogIndex> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#waiting >= this.#max) {
        return reject(new RaftNodeError('busy', `${this.#waiting} reads are waiting already`));
      }
      this.#waiting++;
      const end = () => {
        this.#waiting--;
        reader.isDone = true;
        signal?.removeEventListener('abort', abort);
      };
      const reader: Reader = {
        lease,
        deadline,
        isDone: false,
        resolve: (index) => {
          if (reader.isDone) return;
          end();
          resolve(index);
        },
        reject: (reason) => {
          if (reader.isDone) return;
          end();
          reject(reason);
        },
      };
      const abort = () => reader.reject(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      this.#collecting.push(reader);
    });
  }

  /** Hands all that are collected to the core, one token for each kind. */
  flush(readIndex: (token: ReadToken, lease: boolean) => void): void {
    if (this.#collecting.length === 0) return;
    const readers = this.#collecting.filter(({ isDone }) => !isDone);
    this.#collecting = [];
    for (const lease of [false, true]) {
      const alike = readers.filter((reader) => reader.lease === lease);
      if (alike.length === 0) continue;
      this.#token++;
      this.#underWay.set(this.#token, alike);
      readIndex(this.#token, lease);
    }
  }

  /** A round has ended. `applied` is where the state machine stands. */
  ended(result: ReadResult, applied: LogIndex): void {
    const readers = this.#underWay.get(result.read) ?? [];
    this.#underWay.delete(result.read);
    if (result.kind === 'ready')
      for (const reader of readers) reader.resolve(Math.max(applied, result.index));
    else for (const reader of readers) this.#refused.push(reader);
  }

  /** Those that were refused ask again with the next round. */
  askAgain(): void {
    for (const reader of this.#refused) if (!reader.isDone) this.#collecting.push(reader);
    this.#refused = [];
  }

  /** Ends those whose time is over. */
  expire(now: number): void {
    if (this.#waiting === 0) return;
    for (const reader of this.#all()) {
      if (now < reader.deadline) continue;
      reader.reject(new RaftNodeError('unavailable', 'no leader has confirmed the read in time'));
    }
  }

  fail(error: Error): void {
    const all = this.#all();
    this.#collecting = [];
    this.#refused = [];
    this.#underWay.clear();
    for (const reader of all) reader.reject(error);
  }

  #all(): Reader[] {
    return [...this.#collecting, ...this.#refused, ...[...this.#underWay.values()].flat()];
  }
}
