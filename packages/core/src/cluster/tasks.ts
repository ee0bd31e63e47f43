/** `cluster.tasks`: what runs, where, and what it says. */

import type { LogChunk, LogOptions } from '../driver/runtime-driver.ts';
import { PreconditionError } from '../errors.ts';
import { findService, findTask } from '../manager/api/find.ts';
import type { NodeId } from '../model/ids.ts';
import type { Task } from '../model/objects.ts';
import type { DesiredState, TaskState } from '../model/task-state.ts';
import type { Control } from './control.ts';

/** Which tasks to list. All that is given must hold. */
export interface TaskFilter {
  /** Id or name of a service. */
  readonly service?: string;
  /** Id of a node. */
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
    const candidates = (): Iterable<Task> => {
      if (filter.service !== undefined) return state.tasksOfService(findService(state, filter.service).id);
      return filter.node === undefined ? state.tasks() : state.tasksOfNode(filter.node as NodeId);
    };
    const found: Task[] = [];
    for (const task of candidates()) {
      if (filter.node !== undefined && task.nodeId !== filter.node) continue;
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
   * @throws NotFoundError; PreconditionError if the task has no node yet, or its node has no session now.
   */
  async *logs(id: string, options: LogOptions = {}): AsyncIterable<LogChunk> {
    const task = this.inspect(id);
    if (task.nodeId === undefined)
      throw new PreconditionError(`task ${id} has no node yet, so it has no output`);
    const { dispatcher } = await this.#control.manager.whenLeading(options.signal);
    const worker = dispatcher.worker(task.nodeId);
    if (!worker) throw new PreconditionError(`node ${task.nodeId} of task ${id} is not connected now`);
    yield* worker.logs(task.id, options);
  }
}
