/**
 * A runtime driver of one's own: what a task runs is an async function of this very program, looked up by `image`.
 * All that the port asks for in some 100 lines; the conformance suite in `@skep/core/driver/conformance` would run
 * against it, but for what outlives the process: functions do not.
 */

import type { NodeDescription, SpecIssue, TaskSpec } from '@skep/core';
import {
  type DriverContext,
  DriverError,
  type LogChunk,
  type LogOptions,
  type RecoveredTask,
  type RuntimeDriver,
  type RuntimeTask,
  type TaskExit,
  type TaskRuntime,
} from '@skep/core/driver';

/** What a task runs: ends when it is done, or soon after the signal aborts. */
export type Job = (task: {
  readonly name: string;
  readonly signal: AbortSignal;
  log(line: string): void;
}) => Promise<void>;

interface Run {
  readonly stop: AbortController;
  readonly ended: Promise<TaskExit>;
  readonly output: LogChunk[];
}

/** Runs functions as tasks. */
export class FunctionDriver implements RuntimeDriver {
  readonly name = 'function';
  readonly #jobs: Readonly<Record<string, Job>>;
  readonly #runs = new Map<string, Run>();
  #hostname = '';

  constructor(jobs: Readonly<Record<string, Job>>) {
    this.#jobs = jobs;
  }

  async open(context: DriverContext): Promise<readonly RecoveredTask[]> {
    this.#hostname = context.hostname;
    return [];
  }

  async describe(): Promise<NodeDescription> {
    return {
      hostname: this.#hostname,
      platform: { os: 'function', architecture: 'any' },
      resources: { cpus: 1, memoryBytes: 2 ** 30, generic: {} },
      engine: { driver: this.name, version: '1', labels: {} },
      capabilities: { exec: false, stats: false, limits: { cpus: false, memory: false, pids: false } },
    };
  }

  check(spec: TaskSpec): readonly SpecIssue[] {
    if (spec.image !== undefined && Object.hasOwn(this.#jobs, spec.image)) return [];
    return [{ field: 'image', rule: `unknown function '${spec.image}'` }];
  }

  runtime(task: RuntimeTask): TaskRuntime {
    const runs = this.#runs;
    return {
      prepare: async () => {
        const [issue] = this.check(task.spec);
        if (issue) throw new DriverError(issue.rule);
      },
      start: async () => {
        if (!runs.has(task.id)) runs.set(task.id, this.#start(task));
        return { id: `function ${task.name}`, ports: [] };
      },
      wait: async () => (await runs.get(task.id)?.ended) ?? { exitCode: 0 },
      stop: async () => {
        runs.get(task.id)?.stop.abort();
        await runs.get(task.id)?.ended;
      },
      remove: async () => {
        runs.get(task.id)?.stop.abort();
        runs.delete(task.id);
      },
      async *logs({ tail }: LogOptions) {
        yield* (runs.get(task.id)?.output ?? []).slice(tail === undefined ? 0 : -tail);
      },
    };
  }

  async discard(): Promise<void> {}

  async close(): Promise<void> {}

  #start(task: RuntimeTask): Run {
    const stop = new AbortController();
    const output: LogChunk[] = [];
    const log = (line: string) => {
      output.push({ stream: 'stdout', at: Date.now(), data: new TextEncoder().encode(`${line}\n`) });
    };
    const run = async (): Promise<TaskExit> => {
      try {
        await this.#jobs[task.spec.image ?? '']?.({ name: task.name, signal: stop.signal, log });
        return { exitCode: 0 };
      } catch (error) {
        return { exitCode: 1, message: String(error) };
      }
    };
    return { stop, output, ended: run() };
  }
}
