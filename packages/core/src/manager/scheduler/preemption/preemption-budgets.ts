/**
 * How many tasks of each service may still be stopped for others. A service that says in `disruption` how many may be
 * missing is held to it; one that says nothing has no limit here. Counted when first asked for, then folded.
 */

import type { ServiceId } from '../../../model/ids.ts';
import type { Node, Service, Task } from '../../../model/objects.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';

/** Budgets of the services whose tasks were looked at. */
export class PreemptionBudgets {
  /** Some service could spare nobody, since this was unset last. */
  hasRefused = false;
  /** Some service that could spare nothing may be able to now. */
  isRelaxed = false;
  /** Tasks that serve, as the state has it. */
  readonly #serving = new Map<ServiceId, number>();
  /** Chosen in this turn: the state does not know yet. */
  readonly #spent = new Map<ServiceId, number>();

  /** Folds in what a transaction changed. */
  observe({ changes }: ChangeSet): void {
    if (this.#serving.size === 0) return;
    for (const change of changes) {
      if (change.kind === 'task') this.#fold(change.before, change.after);
      else if (change.kind === 'node' && isHeard(change.before) !== isHeard(change.after)) this.forget();
      else if (change.kind === 'service') this.isRelaxed = true;
    }
  }

  /** A turn begins. */
  beginTurn(): void {
    this.#spent.clear();
  }

  /** Counts anew what is asked for from now on. */
  forget(): void {
    this.#serving.clear();
    this.isRelaxed = true;
  }

  /** How many tasks that serve the service can spare. */
  of(service: Service, state: ClusterState): number {
    const { disruption, mode, replicas = 1 } = service.spec;
    if (disruption === undefined || mode === 'replicated-job' || mode === 'global-job') {
      return Number.POSITIVE_INFINITY;
    }
    let serving = this.#serving.get(service.id);
    if (serving === undefined) {
      serving = countServing(service.id, state);
      this.#serving.set(service.id, serving);
    }
    const wanted = mode === 'global' ? countWanted(service.id, state) : replicas;
    const spare = serving - (this.#spent.get(service.id) ?? 0) - (wanted - disruption.maxUnavailable);
    if (spare <= 0) this.hasRefused = true;
    return spare;
  }

  /** A task that serves is to be stopped. */
  spend(id: ServiceId): void {
    this.#spent.set(id, (this.#spent.get(id) ?? 0) + 1);
  }

  #fold(before: Task | undefined, after: Task | undefined): void {
    const id = (after ?? before)?.serviceId;
    const known = id === undefined ? undefined : this.#serving.get(id);
    if (id === undefined || known === undefined) return;
    const change = Number(isServing(after)) - Number(isServing(before));
    this.#serving.set(id, known + change);
    if (change > 0) this.isRelaxed = true;
  }
}

/** It serves, and is not about to be stopped for another. */
export function isServing(task: Task | undefined): boolean {
  return (
    task?.status.state === 'running' &&
    task.desiredState === 'running' &&
    task.evicted?.cause !== 'preemption'
  );
}

function isHeard(node: Node | undefined): boolean {
  return node !== undefined && node.status.state !== 'down';
}

function countServing(id: ServiceId, state: ClusterState): number {
  let serving = 0;
  for (const task of state.tasksOfService(id)) {
    const node = task.nodeId === undefined ? undefined : state.node(task.nodeId);
    if (isServing(task) && isHeard(node)) serving += 1;
  }
  return serving;
}

/** Slots of a global service that are meant to have a task that runs. */
function countWanted(id: ServiceId, state: ClusterState): number {
  let wanted = 0;
  for (const [, tasks] of state.slots(id))
    if (tasks.some(({ desiredState }) => isMeantToRun(desiredState))) wanted += 1;
  return wanted;
}
