/**
 * Who listens for leadership, and the tasks that run only while this member leads. It never decides who leads, and
 * never lets two runs of one task overlap.
 */

import type { Epoch, Leadership, LeaderTerm } from '@skep/core/log';
import { RaftLogError } from './log-error.ts';

type Task = (term: LeaderTerm) => Promise<void>;

/** The present leadership, and what hangs on it. */
export class LeadershipTasks {
  readonly #onError: (error: unknown, epoch: Epoch) => void;
  readonly #listeners = new Set<(leadership: Leadership) => void>();
  readonly #runners = new Set<TaskRunner>();
  #current: Leadership = { role: 'none', epoch: 0 };

  /** @param onError - told when a listener throws, or a task rejects for another reason than its own abort. */
  constructor(onError: (error: unknown, epoch: Epoch) => void) {
    this.#onError = onError;
  }

  get current(): Leadership {
    return this.#current;
  }

  /** The epoch that this member leads now. */
  get epoch(): Epoch | undefined {
    return this.#current.role === 'leader' ? this.#current.epoch : undefined;
  }

  /** Moves on: tasks of an ended epoch are aborted, then listeners are told, then tasks of the new epoch begin. */
  change(next: Leadership): void {
    if (isSame(this.#current, next)) return;
    const ended = this.epoch;
    this.#current = next;
    if (ended !== undefined && this.epoch !== ended) {
      for (const runner of this.#runners)
        runner.abort(new RaftLogError('unavailable', `epoch ${ended} has ended`));
    }
    for (const listener of [...this.#listeners]) {
      if (this.#current !== next) return;
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(next);
      } catch (error) {
        this.#onError(error, next.epoch);
      }
    }
    if (next.role === 'leader') for (const runner of this.#runners) runner.begin(next.epoch);
  }

  /** See `EventLog.onLeadership`. */
  onLeadership(listener: (leadership: Leadership) => void): () => void {
    const own = (leadership: Leadership) => listener(leadership);
    this.#listeners.add(own);
    own(this.#current);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** See `EventLog.whileLeader`. */
  whileLeader(task: Task): () => void {
    const runner = new TaskRunner(task, this.#onError);
    this.#runners.add(runner);
    const { epoch } = this;
    if (epoch !== undefined) runner.begin(epoch);
    return () => {
      this.#runners.delete(runner);
      runner.abort(new RaftLogError('closed', 'the task was stopped'));
    };
  }
}

/** One task's runs, one behind the other. */
class TaskRunner {
  readonly #task: Task;
  readonly #onError: (error: unknown, epoch: Epoch) => void;
  #wanted: { readonly epoch: Epoch; readonly controller: AbortController } | undefined;
  #isRunning = false;

  constructor(task: Task, onError: (error: unknown, epoch: Epoch) => void) {
    this.#task = task;
    this.#onError = onError;
  }

  begin(epoch: Epoch): void {
    if (this.#wanted?.epoch === epoch) return;
    this.#wanted = { epoch, controller: new AbortController() };
    if (!this.#isRunning) void this.#run();
  }

  abort(reason: RaftLogError): void {
    const ended = this.#wanted;
    this.#wanted = undefined;
    ended?.controller.abort(reason);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let last: Epoch | undefined;
    for (;;) {
      // Whoever called whileLeader has its stop function before the task begins.
      await undefined;
      const wanted = this.#wanted;
      if (wanted === undefined || wanted.epoch === last) break;
      last = wanted.epoch;
      const { signal } = wanted.controller;
      try {
        await this.#task({ epoch: wanted.epoch, signal });
      } catch (error) {
        if (!signal.aborted) this.#onError(error, wanted.epoch);
      }
    }
    this.#isRunning = false;
  }
}

function isSame(a: Leadership, b: Leadership): boolean {
  const leaderOf = (each: Leadership) => (each.role === 'follower' ? each.leader : undefined);
  return a.role === b.role && a.epoch === b.epoch && leaderOf(a) === leaderOf(b);
}
