/**
 * Lets tasks start once what their service depends on has come about. It stands between the orchestrators, which make
 * such tasks and start those that wait for nothing more, and the services that are waited for. Waiting tasks are placed
 * and prepared meanwhile, so that they start at once.
 *
 * Cost follows the change: a change of a service that nobody depends on is passed over.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import type { ServiceId, TaskId } from '../../../model/ids.ts';
import type { Service } from '../../../model/objects.ts';
import type { Change, ChangeOf, ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import {
  type ControlLoop,
  type DecideContext,
  type Decision,
  ROWS_PER_TRANSACTION,
} from '../../control-loop.ts';
import { startWait } from './conditions.ts';

import { Standings } from './standings.ts';
import { WaitingTasks } from './waiting-tasks.ts';

/** Name of the loop, and the actor of its transactions. */
const START_ORDER = 'orchestrator/start-order';

/** Slots that one turn looks at when it has to look at whole services. */
const SLOTS_PER_TURN = 20_000;

/**
 * The control loop of start order.
 *
 * @param slotsPerTurn Most slots that one decision looks at because whole services are to be looked at.
 */
export function createStartOrder(slotsPerTurn = SLOTS_PER_TURN): ControlLoop {
  return new StartOrder(slotsPerTurn);
}

class StartOrder implements ControlLoop {
  readonly name = START_ORDER;
  /** Services by the name, in lower case, of one that they depend on. */
  readonly #dependents = new Map<string, Set<ServiceId>>();
  readonly #standings = new Standings();
  readonly #waiting = new WaitingTasks();
  /** Services whose waiting tasks may be let go now. */
  readonly #due = new Set<ServiceId>();
  readonly #slotsPerTurn: number;

  constructor(slotsPerTurn: number) {
    this.#slotsPerTurn = slotsPerTurn;
  }

  begin(state: ClusterState): void {
    this.#dependents.clear();
    this.#standings.clear();
    this.#waiting.clear();
    this.#due.clear();
    for (const service of state.services()) {
      if (service.spec.dependsOn === undefined) continue;
      this.#depend(service, state);
      this.#waiting.search(service.id);
    }
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    for (const change of changes.changes) this.#observeOne(change, state);
  }

  decide(state: ClusterState, _context: DecideContext): Decision {
    for (const id of this.#standings.goOn(state, this.#slotsPerTurn)) this.#markDependents(state.service(id));
    for (const id of this.#waiting.goOn(state, this.#slotsPerTurn)) this.#due.add(id);
    const ids: TaskId[] = [];
    for (const id of this.#due) {
      if (ids.length >= ROWS_PER_TRANSACTION) break;
      this.#due.delete(id);
      const service = state.service(id);
      if (!service || !this.#mayStart(service, state)) continue;
      for (const task of this.#waiting.of(id)) {
        if (ids.length < ROWS_PER_TRANSACTION) ids.push(task);
        // The rest in the next turn.
        else this.#due.add(id);
      }
    }
    const events: ClusterEvent[] = ids.length > 0 ? [{ type: 'task.dependencies-met', ids }] : [];
    return { events, more: this.#due.size > 0 || this.#standings.isCounting || this.#waiting.isSearching };
  }

  #observeOne(change: Change, state: ClusterState): void {
    if (change.kind === 'service') this.#observeService(change, state);
    if (change.kind !== 'task') return;
    if (this.#waiting.fold(change)) this.#due.add(change.after?.serviceId as ServiceId);
    if (this.#dependents.size === 0 || !this.#standings.fold(change, state)) return;
    this.#markDependents(state.service((change.after ?? change.before)?.serviceId as ServiceId));
  }

  #observeService({ before, after }: ChangeOf<'service'>, state: ClusterState): void {
    if (before?.spec.dependsOn !== after?.spec.dependsOn) {
      for (const { service } of before?.spec.dependsOn ?? []) this.#leave(service, before?.id, state);
      if (after) this.#depend(after, state);
    }
    const service = after ?? before;
    if (!service || !this.#dependents.has(service.spec.name.toLowerCase())) return;
    if (after && !before) this.#standings.track(after.id);
    if (before && !after) this.#standings.drop(before.id);
    if (before?.jobStatus !== after?.jobStatus || !before || !after) this.#markDependents(service);
  }

  /** The service depends on others (now). */
  #depend({ id, spec }: Service, state: ClusterState): void {
    for (const { service } of spec.dependsOn ?? []) {
      const name = service.toLowerCase();
      const dependents = this.#dependents.get(name) ?? new Set();
      dependents.add(id);
      this.#dependents.set(name, dependents);
      const other = state.serviceByName(service);
      if (other) this.#standings.track(other.id);
    }
    this.#due.add(id);
  }

  /** It does not depend on that one any more. */
  #leave(name: string, id: ServiceId | undefined, state: ClusterState): void {
    const dependents = this.#dependents.get(name.toLowerCase());
    if (id !== undefined) dependents?.delete(id);
    if (dependents?.size !== 0) return;
    this.#dependents.delete(name.toLowerCase());
    const other = state.serviceByName(name);
    if (other) this.#standings.drop(other.id);
  }

  #markDependents(service: Service | undefined): void {
    const dependents = service && this.#dependents.get(service.spec.name.toLowerCase());
    for (const id of dependents ?? []) this.#due.add(id);
  }

  /** Everything that the service waits for is there. What is not counted to the end comes back when it is. */
  #mayStart({ spec }: Service, state: ClusterState): boolean {
    return (spec.dependsOn ?? []).every((dependency) => {
      const other = state.serviceByName(dependency.service);
      const standing = other && this.#standings.of(other.id);
      return startWait(dependency, other, () => standing ?? { started: false, healthy: false }) === undefined;
    });
  }
}
