/**
 * The scheduler: gives nodes to tasks that wait for one. It sits between the change feed, which its index is folded
 * from, and the log, to which it proposes assignments, explanations for what can't be placed, and the end of what
 * is not wanted any more before it had a node. It owns the observed state `pending`, and never moves a task that has
 * a node.
 */

import type { TaskId } from '../../model/ids.ts';
import type { PlacementFinding } from '../../model/placement.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ControlLoop, type DecideContext, type Decision, NOTHING } from '../control-loop.ts';
import { DecisionDraft, RowNumbers } from './decision-draft.ts';
import {
  endsWithTasks,
  explainPreassigned,
  explainUnplaced,
  NODE_GONE,
  rejections,
  sameExplanation,
} from './explanation.ts';
import { compileFilters, type Filter, freeAtBest } from './filters.ts';
import { IndexLoader } from './index-loader.ts';
import { explainHold, leaseHold } from './lease-gate.ts';
import { namesFor } from './names-for.ts';
import { PlacementIndex } from './placement-index.ts';
import { PlacementOverlay } from './placement-overlay.ts';
import type { Placement } from './placement-request.ts';
import { hostPortsOf, type Requirements } from './requirements.ts';
import { schedule } from './schedule.ts';
import { groupKey, type ServiceEntry, type ServiceGroup } from './service-entry.ts';
import { FIT, type Verdict } from './verdicts.ts';

/** Nodes looked at plus tasks placed in one decision: a few milliseconds. A group's walk is not broken off for it. */
const WORK_PER_DECISION = 200_000;
/** Tasks of a group that are told at once when what keeps them from a node changed. */
const RETOLD_AT_ONCE_MAX = 1_000;
/** Larger groups are told again not sooner than this; milliseconds. */
const RETELL_MS = 60_000;

/** Name of the loop, and the actor of its transactions. */
export const SCHEDULER = 'scheduler';

/** Makes the control loop `scheduler`. */
export function createScheduler(): ControlLoop {
  return new Scheduler();
}

class Scheduler implements ControlLoop {
  readonly name = SCHEDULER;
  #index = new PlacementIndex();
  /** The index is not built yet. */
  #loader: IndexLoader | undefined;
  readonly #overlay = new PlacementOverlay();
  readonly #rowNumbers = new RowNumbers();
  // The groups of the present round, in order, and how many of them are done. A round ends before the next begins,
  // so that old services which are tried again and again don't keep young ones waiting.
  #round: readonly ServiceGroup[] = [];
  #done = 0;
  /** When this leader looked first. */
  #begunAt: number | undefined;
  readonly #toExplain = new Set<ServiceGroup>();
  /** Large groups that are to be told again, but not yet. */
  readonly #toRetell = new Set<ServiceGroup>();

  begin(state: ClusterState): void {
    this.#loader = new IndexLoader(state);
    this.#index = this.#loader.index;
    this.#round = [];
    this.#done = 0;
    this.#toExplain.clear();
    this.#toRetell.clear();
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    if (this.#loader) this.#loader.observe(changes, state);
    else if (!this.#index.fold(changes, state)) this.begin(state);
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    this.#begunAt ??= context.at;
    if (!this.#isLoaded(state)) return { events: [], more: true };
    this.#retryHelped(state, context.at);
    const index = this.#index;
    const idle =
      (index.leases.wakeAt ?? Number.POSITIVE_INFINITY) > context.at &&
      index.dirty.size + index.preassigned.dirty.size + index.unwanted.size + this.#toExplain.size === 0;
    if (idle) return this.#decision(NOTHING, context.at);
    // Counts are of what the state holds: they are made before anything is decided.
    if (index.affinity.hasRules) for (const group of index.dirty) this.#requirementsOf(group, state);
    this.#overlay.reset(index.nodes);
    const draft = new DecisionDraft(this.#rowNumbers);
    let more = this.#endUnwanted(draft);
    if (!more) more = this.#admitLeased(state, context.at, draft);
    if (!more) more = this.#placePreassigned(state, draft);
    const placedNow = new Map<ServiceGroup, number>();
    if (!more) more = this.#placeGroups(state, context.at, draft, placedNow);
    if (!more) more = this.#explainGroups(state, draft, placedNow);
    return this.#decision({ events: draft.events(context.at), more }, context.at);
  }

  /** Goes on building the index, if it is not built. */
  #isLoaded(state: ClusterState): boolean {
    const loaded = this.#loader?.goOn() ?? 'done';
    if (loaded === 'refused') this.begin(state);
    if (loaded !== 'done') return false;
    this.#loader = undefined;
    return true;
  }

  #decision(decision: Decision, at: number): Decision {
    let wakeAt = this.#index.leases.wakeAt ?? Number.POSITIVE_INFINITY;
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
    this.#retryNear(state);
    if (index.relieved.size === 0) return;
    let checksLeft = WORK_PER_DECISION;
    for (const group of index.blocked) {
      if (!group.relievable) continue;
      checksLeft -= index.relieved.size;
      // Past the budget a walk over all nodes later is no dearer than looking now.
      if (checksLeft < 0 || this.#fitsSomewhere(group, index.relieved, state)) index.retry(group);
    }
    index.relieved.clear();
  }

  /** Marks blocked groups for which the first task that they want near has come, or the last has gone that is in the way. */
  #retryNear(state: ClusterState): void {
    const { affinity, blocked } = this.#index;
    if (affinity.changed.size === 0) return;
    for (const group of blocked) {
      const rules = this.#requirementsOf(group, state).affinity?.required ?? [];
      if (rules.some(({ counts }) => affinity.changed.has(counts))) this.#index.retry(group);
    }
    affinity.changed.clear();
  }

  #fitsSomewhere(group: ServiceGroup, slots: ReadonlySet<number>, state: ClusterState): boolean {
    this.#overlay.reset(this.#index.nodes);
    const requirements = this.#requirementsOf(group, state);
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

  /** Lets tasks with a lease be placed that have their slot to themselves, and tells the others why they wait. */
  #admitLeased(state: ClusterState, at: number, draft: DecisionDraft): boolean {
    const { leases } = this.#index;
    for (const id of leases.take(at)) {
      const task = state.task(id);
      if (!task) continue;
      const hold = leaseHold(task, state, { at, begunAt: this.#begunAt ?? at });
      if (!hold) {
        this.#index.admit(task, state);
        continue;
      }
      if (hold.until !== undefined) leases.wait(id, hold.until);
      const explanation = explainHold(hold, state);
      if (!sameExplanation(task.explanation, explanation)) draft.explain(id, explanation);
    }
    return draft.room === 0;
  }

  #placePreassigned(state: ClusterState, draft: DecisionDraft): boolean {
    const kinds = new Map<Requirements, PreassignedKind>();
    let more = false;
    for (const id of this.#index.preassigned.dirty) {
      more = draft.room === 0;
      if (more) break;
      this.#placeOnItsNode(id, state, draft, kinds);
    }
    for (const { service, specVersion, placed } of kinds.values()) {
      if (placed > 0)
        draft.choose({ serviceId: service.id, specVersion, placed, nodes: 1, rejected: [], candidates: [] });
    }
    return more;
  }

  #placeOnItsNode(
    id: TaskId,
    state: ClusterState,
    draft: DecisionDraft,
    kinds: Map<Requirements, PreassignedKind>,
  ): void {
    const index = this.#index;
    const task = state.task(id);
    const service = task && index.services.get(task.serviceId);
    if (!task || !service || task.nodeId === undefined) return;
    const slot = index.nodes.slotOf(task.nodeId);
    const key = groupKey(task.specVersion, hostPortsOf(task.ports));
    const requirements = index.requirementsOf(service, key, task, state);
    const kind = kinds.get(requirements) ?? {
      service,
      specVersion: task.specVersion,
      filter: this.#filterOf(service, requirements),
      placed: 0,
      explanations: new Map<Verdict, PlacementFinding>(),
    };
    kinds.set(requirements, kind);
    const verdict = slot === -1 ? FIT : kind.filter(slot);
    if (slot !== -1 && verdict === FIT) {
      const names = namesFor(requirements, index, this.#overlay, slot);
      this.#overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
      draft.assign(slot, task.nodeId, id, names);
      kind.placed += 1;
      return;
    }
    index.preassigned.dirty.delete(id);
    const explanation =
      slot === -1
        ? NODE_GONE
        : (kind.explanations.get(verdict) ?? explainPreassigned(verdict, requirements.causes));
    kind.explanations.set(verdict, explanation);
    if (!sameExplanation(task.explanation, explanation)) draft.explain(id, explanation);
  }

  #filterOf(service: ServiceEntry, requirements: Requirements): Filter {
    return compileFilters(
      requirements,
      this.#index,
      this.#overlay,
      (slot) => service.active.get(slot) + (this.#overlay.serviceCounts(service)?.get(slot) ?? 0),
      service.yielding,
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
      if (placement.placed > 0) this.#assign(group, placement, state, draft);
      placedNow.set(group, placement.placed);
      work -= placement.nodes + placement.placed;
      if (placement.placed < count) this.#block(group, placement, state, at);
      else if (count < group.size) return true;
    }
    // What was marked since the round began waits for the next.
    return begunEarlier && this.#index.dirty.size > 0;
  }

  #place(group: ServiceGroup, count: number, state: ClusterState, at: number): Placement {
    const requirements = this.#requirementsOf(group, state);
    const request = { service: group.service, specVersion: group.specVersion, requirements, count, at };
    const steps = schedule(request, this.#index, this.#overlay);
    for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
  }

  #requirementsOf(group: ServiceGroup, state: ClusterState): Requirements {
    return this.#index.requirementsOf(group.service, group.key, group.sample, state, group.homes);
  }

  #assign(group: ServiceGroup, placement: Placement, state: ClusterState, draft: DecisionDraft): void {
    const { placed, slots, generic, candidates } = placement;
    const { nodes } = this.#index.nodes;
    const { causes } = this.#requirementsOf(group, state);
    draft.choose({
      serviceId: group.service.id,
      specVersion: group.specVersion,
      placed,
      nodes: placement.nodes,
      rejected: rejections(placement.rejected, causes),
      candidates,
    });
    const ids = group.first(placed);
    for (let at = 0; at < placed; at++) {
      const slot = slots[at] as number;
      const node = nodes[slot];
      if (node) draft.assign(slot, node.id, ids[at] as TaskId, generic[at]);
    }
  }

  /** The rest of a group can't be placed now. Who is told so, and when, so that telling a million costs little. */
  #block(group: ServiceGroup, placement: Placement, state: ClusterState, at: number): void {
    const requirements = this.#requirementsOf(group, state);
    this.#index.block(group, endsWithTasks(placement.rejected, requirements.causes));
    const { nodes, rejected } = placement;
    const explanation = explainUnplaced(nodes, rejected, requirements.causes);
    const isNews = this.#toRetell.delete(group) || !sameExplanation(group.explanation, explanation);
    const first = group.explanation === undefined;
    if (isNews || !group.allExplained) {
      const filter = this.#filterOf(group.service, requirements);
      const free = freeAtBest(filter, requirements, this.#index, this.#overlay);
      group.explanation = { ...explanation, rejected: rejections(rejected, requirements.causes, free) };
    }
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

/** Tasks of one kind that are each made for one node. */
interface PreassignedKind {
  readonly service: ServiceEntry;
  readonly specVersion: number;
  readonly filter: Filter;
  /** How many of them have got their node. */
  placed: number;
  /** By verdict, what they are told. */
  readonly explanations: Map<Verdict, PlacementFinding>;
}

/** Older services first, then older specs: the same order whatever came in first. */
function byAge(a: ServiceGroup, b: ServiceGroup): number {
  return (
    a.service.row - b.service.row ||
    a.specVersion - b.specVersion ||
    (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  );
}
