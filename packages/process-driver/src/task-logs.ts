/** The output of a task, both streams together, and the clockwork that looks at the output of all tasks. */

import { watch } from 'node:fs';
import type { LogChunk, LogOptions } from '@skep/core/driver';
import type { Clock, TaskId } from './core-types.ts';
import { type PlacedChunk, StreamLog } from './stream-log.ts';

/** How often the driver looks for new output while nobody follows: the precision of its times. */
export const LOG_LOOK_MS = 1_000;
/** How often it looks at the size of output that grows, so that it is trimmed in time. */
export const LOG_SIZE_LOOK_MS = 20;

const NEWLINE = 10;

/** The two streams of one task. */
export class TaskLogs {
  readonly #dir: string;
  readonly #streams: readonly StreamLog[];

  constructor(dir: string, bytesMax: number) {
    this.#dir = dir;
    this.#streams = [new StreamLog(dir, 'stdout', bytesMax), new StreamLog(dir, 'stderr', bytesMax)];
  }

  look(): void {
    for (const stream of this.#streams) stream.look();
  }

  /** Whether it is time to look, so that it is trimmed. */
  isFull(): boolean {
    return this.#streams.some((stream) => stream.isFull());
  }

  /** How much was printed as of the last look. */
  get printed(): number {
    return this.#streams.reduce((sum, stream) => sum + stream.end, 0);
  }

  /** Lets `onPrint` know of the next output, once. Returns how to stop that. Throws where there are no such events. */
  onNextOutput(onPrint: () => void): () => void {
    const watcher = watch(this.#dir, { persistent: false }, (_event, name) => {
      if (name === null || name.endsWith('.log')) done();
    });
    // At once, within the event: a task that prints without a pause would fill the loop with events of it.
    const done = () => {
      watcher.close();
      onPrint();
    };
    watcher.on('error', done);
    return () => watcher.close();
  }

  /** Where each stream is to be read from. */
  begin({ since, tail }: LogOptions): number[] {
    return this.#streams.map((stream) => {
      const start = since === undefined ? 0 : stream.startOf(since);
      if (tail === undefined) return start;
      return Math.max(start, tail <= 0 ? stream.end : stream.startOfTail(tail));
    });
  }

  /** What came since `positions`, by time; moves them on. */
  *read(positions: number[], complete: boolean): Generator<LogChunk> {
    const sources = this.#streams.map((stream, index) => stream.chunks(positions[index] ?? 0, complete));
    const heads = sources.map((source) => source.next());
    for (;;) {
      let first: { index: number; chunk: PlacedChunk } | undefined;
      for (const [index, head] of heads.entries()) {
        if (!head.done && (first === undefined || head.value.at < first.chunk.at)) {
          first = { index, chunk: head.value };
        }
      }
      if (first === undefined) return;
      const { index, chunk } = first;
      positions[index] = chunk.next;
      yield { stream: chunk.stream, at: chunk.at, data: chunk.data };
      heads[index] = sources[index]?.next() ?? { done: true, value: undefined };
    }
  }
}

/** The last so many lines of some chunks. */
export function lastLines(chunks: Iterable<LogChunk>, count: number): readonly LogChunk[] {
  let lines: LogChunk[] = [];
  for (const { stream, at, data } of chunks) {
    for (let from = 0; from < data.length; ) {
      const end = data.indexOf(NEWLINE, from);
      const to = end < 0 ? data.length : end + 1;
      lines.push({ stream, at, data: data.subarray(from, to) });
      from = to;
    }
    if (lines.length > 4 * count + 1024) lines = lines.slice(-count);
  }
  return count <= 0 ? [] : lines.slice(-count);
}

/** What is known of the output of a task that runs. */
interface Running {
  /** How much it had printed at the last round. */
  printed: number;
  /** Stops listening; undefined while its output grows and is looked at by the clock. */
  unlisten: (() => void) | undefined;
}

/**
 * Looks at the output of all tasks that run, once a second, as long as there are any. One that prints is besides
 * looked at every 20 ms until it has been quiet for a second, so that a torrent is trimmed as it comes; of a quiet one
 * the file system tells when it prints again.
 */
export class LogKeeper {
  readonly #clock: Clock;
  readonly #open: (id: TaskId) => TaskLogs;
  readonly #kept = new Map<TaskId, TaskLogs>();
  readonly #running = new Map<TaskId, Running>();
  #cancel: (() => void) | undefined;
  #cancelSizes: (() => void) | undefined;
  #closed = false;

  constructor(clock: Clock, open: (id: TaskId) => TaskLogs) {
    this.#clock = clock;
    this.#open = open;
  }

  /** The output of a task, looked at just now. */
  of(id: TaskId): TaskLogs {
    const logs = this.#kept.get(id) ?? this.#open(id);
    this.#kept.set(id, logs);
    logs.look();
    return logs;
  }

  /** The task runs: its output is to be looked at. */
  watch(id: TaskId): void {
    if (this.#closed || this.#running.has(id)) return;
    const running: Running = { printed: 0, unlisten: undefined };
    this.#running.set(id, running);
    this.#round(id, running);
    this.#arm();
  }

  /** The task has ended: one last look. */
  ended(id: TaskId): void {
    if (this.#drop(id)) this.#look(id);
  }

  /** The task is removed. */
  forget(id: TaskId): void {
    this.#drop(id);
    this.#kept.delete(id);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancelSizes?.();
    for (const id of [...this.#running.keys()]) this.#drop(id);
  }

  #drop(id: TaskId): boolean {
    this.#running.get(id)?.unlisten?.();
    return this.#running.delete(id);
  }

  #arm(): void {
    if (this.#closed || this.#cancel || this.#running.size === 0) return;
    this.#cancel = this.#clock.setTimer(LOG_LOOK_MS, () => {
      this.#cancel = undefined;
      for (const [id, running] of this.#running) this.#round(id, running);
      this.#arm();
    });
  }

  /** Looks at a task's output. When it has grown it is looked at more often, else its next output is listened for. */
  #round(id: TaskId, running: Running): void {
    if (running.unlisten === undefined && !this.#hasGrown(id, running)) {
      try {
        running.unlisten = this.#kept.get(id)?.onNextOutput(() => this.#hurry(running));
      } catch {
        // The system has no watches left: its size is looked at by the clock, then.
      }
    }
    // Again: it may have printed before anybody listened.
    if (this.#hasGrown(id, running)) this.#hurry(running);
    else if (running.unlisten === undefined) this.#armSizes();
  }

  #hasGrown(id: TaskId, running: Running): boolean {
    const before = running.printed;
    running.printed = this.#look(id) ?? before;
    return running.printed > before;
  }

  #hurry(running: Running): void {
    running.unlisten?.();
    running.unlisten = undefined;
    this.#armSizes();
  }

  #armSizes(): void {
    if (this.#closed || this.#cancelSizes) return;
    this.#cancelSizes = this.#clock.setTimer(LOG_SIZE_LOOK_MS, () => {
      this.#cancelSizes = undefined;
      for (const [id, { unlisten }] of this.#running) {
        if (unlisten !== undefined) continue;
        if (this.#isFull(id)) this.#look(id);
        this.#armSizes();
      }
    });
  }

  #isFull(id: TaskId): boolean {
    try {
      return this.#kept.get(id)?.isFull() ?? false;
    } catch {
      // Its directory went away.
      return false;
    }
  }

  /** @returns how much was printed so far, if that can be told. */
  #look(id: TaskId): number | undefined {
    try {
      return this.of(id).printed;
    } catch {
      // Its directory went away, or the disk is full: output is served as far as it can be read.
      return undefined;
    }
  }
}
