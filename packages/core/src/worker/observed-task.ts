/**
 * What is observed of one task: its state, moved by what happens to it, and the status that tells of it. It stands
 * between the executor, which acts, and whoever hears of statuses. It never lets a task move backwards, and once it is
 * closed it tells nothing more.
 */

import type { TaskId } from '../model/ids.ts';
import type { RuntimeStatus, Task, TaskStatus } from '../model/objects.ts';
import { isAfter, type TaskState } from '../model/task-state.ts';
import type { TaskEvent } from '../task/task-machine.ts';
import type { ExecutorParts } from './executor-parts.ts';
import { TaskActor } from './task-actor.ts';

/** What a status may say beside its state and message. */
export type StatusDetail = Pick<TaskStatus, 'error' | 'exitCode' | 'cause' | 'about'>;

/** Something went wrong, and the task has not ended for it. */
export interface Trouble {
  readonly message: string;
  readonly error: string;
  readonly about?: TaskStatus['about'];
  readonly retryAt?: number | undefined;
}

/** One task as this worker sees it. */
export class ObservedTask {
  readonly #id: TaskId;
  readonly #parts: Pick<ExecutorParts, 'clock' | 'logger' | 'onStatus'>;
  readonly #actor: TaskActor;
  #status: TaskStatus;
  #opened: RuntimeStatus | undefined;
  #withheld = false;
  #closed = false;

  constructor(task: Task, parts: Pick<ExecutorParts, 'clock' | 'logger' | 'onStatus'>) {
    this.#id = task.id;
    this.#parts = parts;
    this.#actor = new TaskActor(parts.clock, task.status.state);
    this.#status = task.status;
    this.#opened = task.status.runtime;
  }

  get state(): TaskState {
    return this.#actor.state;
  }

  /** The newest status. */
  get status(): TaskStatus {
    return this.#status;
  }

  /** Whether a runtime is known to have begun. */
  get hasStarted(): boolean {
    return this.#opened !== undefined;
  }

  /** Notes what the runtime opened; statuses tell of it from `running` on. */
  started(opened: RuntimeStatus): void {
    this.#opened = opened;
  }

  /** Notes what happened and tells it, if it moves the task. */
  move(event: TaskEvent['type'], message: string, detail: StatusDetail = {}): void {
    if (this.#closed || !this.#actor.send(event)) return;
    const isStarted = !isAfter('running', this.#actor.state) && this.#opened !== undefined;
    this.#tell({
      state: this.#actor.state,
      at: this.#parts.clock.now(),
      message,
      ...detail,
      ...(isStarted && this.#opened ? { runtime: this.#opened } : {}),
    });
  }

  /** Tells a new message in the same state, about something that went wrong and is tried again. */
  say({ message, error, about, retryAt }: Trouble): void {
    if (this.#closed) return;
    const { about: _about, retryAt: _retryAt, ...status } = this.#status;
    this.#tell({
      ...status,
      at: this.#parts.clock.now(),
      message,
      error,
      ...(about === undefined ? {} : { about }),
      ...(retryAt === undefined ? {} : { retryAt }),
    });
  }

  /** From now on statuses are noted and logged, and nobody else hears of them. */
  withhold(): void {
    this.#withheld = true;
  }

  /** Nothing is noted any more. */
  close(): void {
    this.#closed = true;
    this.#actor.stop();
  }

  #tell(status: TaskStatus): void {
    const { logger, onStatus } = this.#parts;
    const id = this.#id;
    this.#status = status;
    logger.debug({ task: id, state: status.state, error: status.error }, status.message);
    if (!this.#withheld) onStatus(id, status);
  }
}
