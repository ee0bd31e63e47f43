/**
 * The way of a write to the disk: what waits is put together, written as one frame and synced once, and only then
 * answered. It sits between the storage, which is asked for things, and the log.
 *
 * There is never more than one sync outstanding, which is what lets recovery tell a torn write from damage. A failed
 * write or sync is final, since nobody can know what the kernel did with the pages (Rebello et al., USENIX ATC 2020).
 * Lack of room is not: nothing of what was refused is on disk, and it may be handed over again.
 */

import { asStorageError, type FileStorageError } from './errors.ts';
import type { Accepted, LogPlace, LogRecord } from './log-place.ts';
import { estimateBytes } from './records.ts';
import type { Wal } from './wal.ts';

/** A write that waits. */
interface Waiting {
  readonly records: readonly LogRecord[];
  readonly after: LogPlace;
  readonly bytes: number;
  /** Frees space, so it may use what is kept back for that. */
  readonly frees: boolean;
  readonly isUrgent: boolean;
  /** Called once it is durable, before it is answered. */
  readonly onDurable: () => void;
  readonly resolve: () => void;
  readonly reject: (error: FileStorageError) => void;
}

/** Work to be done between two syncs. */
interface Task {
  readonly run: () => Promise<void>;
  readonly reject: (error: FileStorageError) => void;
}

/** How a write is to be done. */
export interface WriteOptions {
  /** It frees space, so it may use what is kept back for that. */
  readonly frees?: boolean;
  /** Other members wait for it, and nothing else is gained by letting this process go on meanwhile. */
  readonly isUrgent?: boolean;
  /** Called once it is durable, before it is answered. */
  readonly onDurable: () => void;
}

/** What the queue needs besides the log. */
export interface CommitQueueParts {
  readonly wal: Wal;
  /** The most bytes that are put together, unless a single write is larger. */
  readonly groupBytes: number;
  /** Lets all who were just answered come with their next write before the next group is closed. */
  readonly yieldTurn: () => Promise<void>;
  /** Everything that waited was refused for lack of room: what is accepted is what is durable. */
  readonly onRefused: () => void;
}

/** Writes in groups, in the order in which they were handed over. */
export class CommitQueue {
  readonly #parts: CommitQueueParts;
  #waiting: (Waiting | Task)[] = [];
  #running: Promise<void> | undefined;
  #failure: FileStorageError | undefined;
  #groups = 0;

  constructor(parts: CommitQueueParts) {
    this.#parts = parts;
  }

  /** Why nothing is taken any more. */
  get failure(): FileStorageError | undefined {
    return this.#failure;
  }

  /** Groups that were synced. */
  get groups(): number {
    return this.#groups;
  }

  /** Hands over a write; resolves when it, and all before it, are durable. */
  push({ records, after }: Accepted, options: WriteOptions): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { frees = false, isUrgent = false, onDurable } = options;
    return new Promise((resolve, reject) => {
      const bytes = estimateBytes(records);
      this.#waiting.push({ records, after, bytes, frees, isUrgent, onDurable, resolve, reject });
      this.#kick();
    });
  }

  /** Does something when all that was handed over before it is durable, and nothing is being written. */
  between(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run: () => work().then(resolve), reject });
      this.#kick();
    });
  }

  /** Refuses everything from now on. What is being written goes on. */
  fail(error: FileStorageError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Resolves when nothing waits and nothing is being written. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #kick(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0) this.#kick();
    });
  }

  async #run(): Promise<void> {
    // What is handed over in the same breath belongs together, and what is sent in it shall not wait for this thread.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      if ('run' in first) await this.#runTask(first);
      else if ((await this.#commit(this.#takeGroup())) > 1) await this.#parts.yieldTurn();
      if (this.#waiting.length === 0) await this.#rest();
    }
  }

  /** Nothing waits. Those who were just answered go first: what is noted now helps only against later damage. */
  async #rest(): Promise<void> {
    await this.#parts.yieldTurn();
    if (this.#waiting.length > 0 || this.#failure !== undefined) return;
    try {
      await this.#parts.wal.markSynced();
    } catch (error) {
      this.fail(asStorageError(error, 'writing failed'));
    }
  }

  async #runTask(task: Task): Promise<void> {
    this.#waiting.shift();
    try {
      await task.run();
    } catch (error) {
      const failure = asStorageError(error, 'the log could not be changed over');
      if (failure.code === 'failed') this.fail(failure);
      task.reject(failure);
    }
  }

  #takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    let bytes = 0;
    for (const item of this.#waiting) {
      if ('run' in item) break;
      const [first] = group;
      if (first !== undefined && (bytes + item.bytes > this.#parts.groupBytes || item.frees !== first.frees))
        break;
      bytes += item.bytes;
      group.push(item);
    }
    if (group.length === this.#waiting.length) this.#waiting = [];
    else this.#waiting.splice(0, group.length);
    return group;
  }

  /** @returns how many writes were answered with one sync. */
  async #commit(group: readonly Waiting[]): Promise<number> {
    const last = group.at(-1);
    if (last === undefined) return 0;
    const { wal } = this.#parts;
    const records = group.flatMap((item) => item.records);
    try {
      // A batch that only carries messages waits for those before it, which are durable by now.
      if (records.length > 0) {
        const isUrgent = group.some((item) => item.isUrgent);
        await wal.commit(records, last.after, { fromReserve: last.frees, isUrgent });
      }
    } catch (error) {
      this.#refuse(group, asStorageError(error, 'writing failed'));
      return 0;
    }
    this.#groups += records.length > 0 ? 1 : 0;
    for (const { onDurable, resolve } of group) {
      onDurable();
      resolve();
    }
    return group.length;
  }

  #refuse(group: readonly Waiting[], error: FileStorageError): void {
    if (error.code === 'disk-full' || error.code === 'key-unavailable') {
      // Those behind it were accepted on top of it.
      const behind = this.#waiting.splice(0);
      this.#parts.onRefused();
      for (const { reject } of [...group, ...behind]) reject(error);
      return;
    }
    this.fail(error);
    for (const { reject } of group) reject(error);
  }
}
