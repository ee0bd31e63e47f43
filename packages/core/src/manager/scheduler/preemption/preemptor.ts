/**
 * Makes room for tasks of higher priority, and gives it to them once it is there. What it decides lies in the state: who
 * is to leave, and for whom the room is kept; what it keeps itself is when to try again what found none.
 */

import type { TaskId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import { priorityOf } from '../../../model/service-spec.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import type { DecisionDraft } from '../decision-draft.ts';
import { compileFilters } from '../filters.ts';
import { namesFor } from '../names-for.ts';
import type { PlacementIndex } from '../placement-index.ts';
import type { PlacementOverlay } from '../placement-overlay.ts';
import { hostPortsOf, type Requirements } from '../requirements.ts';
import { groupKey, type ServiceEntry, type ServiceGroup } from '../service-entry.ts';
import { FIT, NODE_SUSPECT, NODE_UNKNOWN } from '../verdicts.ts';
import { homesOf } from '../volume-followers.ts';
import { findRoom, type RoomRequest } from './find-room.ts';
import type { Nominee } from './nominations.ts';
import { PreemptionBudgets } from './preemption-budgets.ts';
import { victimsOn } from './victims-on-node.ts';

/** Most tasks of a group that room is made for in one decision. */
export const ROOMS_AT_ONCE = 64;
/** What found no room since services could spare nobody is tried again no sooner than this; milliseconds. */
const RETRY_MS = 1_000;

const NO_VICTIMS = 'no task of a lower priority can make room';
const NONE_TO_SPARE = 'services of lower priorities can spare no task';

/** What is decided on. */
export interface PreemptorParts {
  readonly state: ClusterState;
  readonly index: PlacementIndex;
  readonly overlay: PlacementOverlay;
  readonly draft: DecisionDraft;
}

/** One leader's. */
export class Preemptor {
  readonly #budgets = new PreemptionBudgets();
  /** Groups that services could spare nobody for; when that was found. */
  readonly #refused = new Map<ServiceGroup, number>();
  readonly #refusedOnNode = new Set<Pick<Task, 'id' | 'nodeId'>>();

  observe(changes: ChangeSet): void {
    this.#budgets.observe(changes);
  }

  /** When to look again; undefined: when something happens. */
  get wakeAt(): number | undefined {
    if (!this.#budgets.isRelaxed || this.#refused.size === 0) return undefined;
    return Math.min(...this.#refused.values()) + RETRY_MS;
  }

  /** A turn begins: what may find room now is marked to be tried again. */
  beginTurn(index: PlacementIndex, at: number): void {
    this.#budgets.beginTurn();
    if (!this.#budgets.isRelaxed) return;
    for (const task of this.#refusedOnNode) {
      if (index.waiting.preassigned.of(task.nodeId ?? '').has(task.id))
        index.waiting.preassigned.dirty.add(task.id);
    }
    this.#refusedOnNode.clear();
    for (const [group, since] of this.#refused) {
      if (at < since + RETRY_MS) continue;
      this.#refused.delete(group);
      if (index.waiting.blocked.has(group)) index.waiting.retry(group);
    }
    if (this.#refused.size === 0) this.#budgets.isRelaxed = false;
  }

  /** Whether any task could have to leave for one of this service. */
  mayPreempt(service: ServiceEntry, { priorities }: PlacementIndex): boolean {
    return priorities.lowest < service.priority;
  }

  /**
   * Makes room for tasks of a group that fit nowhere, as far as there is any.
   *
   * @returns for how many; what it took, in nodes and tasks looked at; and why there is no more room, in words, where
   *   others have lower priorities.
   */
  makeRoom(
    group: ServiceGroup,
    requirements: Requirements,
    ids: readonly TaskId[],
    parts: PreemptorParts,
    at: number,
  ): { readonly made: number; readonly work: number; readonly refusal?: string } {
    const { service } = group;
    if (!this.mayPreempt(service, parts.index)) return { made: 0, work: 0 };
    const { ids: rows } = parts.state.roots.tasks;
    const tasks = ids.slice(0, ROOMS_AT_ONCE).map((id) => ({ id, row: rows.get(id) ?? 0 }));
    const result = this.#makeRoom({ service, requirements, tasks }, parts);
    if (result.made === tasks.length) return result;
    const { hasRefused } = this.#budgets;
    if (hasRefused) this.#refused.set(group, at);
    return { ...result, refusal: hasRefused ? NONE_TO_SPARE : NO_VICTIMS };
  }

  /** The same for a task that was made for the node in a slot. */
  makeRoomOnNode(
    task: Task,
    service: ServiceEntry,
    requirements: Requirements,
    slot: number,
    parts: PreemptorParts,
  ): boolean {
    if (!this.mayPreempt(service, parts.index)) return false;
    const row = parts.state.roots.tasks.ids.get(task.id) ?? 0;
    const { made } = this.#makeRoom(
      { service, requirements, tasks: [{ id: task.id, row }], only: slot },
      parts,
    );
    if (made === 0 && this.#budgets.hasRefused) this.#refusedOnNode.add(task);
    return made > 0;
  }

  /** Whether room could be made on this node for a task of the group. */
  couldMakeRoom(
    group: ServiceGroup,
    requirements: Requirements,
    slot: number,
    parts: Omit<PreemptorParts, 'draft'>,
  ) {
    if (!this.mayPreempt(group.service, parts.index)) return false;
    const { index, overlay, state } = parts;
    const tasks = [{ id: group.sample.id, row: 0 }];
    const request = { service: group.service, requirements, tasks, only: slot };
    const { found } = findRoom(request, index, overlay, { state, budgets: this.#budgets });
    this.#budgets.beginTurn();
    return found.length > 0;
  }

  /**
   * Gives their nodes to those for whom there is room now, and keeps no more room where it can't come.
   *
   * @returns whether anything was decided.
   */
  serveNominees(parts: PreemptorParts): boolean {
    const { index, draft, state } = parts;
    const { nominations } = index;
    let decided = false;
    for (const id of nominations.homeless) {
      if (draft.room === 0) return true;
      draft.unnominate(id);
      decided = true;
    }
    // Counts are of what the state holds: they are made before anything is decided.
    if (index.affinity.hasRules) {
      for (const slot of nominations.dirty) {
        for (const nominee of nominations.on(slot)) {
          const task = state.task(nominee.id);
          if (task) requirementsOf(nominee, task, parts);
        }
      }
    }
    for (const slot of nominations.dirty) {
      if (draft.room === 0) return true;
      nominations.dirty.delete(slot);
      // Those before one whose room is still to be left alone, when it is its turn.
      const kept: Nominee[] = [];
      for (const nominee of nominations.on(slot)) {
        const task = state.task(nominee.id);
        const outcome = task ? this.#serve(nominee, task, kept, parts) : 'waits';
        if (outcome === 'waits') kept.push(nominee);
        else decided = true;
        if (outcome === 'hopeless') draft.unnominate(nominee.id);
      }
    }
    return decided;
  }

  #makeRoom(request: RoomRequest, { index, overlay, draft, state }: PreemptorParts) {
    this.#budgets.hasRefused = false;
    const { found, work } = findRoom(request, index, overlay, { state, budgets: this.#budgets });
    const { service } = request;
    for (const { id, slot, victims } of found) {
      const node = index.nodes.nodes[slot];
      if (!node) continue;
      const preempted = victims.map((victim) => ({
        id: victim.task.id,
        by: {
          task: id,
          service: service.id,
          priority: service.priority,
          over: priorityOf(victim.service.spec),
        },
      }));
      draft.nominate(id, node.id, preempted);
    }
    return { made: found.length, work };
  }

  #serve(
    nominee: Nominee,
    task: Task,
    kept: readonly Nominee[],
    parts: PreemptorParts,
  ): 'placed' | 'waits' | 'hopeless' {
    const { index, overlay, state, draft } = parts;
    const { service, slot, id } = nominee;
    const node = index.nodes.nodes[slot];
    if (!node) return 'hopeless';
    const requirements = requirementsOf(nominee, task, parts);
    const tasksOn = (at: number) => service.active.get(at) + (overlay.serviceCounts(service)?.get(at) ?? 0);
    // It is counted there as one that is to come, and must not be in its own way.
    overlay.discount(slot, service);
    const verdict = compileFilters(requirements, index, overlay, tasksOn, service, { keptOn: () => kept })(
      slot,
    );
    if (verdict === FIT) {
      const serviceTasks = tasksOn(slot);
      const tasks = (index.nodes.active[slot] as number) + (overlay.added[slot] as number);
      const names = namesFor(requirements, index, overlay, slot);
      overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
      draft.assign(slot, node.id, id, names);
      draft.choose({
        serviceId: service.id,
        specVersion: task.specVersion,
        placed: 1,
        nodes: 1,
        rejected: [],
        candidates: [{ nodeId: node.id, failures: 0, serviceTasks, tasks }],
      });
      return 'placed';
    }
    const elsewise = compileFilters(requirements, index, overlay, tasksOn, service, { room: 'made' })(slot);
    overlay.discount(slot, service, 1);
    if (elsewise === NODE_SUSPECT || elsewise === NODE_UNKNOWN) return 'waits';
    if (elsewise !== FIT) return 'hopeless';
    const wanted = { requirements, priority: service.priority, kept };
    const { victims } = victimsOn(slot, wanted, {
      state,
      index,
      overlay,
      budgets: this.#budgets,
      going: new Set(),
    });
    return victims?.length === 0 ? 'waits' : 'hopeless';
  }
}

function requirementsOf({ service }: Nominee, task: Task, { index, state }: PreemptorParts): Requirements {
  const homes = task.nodeId === undefined ? homesOf(task, state) : [];
  const key = groupKey(task.specVersion, hostPortsOf(task.ports), homes);
  return index.requirementsOf(service, key, task, state, homes);
}
