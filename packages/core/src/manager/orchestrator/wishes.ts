/** Gathers what an orchestrator wants for single tasks, and turns it into few events with many rows. */

import type { ClusterEvent, CreatedTask } from '../../events/event.ts';
import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { Task, UpdateStatus } from '../../model/objects.ts';
import { startedState } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type DecideContext, ROWS_PER_TRANSACTION } from '../control-loop.ts';
import type { DisruptionBudgets } from './drain/disruption-budgets.ts';
import { concludeFailures } from './updater/update-failure.ts';

/** What is to become of tasks in one transaction. */
export class Wishes {
  readonly #run: TaskId[] = [];
  readonly #complete: TaskId[] = [];
  readonly #keep: TaskId[] = [];
  readonly #shutdown: TaskId[] = [];
  readonly #remove: TaskId[] = [];
  readonly #created = new Map<ServiceId, CreatedTask[]>();
  readonly #createdAsBefore = new Map<ServiceId, CreatedTask[]>();
  readonly #updates: ClusterEvent[] = [];
  readonly #updateFailures = new Map<ServiceId, TaskId[]>();
  #rows = 0;

  /** The transaction has as many rows as it may: the rest must wait for the next. */
  get full(): boolean {
    return this.#rows >= ROWS_PER_TRANSACTION;
  }

  /** Desired state `running`, or `complete` for a task of a job. */
  start(task: Task): void {
    (startedState(task) === 'running' ? this.#run : this.#complete).push(task.id);
    this.#rows++;
  }

  /** It need not leave its node after all. */
  keep(id: TaskId): void {
    this.#keep.push(id);
    this.#rows++;
  }

  /** Desired state `shutdown`. */
  shutdown(id: TaskId): void {
    this.#shutdown.push(id);
    this.#rows++;
  }

  /** Desired state `remove`. */
  remove(id: TaskId): void {
    this.#remove.push(id);
    this.#rows++;
  }

  /** @param from - the service's present spec, or the one before. */
  create(serviceId: ServiceId, row: CreatedTask, from: 'present' | 'previous' = 'present'): void {
    const created = from === 'present' ? this.#created : this.#createdAsBefore;
    const rows = created.get(serviceId);
    if (rows) rows.push(row);
    else created.set(serviceId, [row]);
    this.#rows++;
  }

  /** The service's update has come so far. */
  updateStatus(id: ServiceId, status: UpdateStatus): void {
    this.#updates.push({ type: 'service.update-status', id, status });
    this.#rows++;
  }

  /** A task that the service's update had made has failed. */
  updateFailed(id: ServiceId, task: TaskId): void {
    const failed = this.#updateFailures.get(id);
    if (failed) failed.push(task);
    else this.#updateFailures.set(id, [task]);
  }

  /** Tasks of the service's update failed in this turn. */
  hasUpdateFailures(id: ServiceId): boolean {
    return this.#updateFailures.has(id);
  }

  /**
   * All of it as events: first what ends, then what begins, then what becomes of updates, since tasks are made from the
   * spec that they were wished for, and not from one that is gone back to because of them.
   */
  events(state: ClusterState, at: number): ClusterEvent[] {
    const events: ClusterEvent[] = [];
    if (this.#keep.length > 0) events.push({ type: 'task.kept', ids: this.#keep });
    if (this.#shutdown.length > 0)
      events.push({ type: 'task.desired', state: 'shutdown', ids: this.#shutdown });
    if (this.#remove.length > 0) events.push({ type: 'task.desired', state: 'remove', ids: this.#remove });
    for (const [serviceId, rows] of this.#created) events.push({ type: 'task.created', serviceId, rows });
    for (const [serviceId, rows] of this.#createdAsBefore)
      events.push({ type: 'task.created', serviceId, rows, previous: true });
    if (this.#run.length > 0) events.push({ type: 'task.desired', state: 'running', ids: this.#run });
    if (this.#complete.length > 0)
      events.push({ type: 'task.desired', state: 'complete', ids: this.#complete });
    events.push(...this.#updates);
    for (const [id, failed] of this.#updateFailures) {
      const service = state.service(id);
      if (service) events.push(...concludeFailures(service, failed, at));
    }
    return events;
  }
}

/** What an orchestrator works with in one decision. */
export interface Deciding {
  readonly state: ClusterState;
  readonly context: DecideContext;
  readonly wishes: Wishes;
  readonly budgets: DisruptionBudgets;
}
