/**
 * The scheduler: gives nodes to tasks that wait for one. It sits between the change feed, which its index is folded
 * from, and the log, to which it proposes assignments, explanations for what can't be placed, and the end of what
 * is not wanted any more before it had a node. It owns the observed state `pending`, and never moves a task that has
 * a node.
 */

import type { TaskId } from '../../model/ids.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ControlLoop, type DecideContext, type Decision, NOTHING } from '../control-loop.ts';
import { DecisionDraft, RowNumbers } from './decision-draft.ts';
import {
  explainPreassigned,
  explainUnplaced,
  FILTERS,
  FIT,
  NODE_GONE,
  rejectedBy,
  sameExplanation,
} from './explanation.ts';
import { compileFilters, type Filter } from './filters.ts';
import { namesFor } from './names-for.ts';
import { PlacementIndex } from './placement-index.ts';
import { PlacementOverlay } from './placement-overlay.ts';
import { hostPortsOf, type Requirements } from './requirements.ts';
import { type Placement, schedule } from './schedule.ts';
import { groupKey, type ServiceEntry, type ServiceGroup } from './service-entry.ts';

/** Nodes looked at plus tasks placed in one decision: a few milliseconds. A group's walk is not broken off for it. */
const WORK_PER_DECISION = 200_000;
/** Tasks of a group that are told at once when what keeps them from a node changed. */
const RETOLD_AT_ONCE_MAX = 1_000;
/** Larger groups are told again not sooner than this; milliseconds. */
const RETELL_MS = 60_000;

/** Filters that a task which ends on a node may satisfy there. */
const RELIEVABLE = [rejectedBy('resources'), rejectedBy('host-port'), rejectedBy('max-replicas')];

/** Name of the loop, and the actor of its transactions. */
export const SCHEDULER = 'scheduler';

/** Makes the control loop `scheduler`. */
export function createScheduler(): ControlLoop {
  return new Scheduler();
}

class Scheduler implements ControlLoop {
  readonly name = SCHEDULER;
  #index = new PlacementIndex();
  readonly #overlay = new PlacementOverlay();
  readonly #rowNumbers = new RowNumbers();
  // The groups of the present round, in order, and how many of them are done. A round ends before the next begins,
  // so that old services which are tried again and again don't keep young ones waiting.
  #round: readonly ServiceGroup[] = [];
  #done = 0;
  readonly #toExplain = new Set<ServiceGroup>();
  /** Large groups that are to be told again, but not yet. */
  readonly #toRetell = new Set<ServiceGroup>();

  begin(state: ClusterState): void {
    this.#index = PlacementIndex.of(state);
    this.#round = [];
    this.#done = 0;
    this.#toExplain.clear();
    this.#toRetell.clear();
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    if (!this.#index.fold(changes, state)) this.begin(state);
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    this.#retryHelped(state, context.at);
    const index = this.#index;
    const idle =
      index.dirty.size + index.dirtyPreassigned.size + index.unwanted.size + this.#toExplain.size === 0;
    if (idle) return this.#decision(NOTHING, context.at);
    this.#overlay.reset(index.nodes);
    const draft = new DecisionDraft(this.#rowNumbers);
    let more = this.#endUnwanted(draft);
    if (!more) more = this.#placePreassigned(state, draft);
    const placedNow = new Map<ServiceGroup, number>();
    if (!more) more = this.#placeGroups(state, context.at, draft, placedNow);
    if (!more) more = this.#explainGroups(state, draft, placedNow);
    return this.#decision({ events: draft.events(context.at), more }, context.at);
  }

  #decision(decision: Decision, at: number): Decision {
    let wakeAt = Number.POSITIVE_INFINITY;
    for (const group of this.#toRetell) wakeAt = Math.min(wakeAt, group.explainedAt + RETELL_MS);
    return wakeAt === Number.POSITIVE_INFINITY ? decision : { ...decision, wakeAt: Math.max(wakeAt, at) };
  }

  /** Marks blocked groups that a node which lost a task may take now, and large groups whose time to be told came. */
  #retryHelped(state: ClusterState, at: number): void {
    const index = this.#index;
    for (const group of this.#toRetell) {
      if (group.size === 0) this.#toRetell.delete(group);
      else if (at >= group.explainedAt + RETELL_MS && index.blocked.has(group)) index.retry(group);
    }
    if (index.relieved.size === 0) return;
    let checksLeft = WORK_PER_DECISION;
    for (const group of index.blocked) {
      if (!RELIEVABLE.some((verdict) => (group.rejected?.[verdict] ?? 0) > 0)) continue;
      checksLeft -= index.relieved.size;
      // Past the budget a walk over all nodes later is no dearer than looking now.
      if (checksLeft < 0 || this.#fitsSomewhere(group, index.relieved, state)) index.retry(group);
    }
    index.relieved.clear();
  }

  #fitsSomewhere(group: ServiceGroup, slots: ReadonlySet<number>, state: ClusterState): boolean {
    this.#overlay.reset(this.#index.nodes);
    const requirements = this.#index.requirementsOf(group.service, group.key, group.sample, state);
    const filter = this.#filterOf(group.service, requirements);
    for (const slot of slots) if (filter(slot) === FIT) return true;
    return false;
  }

  /** @returns whether there is more, and no room for it. */
  #endUnwanted(draft: DecisionDraft): boolean {
    for (const id of this.#index.unwanted) {
      if (draft.room === 0) return true;
      draft.end(id);
    }
    return false;
  }

  #placePreassigned(state: ClusterState, draft: DecisionDraft): boolean {
    const filters = new Map<Requirements, Filter>();
    for (const id of this.#index.dirtyPreassigned) {
      if (draft.room === 0) return true;
      this.#placeOnItsNode(id, state, draft, filters);
    }
    return false;
  }

  #placeOnItsNode(
    id: TaskId,
    state: ClusterState,
    draft: DecisionDraft,
    filters: Map<Requirements, Filter>,
  ): void {
    const index = this.#index;
    const task = state.task(id);
    const service = task && index.services.get(task.serviceId);
    if (!task || !service || task.nodeId === undefined) return;
    const slot = index.nodes.slotOf(task.nodeId);
    const key = groupKey(task.specVersion, hostPortsOf(task.ports));
    const requirements = index.requirementsOf(service, key, task, state);
    const filter = filters.get(requirements) ?? this.#filterOf(service, requirements);
    filters.set(requirements, filter);
    const verdict = slot === -1 ? FIT : filter(slot);
    if (slot !== -1 && verdict === FIT) {
      const names = namesFor(requirements, index, this.#overlay, slot);
      this.#overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
      draft.assign(slot, task.nodeId, id, names);
      return;
    }
    index.dirtyPreassigned.delete(id);
    const explanation = slot === -1 ? NODE_GONE : (PREASSIGNED[verdict] ?? NODE_GONE);
    if (!sameExplanation(task.explanation, explanation)) draft.explain(id, explanation);
  }

  #filterOf(service: ServiceEntry, requirements: Requirements): Filter {
    return compileFilters(
      requirements,
      this.#index,
      this.#overlay,
      (slot) => service.active.get(slot) + (this.#overlay.serviceCounts(service)?.get(slot) ?? 0),
    );
  }

  #placeGroups(
    state: ClusterState,
    at: number,
    draft: DecisionDraft,
    placedNow: Map<ServiceGroup, number>,
  ): boolean {
    const begunEarlier = this.#done < this.#round.length;
    if (!begunEarlier) {
      this.#round = [...this.#index.dirty].sort(byAge);
      this.#done = 0;
    }
    let work = WORK_PER_DECISION;
    for (; this.#done < this.#round.length; this.#done++) {
      const group = this.#round[this.#done] as ServiceGroup;
      if (!this.#index.dirty.has(group)) continue;
      if (work <= 0 || draft.room === 0) return true;
      const count = Math.min(group.size, draft.room);
      const placement = this.#place(group, count, state, at);
      this.#assign(group, placement, draft);
      placedNow.set(group, placement.placed);
      work -= placement.nodes + placement.placed;
      if (placement.placed < count) this.#block(group, placement, at);
      else if (count < group.size) return true;
    }
    // What was marked since the round began waits for the next.
    return begunEarlier && this.#index.dirty.size > 0;
  }

  #place(group: ServiceGroup, count: number, state: ClusterState, at: number): Placement {
    const requirements = this.#index.requirementsOf(group.service, group.key, group.sample, state);
    const request = { service: group.service, specVersion: group.specVersion, requirements, count, at };
    const steps = schedule(request, this.#index, this.#overlay);
    for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
  }

  #assign(group: ServiceGroup, { placed, slots, generic }: Placement, draft: DecisionDraft): void {
    const { nodes } = this.#index.nodes;
    const ids = group.first(placed);
    for (let at = 0; at < placed; at++) {
      const slot = slots[at] as number;
      const node = nodes[slot];
      if (node) draft.assign(slot, node.id, ids[at] as TaskId, generic[at]);
    }
  }

  /** The rest of a group can't be placed now. Who is told so, and when, so that telling a million costs little. */
  #block(group: ServiceGroup, placement: Placement, at: number): void {
    this.#index.block(group, placement.rejected);
    const explanation = explainUnplaced(placement.nodes, placement.rejected);
    const isNews = this.#toRetell.delete(group) || !sameExplanation(group.explanation, explanation);
    const first = group.explanation === undefined;
    group.explanation = explanation;
    this.#toExplain.add(group);
    if (!isNews) return;
    const waits = group.size - placement.placed;
    if (first || waits <= RETOLD_AT_ONCE_MAX || at >= group.explainedAt + RETELL_MS) {
      group.forgetExplained();
      group.explainedAt = at;
    } else this.#toRetell.add(group);
  }

  #explainGroups(
    state: ClusterState,
    draft: DecisionDraft,
    placedNow: ReadonlyMap<ServiceGroup, number>,
  ): boolean {
    for (const group of this.#toExplain) {
      const { explanation } = group;
      if (explanation && this.#index.blocked.has(group)) {
        const all = group.explain(placedNow.get(group) ?? 0, (id) => {
          if (draft.room === 0) return false;
          if (!sameExplanation(state.task(id)?.explanation, explanation)) draft.explain(id, explanation);
          return true;
        });
        if (!all) return true;
      }
      this.#toExplain.delete(group);
    }
    return false;
  }
}

/** By verdict, what a task is told that its own node has no place for. */
const PREASSIGNED = [FIT, ...FILTERS.map(rejectedBy)].map(explainPreassigned);

/** Older services first, then older specs: the same order whatever came in first. */
function byAge(a: ServiceGroup, b: ServiceGroup): number {
  return (
    a.service.row - b.service.row ||
    a.specVersion - b.specVersion ||
    (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  );
}
