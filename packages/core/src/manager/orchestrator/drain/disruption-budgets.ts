/**
 * How many tasks of each service may still be stopped by our own doing. Only services that have to stop a task before
 * another can do what it does are counted; the count is folded from changes, and what has to wait for room is told when
 * there may be some.
 */

import type { ServiceId } from '../../../model/ids.ts';
import type { Node, Service, Task } from '../../../model/objects.ts';
import { isTerminal } from '../../../model/task-state.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import type { Marks } from '../marks.ts';
import { isGoneNode, rememberingNodes } from '../node-validity.ts';
import { isUp, maxUnavailable } from './must-leave.ts';

interface Counted {
  /** Tasks that are up and can be heard, as the state has it; undefined: to be counted again. */
  up: number | undefined;
  /** Tasks that there should be; undefined: to be counted again. Not kept where the spec says it. */
  wanted: number | undefined;
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
    const change = Number(after !== undefined && isUp(after)) - Number(before !== undefined && isUp(before));
    if (counted.up !== undefined) counted.up += change;
    counted.wanted = undefined;
    const hasEnded = after === undefined || isTerminal(after.status.state);
    return change > 0 || hasEnded ? takeAll(counted.waiting) : [];
  }

  /** A node changed: slots that waited and may go on since it can't be heard any more, or can be again, are marked. */
  observeNode(before: Node | undefined, after: Node | undefined, marks: Marks): void {
    if (isGoneNode(before) === isGoneNode(after)) return;
    for (const [id, counted] of this.#services) {
      counted.up = undefined;
      counted.wanted = undefined;
      for (const key of takeAll(counted.waiting)) marks.slot(id, key);
    }
  }

  /** The service's spec changed, or the service is gone. @returns slots that waited and may go on. */
  observeService(id: ServiceId): Iterable<number> {
    const counted = this.#services.get(id);
    return counted ? takeAll(counted.waiting) : [];
  }

  /** Takes room for stopping one task that is up in this slot. False: there is none, and the slot waits for some. */
  take(service: Service, key: number, state: ClusterState): boolean {
    const counted = this.#of(service.id);
    counted.up ??= countUp(service, state);
    counted.wanted ??= countWanted(service, state);
    if (counted.up - counted.taken - 1 < counted.wanted - maxUnavailable(service)) {
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
    const counted = this.#services.get(id) ?? {
      up: undefined,
      wanted: undefined,
      taken: 0,
      waiting: new Set(),
    };
    this.#services.set(id, counted);
    return counted;
  }
}

/** How many tasks of the service are up, on nodes that can be heard. Looks at all of them. */
export function countUp(service: Pick<Service, 'id'>, state: ClusterState): number {
  const nodes = rememberingNodes(state);
  let up = 0;
  for (const task of state.tasksOfService(service.id)) {
    if (isUp(task) && task.nodeId !== undefined && !isGoneNode(nodes.node(task.nodeId))) up += 1;
  }
  return up;
}

/**
 * How many there should be: as many as a replicated service asks for; of a job, and of what runs on each node, all that
 * have not ended on a node that can be heard, so that one that is being stopped still counts as missing.
 */
export function countWanted({ id, spec }: Service, state: ClusterState): number {
  if (spec.mode === 'replicated') return spec.replicas ?? 1;
  const nodes = rememberingNodes(state);
  let wanted = 0;
  for (const { status, nodeId } of state.tasksOfService(id)) {
    if (isTerminal(status.state)) continue;
    if (nodeId === undefined || !isGoneNode(nodes.node(nodeId))) wanted += 1;
  }
  return wanted;
}

function takeAll(waiting: Set<number>): number[] {
  const slots = [...waiting];
  waiting.clear();
  return slots;
}
