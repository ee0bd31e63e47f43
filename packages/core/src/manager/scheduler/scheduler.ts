/**
 * The scheduler: gives nodes to tasks that wait for one. It sits between the change feed, which its index is folded
 * from, and the log, to which it proposes assignments, explanations for what can't be placed, and the end of what
 * is not wanted any more before it had a node. It owns the observed state `pending`, and never moves a task that has
 * a node.
 */

import type { TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import type { PlacementFinding } from '../../model/placement.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ControlLoop, type DecideContext, type Decision, NOTHING } from '../control-loop.ts';
import { DecisionDraft, RowNumbers } from './decision-draft.ts';
import {
  endsWithTasks,
  explainUnplaced,
  rejections,
  sameExplanation,
  unfitEverywhere,
} from './explanation.ts';
import { compileFilters, type Filter, freeAtBest } from './filters.ts';
import { IndexLoader } from './index-loader.ts';
import { explainHold, leaseHold } from './lease-gate.ts';
import { PlacementIndex } from './placement-index.ts';
import { PlacementOverlay } from './placement-overlay.ts';
import type { Placement } from './placement-request.ts';
import { PreassignedPlacer } from './preassigned-placer.ts';
import { Preemptor, type PreemptorParts } from './preemption/preemptor.ts';
import { hostPortsOf, type Requirements } from './requirements.ts';
import { schedule } from './schedule.ts';
import { groupKey, type ServiceEntry, type ServiceGroup } from './service-entry.ts';
import { FIT } from './verdicts.ts';
import { homesOf } from './volume-followers.ts';

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
  #preemptor = new Preemptor();
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
    this.#preemptor = new Preemptor();
    this.#round = [];
    this.#done = 0;
    this.#toExplain.clear();
    this.#toRetell.clear();
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    this.#preemptor.observe(changes);
    if (this.#loader) this.#loader.observe(changes, state);
    else if (!this.#index.fold(changes, state)) this.begin(state);
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    this.#begunAt ??= context.at;
    if (!this.#isLoaded(state)) return { events: [], more: true };
    const index = this.#index;
    this.#preemptor.beginTurn(index, context.at);
    this.#retryHelped(state, context.at);
    if (!index.waiting.isAnythingToDo(context.at) && this.#toExplain.size === 0) {
      return this.#decision(NOTHING, context.at);
    }
    // Counts are of what the state holds: they are made before anything is decided.
    if (index.affinity.hasRules) for (const group of index.waiting.dirty) this.#requirementsOf(group, state);
    this.#overlay.reset(index.nodes);
    const draft = new DecisionDraft(this.#rowNumbers);
    const more = this.#decideInto(draft, state, context.at);
    return this.#decision({ events: draft.events(context.at), more }, context.at);
  }

  /** @returns whether there is more to decide, on the state as it is then */
  #decideInto(draft: DecisionDraft, state: ClusterState, at: number): boolean {
    if (this.#endUnwanted(draft) || this.#admitLeased(state, at, draft)) return true;
    // What is decided of them is in the index in the next turn, and others go by that.
    if (this.#preemptor.serveNominees(this.#parts(draft, state))) return true;
    const placedNow = new Map<ServiceGroup, number>();
    if (this.#placeGroups(state, at, draft, placedNow)) return true;
    return this.#explainGroups(state, draft, placedNow);
  }

  #parts(draft: DecisionDraft, state: ClusterState): PreemptorParts {
    return { state, index: this.#index, overlay: this.#overlay, draft };
  }

  /** The highest priority of a group that is to be tried. */
  #highestDirty(): number {
    const { priorities, waiting } = this.#index;
    let highest = Number.NEGATIVE_INFINITY;
    if (priorities.differ) {
      for (const { service } of waiting.dirty) highest = Math.max(highest, service.priority);
    }
    return highest;
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
    let wakeAt = this.#index.waiting.leases.wakeAt ?? Number.POSITIVE_INFINITY;
    wakeAt = Math.min(wakeAt, this.#preemptor.wakeAt ?? wakeAt);
    for (const group of this.#toRetell) wakeAt = Math.min(wakeAt, group.explainedAt + RETELL_MS);
    return wakeAt === Number.POSITIVE_INFINITY ? decision : { ...decision, wakeAt: Math.max(wakeAt, at) };
  }

  /** Marks blocked groups that a node which lost a task may take now, and large groups whose time to be told came. */
  #retryHelped(state: ClusterState, at: number): void {
    const index = this.#index;
    for (const group of this.#toRetell) {
      if (group.size === 0) this.#toRetell.delete(group);
      else if (at >= group.explainedAt + RETELL_MS && index.waiting.blocked.has(group))
        index.waiting.retry(group);
    }
    this.#retryNear(state);
    if (index.relieved.size === 0) return;
    let checksLeft = WORK_PER_DECISION;
    for (const group of index.waiting.blocked) {
      if (!group.relievable) continue;
      checksLeft -= index.relieved.size;
      // Past the budget a walk over all nodes later is no dearer than looking now.
      if (checksLeft < 0 || this.#fitsSomewhere(group, index.relieved, state)) index.waiting.retry(group);
    }
    index.relieved.clear();
  }

  /** Marks blocked groups for which the first task that they want near has come, or the last has gone that is in the way. */
  #retryNear(state: ClusterState): void {
    const { affinity } = this.#index;
    const { blocked } = this.#index.waiting;
    if (affinity.changed.size === 0) return;
    for (const group of blocked) {
      const rules = this.#requirementsOf(group, state).affinity?.required ?? [];
      if (rules.some(({ counts }) => affinity.changed.has(counts))) this.#index.waiting.retry(group);
    }
    this.#index.waiting.leases.noteOther();
    affinity.changed.clear();
  }

  #fitsSomewhere(group: ServiceGroup, slots: ReadonlySet<number>, state: ClusterState): boolean {
    this.#overlay.reset(this.#index.nodes);
    const requirements = this.#requirementsOf(group, state);
    const filter = this.#filterOf(group.service, requirements);
    const parts = { state, index: this.#index, overlay: this.#overlay };
    for (const slot of slots) {
      if (filter(slot) === FIT || this.#preemptor.couldMakeRoom(group, requirements, slot, parts))
        return true;
    }
    return false;
  }

  /** @returns whether there is more, and no room for it. */
  #endUnwanted(draft: DecisionDraft): boolean {
    for (const id of this.#index.waiting.unwanted) {
      if (draft.room === 0) return true;
      draft.end(id);
    }
    return false;
  }

  /** Lets tasks with a lease be placed that have their slot to themselves, and tells the others why they wait. */
  #admitLeased(state: ClusterState, at: number, draft: DecisionDraft): boolean {
    const { leases } = this.#index.waiting;
    for (const id of leases.take(at)) {
      const task = state.task(id);
      if (!task) continue;
      const hold = leaseHold(task, state, { at, begunAt: this.#begunAt ?? at });
      if (!hold) {
        this.#index.waiting.admit(task, state);
        continue;
      }
      if (hold.until !== undefined) leases.wait(id, hold.until);
      // One that runs is to go on for as long as no node would take the other.
      const unfit = isMeantToRun(hold.task.desiredState) ? this.#unfit(task, state) : undefined;
      const explanation = unfit ?? explainHold(hold, state);
      if (!sameExplanation(task.explanation, explanation)) draft.explain(id, explanation);
    }
    return draft.room === 0;
  }

  /** What keeps a task from every node, though it is not to be placed yet; undefined: some node would take it. */
  #unfit(task: Task, state: ClusterState): PlacementFinding | undefined {
    const index = this.#index;
    const service = index.entryOf(task, state);
    const homes = homesOf(task, state);
    const key = groupKey(task.specVersion, hostPortsOf(task.ports), homes);
    const requirements = index.requirementsOf(service, key, task, state, homes);
    const filter = this.#filterOf(service, requirements);
    return unfitEverywhere(filter, requirements.causes, index.nodes);
  }

  /** Only those of services with a priority from `least` up to but without `below`. */
  #placePreassigned(state: ClusterState, draft: DecisionDraft, least: number, below: number): boolean {
    if (this.#index.waiting.preassigned.dirty.size === 0) return false;
    const parts = this.#parts(draft, state);
    const placer = new PreassignedPlacer({
      ...parts,
      filterOf: (service, requirements) => this.#filterOf(service, requirements),
      makeRoom: (task, service, requirements, slot) =>
        this.#preemptor.makeRoomOnNode(task, service, requirements, slot, parts),
    });
    let more = false;
    for (const id of placer.dirty(least, below)) {
      more = draft.room === 0 || placer.place(id) === 'room-is-made';
      if (more) break;
    }
    placer.tell();
    return more;
  }

  #filterOf(service: ServiceEntry, requirements: Requirements): Filter {
    return compileFilters(
      requirements,
      this.#index,
      this.#overlay,
      (slot) => service.active.get(slot) + (this.#overlay.serviceCounts(service)?.get(slot) ?? 0),
      service,
    );
  }

  #placeGroups(
    state: ClusterState,
    at: number,
    draft: DecisionDraft,
    placedNow: Map<ServiceGroup, number>,
  ): boolean {
    const begunEarlier = this.#done < this.#round.length && !this.#isOvertaken();
    if (!begunEarlier) {
      this.#round = [...this.#index.waiting.dirty].sort(byTurn);
      this.#done = 0;
    }
    let work = WORK_PER_DECISION;
    // Those that were made for one node go before groups of no higher priority.
    let level = Number.POSITIVE_INFINITY;
    for (; this.#done < this.#round.length; this.#done++) {
      const group = this.#round[this.#done] as ServiceGroup;
      if (!this.#index.waiting.dirty.has(group)) continue;
      if (work <= 0 || draft.room === 0) return true;
      const { priority } = group.service;
      if (priority < level && this.#placePreassigned(state, draft, priority, level)) return true;
      level = priority;
      const count = Math.min(group.size, draft.room);
      const placement = this.#place(group, count, state, at);
      if (placement.placed > 0) this.#assign(group, placement, state, draft);
      placedNow.set(group, placement.placed);
      work -= placement.nodes + placement.placed;
      if (placement.placed < count) {
        const ids = group.first(count).slice(placement.placed);
        const requirements = this.#requirementsOf(group, state);
        const room = this.#preemptor.makeRoom(group, requirements, ids, this.#parts(draft, state), at);
        if (room.made > 0) return true;
        work -= room.work;
        this.#block(group, placement, state, at, room.refusal);
      } else if (count < group.size) return true;
    }
    if (this.#placePreassigned(state, draft, Number.NEGATIVE_INFINITY, level)) return true;
    // What was marked since the round began waits for the next.
    return begunEarlier && this.#index.waiting.dirty.size > 0;
  }

  /** Something of a higher priority waits than what comes next in the round. */
  #isOvertaken(): boolean {
    if (!this.#index.priorities.differ) return false;
    const { dirty } = this.#index.waiting;
    const next = this.#round.slice(this.#done).find((group) => dirty.has(group));
    return next !== undefined && this.#highestDirty() > next.service.priority;
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
  #block(
    group: ServiceGroup,
    placement: Placement,
    state: ClusterState,
    at: number,
    refusal: string | undefined,
  ): void {
    const requirements = this.#requirementsOf(group, state);
    this.#index.waiting.block(group, endsWithTasks(placement.rejected, requirements.causes));
    const { nodes, rejected } = placement;
    const explanation = explainUnplaced(nodes, rejected, requirements.causes, refusal);
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
      if (explanation && this.#index.waiting.blocked.has(group)) {
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

/** Higher priorities first, then older services, then older specs: the same order whatever came in first. */
function byTurn(a: ServiceGroup, b: ServiceGroup): number {
  return (
    b.service.priority - a.service.priority ||
    a.service.row - b.service.row ||
    a.specVersion - b.specVersion ||
    (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  );
}
