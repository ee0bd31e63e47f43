/** `cluster.tasks`: what runs, where, and what it says. */

import type { LogChunk, LogOptions } from '../driver/runtime-driver.ts';
import { ClosedError, PreconditionError } from '../errors.ts';
import { findNode, findService, findTask } from '../manager/api/find.ts';
import type { Task } from '../model/objects.ts';
import type { DesiredState, TaskState } from '../model/task-state.ts';
import { type WaitOptions, waitForAbort, withDeadline } from '../runtime/abort.ts';
import type { Control } from './control.ts';

/** Which tasks to list. All that is given must hold. */
export interface TaskFilter {
  /** Id or name of a service. */
  readonly service?: string;
  /** Id of a node, or a hostname that one node has. */
  readonly node?: string;
  readonly state?: TaskState;
  readonly desiredState?: DesiredState;
}

/** The tasks of a cluster. */
export class Tasks {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /** Tasks that pass the filter, ended ones that are kept as history included. @throws NotFoundError */
  list(filter: TaskFilter = {}): readonly Task[] {
    const { state } = this.#control;
    const node = filter.node === undefined ? undefined : findNode(state, filter.node).id;
    const candidates = (): Iterable<Task> => {
      if (filter.service !== undefined) return state.tasksOfService(findService(state, filter.service).id);
      return node === undefined ? state.tasks() : state.tasksOfNode(node);
    };
    const found: Task[] = [];
    for (const task of candidates()) {
      if (node !== undefined && task.nodeId !== node) continue;
      if (filter.state !== undefined && task.status.state !== filter.state) continue;
      if (filter.desiredState !== undefined && task.desiredState !== filter.desiredState) continue;
      found.push(task);
    }
    return found;
  }

  /** The task with this id. @throws NotFoundError */
  inspect(id: string): Task {
    return findTask(this.#control.state, id);
  }

  /**
   * What a task printed, from the node that has it.
   *
   * @throws NotFoundError; PreconditionError if the task has no node yet, or its node has no session now; TimeoutError
   *   when the output has not ended by then.
   */
  async *logs(id: string, options: LogOptions & WaitOptions = {}): AsyncIterable<LogChunk> {
    const task = this.inspect(id);
    if (task.nodeId === undefined)
      throw new PreconditionError(`task ${id} has no node yet, so it has no output`);
    const { clock, lifetime, manager } = this.#control;
    const { timeout, signal, ...wanted } = options;
    const ending = new AbortController();
    const limits = {
      ...(timeout === undefined ? {} : { timeout }),
      ...(signal === undefined ? {} : { signal }),
    };
    // Held for as long as the output is read, so that one deadline covers all of its pieces.
    const deadline = withDeadline(
      clock,
      limits,
      `the end of the output of task ${id}`,
      () => waitForAbort(ending.signal),
      {
        lifetime,
      },
    );
    deadline.catch(() => {});
    try {
      const { dispatcher } = await Promise.race([
        manager.whenLeading(ending.signal),
        deadline.then(() => never()),
      ]);
      const worker = dispatcher.worker(task.nodeId);
      if (!worker) throw new PreconditionError(`node ${task.nodeId} of task ${id} is not connected now`);
      const chunks = worker.logs(task.id, { ...wanted, signal: ending.signal })[Symbol.asyncIterator]();
      for (;;) {
        const next = await Promise.race([chunks.next(), deadline.then(() => never())]);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      ending.abort(new ClosedError('the reading of the output'));
    }
  }
}

/** The deadline ends by itself only once the reading has ended. */
function never(): never {
  throw new ClosedError('the reading of the output');
}
