/** The output of a task, both streams together, and the clockwork that looks at the output of all tasks. */

import type { LogChunk, LogOptions } from '@skep/core/driver';
import type { Clock, TaskId } from './core-types.ts';
import { type PlacedChunk, StreamLog } from './stream-log.ts';

/** How often the driver looks for new output while nobody follows: the precision of its times. */
export const LOG_LOOK_MS = 1_000;

const NEWLINE = 10;

/** The two streams of one task. */
export class TaskLogs {
  readonly #streams: readonly StreamLog[];

  constructor(dir: string, bytesMax: number) {
    this.#streams = [new StreamLog(dir, 'stdout', bytesMax), new StreamLog(dir, 'stderr', bytesMax)];
  }

  look(): void {
    for (const stream of this.#streams) stream.look();
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

/** Looks at the output of all tasks that run, once a second, as long as there are any. */
export class LogKeeper {
  readonly #clock: Clock;
  readonly #open: (id: TaskId) => TaskLogs;
  readonly #kept = new Map<TaskId, TaskLogs>();
  readonly #running = new Set<TaskId>();
  #cancel: (() => void) | undefined;
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
    this.#running.add(id);
    this.#arm();
  }

  /** The task has ended: one last look. */
  ended(id: TaskId): void {
    if (this.#running.delete(id)) this.#look(id);
  }

  /** The task is removed. */
  forget(id: TaskId): void {
    this.#running.delete(id);
    this.#kept.delete(id);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #arm(): void {
    if (this.#closed || this.#cancel || this.#running.size === 0) return;
    this.#cancel = this.#clock.setTimer(LOG_LOOK_MS, () => {
      this.#cancel = undefined;
      for (const id of this.#running) this.#look(id);
      this.#arm();
    });
  }

  #look(id: TaskId): void {
    try {
      this.of(id);
    } catch {
      // Its directory went away, or the disk is full: output is served as far as it can be read.
    }
  }
}
