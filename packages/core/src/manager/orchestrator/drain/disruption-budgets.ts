/**
 * How many tasks of each service may still be stopped by our own doing. Only services that have to stop a task before
 * its successor can start are counted; the count is folded from changes, and what has to wait for room is told when
 * there may be some.
 */

import type { ServiceId } from '../../../model/ids.ts';
import type { Service, Task } from '../../../model/objects.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { isGoneNode, rememberingNodes } from '../node-validity.ts';
import { maxUnavailable, serves } from './must-leave.ts';

interface Counted {
  /** Tasks that serve and can be heard, as the state has it; undefined: to be counted again. */
  serving: number | undefined;
  /** Those of them that were stopped in this turn: the state does not know yet. */
  taken: number;
  /** Slots that wait for room. */
  readonly waiting: Set<number>;
}

/** Budgets of the services that use theirs. */
export class DisruptionBudgets {
  readonly #services = new Map<ServiceId, Counted>();

  clear(): void {
    this.#services.clear();
  }

  /** A turn begins: what was taken in the one before is in the state by now. */
  beginTurn(): void {
    for (const [id, counted] of this.#services) {
      counted.taken = 0;
      // Nobody waits and nothing is under way: it is counted anew when it is needed again.
      if (counted.waiting.size === 0) this.#services.delete(id);
    }
  }

  /** A task changed. @returns slots that waited and may go on. */
  observe(before: Task | undefined, after: Task | undefined): Iterable<number> {
    const task = after ?? before;
    const counted = task && this.#services.get(task.serviceId);
    if (!counted) return [];
    const change =
      Number(after !== undefined && serves(after)) - Number(before !== undefined && serves(before));
    if (counted.serving !== undefined) counted.serving += change;
    return change > 0 ? takeAll(counted.waiting) : [];
  }

  /** A node can't be heard any more, or can be again. @returns slots that waited and may go on, by service */
  observeNode(): [service: ServiceId, slots: readonly number[]][] {
    return [...this.#services].map(([id, counted]) => {
      counted.serving = undefined;
      return [id, takeAll(counted.waiting)];
    });
  }

  /** The service's spec changed, or the service is gone. @returns slots that waited and may go on. */
  observeService(id: ServiceId): Iterable<number> {
    const counted = this.#services.get(id);
    return counted ? takeAll(counted.waiting) : [];
  }

  /** Takes room for stopping one serving task in this slot. False: there is none, and the slot waits for some. */
  take(service: Service, key: number, state: ClusterState): boolean {
    const counted = this.#of(service.id);
    counted.serving ??= countServing(service, state);
    const wanted = service.spec.replicas ?? 1;
    if (counted.serving - counted.taken - 1 < wanted - maxUnavailable(service)) {
      counted.waiting.add(key);
      return false;
    }
    counted.waiting.delete(key);
    counted.taken += 1;
    return true;
  }

  /** A serving task was stopped in this turn for another reason, as an update does: there is less room for others. */
  stopped(id: ServiceId): void {
    this.#of(id).taken += 1;
  }

  #of(id: ServiceId): Counted {
    const counted = this.#services.get(id) ?? { serving: undefined, taken: 0, waiting: new Set() };
    this.#services.set(id, counted);
    return counted;
  }
}

/** How many tasks of the service serve, on nodes that can be heard. Looks at all of them. */
export function countServing(service: Pick<Service, 'id'>, state: ClusterState): number {
  const nodes = rememberingNodes(state);
  let serving = 0;
  for (const task of state.tasksOfService(service.id)) {
    if (serves(task) && task.nodeId !== undefined && !isGoneNode(nodes.node(task.nodeId))) serving += 1;
  }
  return serving;
}

function takeAll(waiting: Set<number>): number[] {
  const slots = [...waiting];
  waiting.clear();
  return slots;
}
