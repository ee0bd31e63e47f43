/**
 * Keeps one task of each global service on every node that may have it. A slot is a node. It stands between the specs
 * that users write and the allocator and scheduler, which it never calls.
 *
 * A change of a node is a matter of that node, a failure of one slot. A paused node keeps what it has and gets nothing
 * new; a node that is drained, down or no longer meets the constraints has its task shut down.
 */

import { meetsConstraints } from '../../model/constraint-match.ts';
import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { Node, Service } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ChangeOf, ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isUnderWay } from '../../state/update-standing.ts';
import type { ControlLoop, DecideContext, Decision } from '../control-loop.ts';
import { decision } from './decision.ts';
import { DisruptionBudgets } from './drain/disruption-budgets.ts';
import { spareTask } from './drain/spare-task.ts';
import { Marks } from './marks.ts';
import { evictsAt, isGoneNode, isInvalidNode } from './node-validity.ts';
import { endedByItself, mayRestart, replacementOf } from './restart.ts';
import {
  delayAfter,
  isSwitched,
  isWorthALook,
  runningSinceOf,
  tendSlot,
  timeOfDelays,
  type UpdateStanding,
  updateStanding,
} from './slot.ts';
import { SlotSet } from './slot-set.ts';
import { type Slot, slotOf } from './slot-tasks.ts';
import { type ChangeListener, tellChanges } from './tell-changes.ts';
import { withId } from './tended.ts';
import { specFor } from './updater/handover.ts';
import { UpdateProgress } from './updater/update-progress.ts';
import { goOnUpdating } from './updater/updater.ts';
import { earliest, WakeQueue } from './wake-queue.ts';
import { type Deciding, Wishes } from './wishes.ts';

/** Name of the loop, and the actor of its transactions. */
const GLOBAL_ORCHESTRATOR = 'orchestrator/global';

/** The control loop of global services. */
export function createGlobalOrchestrator(): ControlLoop {
  return new GlobalOrchestrator();
}

class GlobalOrchestrator implements ControlLoop {
  readonly name = GLOBAL_ORCHESTRATOR;
  readonly #services = new Set<ServiceId>();
  readonly #marks = new Marks();
  readonly #updates = new UpdateProgress();
  readonly #wakes = new WakeQueue<TaskId>();
  /** Services whose update waits for a time. */
  readonly #updateWakes = new WakeQueue<ServiceId>();
  readonly #budgets = new DisruptionBudgets();
  /** Services that have an update to go on with, found when a single node was looked at. */
  readonly #outdated = new Set<ServiceId>();

  readonly #listener: ChangeListener = {
    service: ({ before, after }) => this.#observeService(before, after),
    task: (change, state) => this.#observeTask(change, state),
    node: (change, state) => this.#observeNode(change, state),
  };

  begin(state: ClusterState): void {
    this.#services.clear();
    this.#marks.clear();
    this.#updates.clear();
    this.#wakes.clear();
    this.#updateWakes.clear();
    this.#budgets.clear();
    this.#outdated.clear();
    for (const service of state.services()) this.#observeService(undefined, service);
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    tellChanges(changes, state, this.#listener);
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    for (const id of this.#wakes.takeDue(context.at)) {
      const task = state.task(id);
      if (task) this.#marks.slot(task.serviceId, state.slotKey(task));
    }
    for (const id of this.#updateWakes.takeDue(context.at)) this.#marks.slot(id, 0);
    const wishes = new Wishes();
    this.#budgets.beginTurn();
    const deciding: Deciding = { state, context, wishes, budgets: this.#budgets };
    for (let id = this.#marks.first(); id !== undefined && !wishes.full; id = this.#marks.first()) {
      const service = state.service(id);
      if (service?.spec.mode === 'global') {
        this.#attend(service, deciding);
      } else {
        this.#marks.take(id);
        this.#updates.drop(id);
      }
    }
    for (const id of this.#outdated) this.#marks.whole(id);
    this.#outdated.clear();
    const events = wishes.events(state, context.at);
    return decision(events, this.#marks.size > 0, this.#wakes.next(), this.#updateWakes.next());
  }

  #observeService(before: Service | undefined, after: Service | undefined): void {
    const service = after ?? before;
    if (service?.spec.mode !== 'global') return;
    for (const key of this.#budgets.observeService(service.id)) this.#marks.slot(service.id, key);
    if (before && after && before.spec === after.spec) {
      if (isSwitched(before, after)) this.#marks.whole(service.id);
      else if (before.updateStatus !== after.updateStatus && this.#updates.isUpdating(service.id)) {
        // A mark brings the loop back to the service.
        this.#marks.slot(service.id, 0);
      }
      return;
    }
    if (after) this.#services.add(service.id);
    else this.#services.delete(service.id);
    this.#marks.whole(service.id);
  }

  #observeTask({ before, after }: ChangeOf<'task'>, state: ClusterState): void {
    const task = after ?? before;
    if (task === undefined || task.slot !== 0) return;
    for (const key of this.#budgets.observe(before, after)) this.#marks.slot(task.serviceId, key);
    const lost = before && after && isMeantToRun(before.desiredState) && !isMeantToRun(after.desiredState);
    if (lost || isWorthALook(before, after, this.#updates.isUpdating(task.serviceId))) {
      this.#marks.slot(task.serviceId, state.slotKey(task));
    }
  }

  #observeNode({ before, after }: ChangeOf<'node'>, state: ClusterState): void {
    this.#budgets.observeNode(before, after, this.#marks);
    if (after === undefined) {
      // Whoever removes a node removes its tasks with it. Where that was left out, only a look at all finds them.
      if (before && !isInvalidNode(before)) for (const id of this.#services) this.#marks.whole(id);
      return;
    }
    if (before && !isOfInterest(before, after)) return;
    const row = state.roots.nodes.ids.get(after.id);
    if (row !== undefined) for (const id of this.#services) this.#marks.slot(id, row);
  }

  /** Does what is marked of a service, as far as the transaction has room; the rest stays marked. */
  #attend(service: Service, deciding: Deciding): void {
    const { id } = service;
    const mark = this.#marks.take(id);
    const slots = mark.whole ? this.#lookAtAll(service, deciding) : mark.slots;
    for (const key of slots) {
      if (deciding.wishes.full) this.#marks.slot(id, key);
      else this.#tend(service, key, deciding);
    }
    this.#updateWakes.set(id, goOnUpdating(service, this.#updates, this.#marks, deciding));
  }

  /** Looks at every node: what updating has to do, and where a task is missing, too much, or wants tending. */
  #lookAtAll(service: Service, { state, context, wishes }: Deciding): Set<number> {
    const outdated: number[] = [];
    const inFlux: number[] = [];
    let lastRunningAt = 0;
    const nodes = new Set<number>();
    for (const [key, node] of state.roots.nodes.rows.entries()) {
      nodes.add(key);
      const slot = slotOf(state.slot(service.id, key));
      const standing = standingOn(node, service, slot, state, timeOfDelays(context));
      lastRunningAt = Math.max(lastRunningAt, runningSinceOf(service, slot));
      if (standing === 'outdated') outdated.push(key);
      else if (standing === 'inFlux') inFlux.push(key);
    }
    for (const [key, tasks] of state.slots(service.id)) {
      if (nodes.has(key)) continue;
      for (const task of tasks) if (task.desiredState !== 'remove') wishes.remove(task.id);
    }
    const found = { outdated: SlotSet.of(outdated), inFlux: SlotSet.of(inFlux), lastRunningAt };
    this.#updates.begin(service.id, found, isUnderWay(service.updateStatus));
    return nodes;
  }

  #tend(service: Service, key: number, deciding: Deciding): void {
    const { state } = deciding;
    const node = state.roots.nodes.rows.get(key);
    if (node === undefined) {
      this.#updates.note(service.id, key, 'settled');
      return;
    }
    const slot = slotOf(state.slot(service.id, key));
    const changed = this.#tendOn(node, service, slot, deciding);
    const standing = changed
      ? 'changing'
      : standingOn(node, service, slot, state, timeOfDelays(deciding.context));
    if (this.#updates.isUpdating(service.id))
      this.#updates.note(service.id, key, standing, runningSinceOf(service, slot));
    // A paused node that is active again may have a task from before an update that has long ended elsewhere.
    // It is looked at in the next turn: what is wished in this one is not in the state yet.
    else if (standing === 'outdated') this.#outdated.add(service.id);
  }

  #tendOn(node: Node, service: Service, slot: Slot, deciding: Deciding): boolean {
    const { state, context, wishes } = deciding;
    if (!mayHaveTask(node, service)) {
      const later = slot.live && evictsAt(service, node, context.at);
      if (slot.live) this.#wakes.set(slot.live.id, later);
      if (later !== undefined) return false;
      const spared = slot.live && spareTask(service, slot.live, deciding);
      if (slot.live && spared?.now === false) {
        this.#wakes.set(slot.live.id, spared.lookAgainAt);
        return false;
      }
      const going = slot.tasks.filter((task) => isMeantToRun(task.desiredState));
      for (const task of going) wishes.shutdown(task.id);
      return going.length > 0;
    }
    const mayReplace = node.spec.availability === 'active';
    if (slot.live) {
      const tended = tendSlot(service, slot, deciding, { mayReplace });
      this.#wakes.set(slot.live.id, earliest(tended.lookAgainAt, delayAfter(service, slot.live, context.at)));
      return tended.changed;
    }
    if (!mayReplace || !isFree(slot)) return false;
    const row = slot.newest
      ? replacementOf(slot.newest, slot.tasks, state, context.at)
      : { slot: 0, nodeId: node.id };
    wishes.create(service.id, withId(row, context), specFor(service));
    return true;
  }
}

/** The node may have a task of the service: neither drained nor down, and it meets the constraints. */
function mayHaveTask(node: Node, service: Service): boolean {
  return !isInvalidNode(node) && meetsConstraints(node, service.spec.task.placement.constraints);
}

/** Towards an update only nodes count that may be given a new task. */
function standingOn(
  node: Node,
  service: Service,
  slot: Slot,
  state: ClusterState,
  at: number,
): UpdateStanding {
  if (node.spec.availability !== 'active' || !mayHaveTask(node, service)) return 'settled';
  return updateStanding(service, slot, state, at);
}

/**
 * A slot without a live task may have a new one, unless the last one ended by itself and its policy wants no other.
 * One that was shut down because its node was drained or down is no reason against.
 */
function isFree(slot: Slot): boolean {
  return slot.newest === undefined || !endedByItself(slot.newest.status) || mayRestart(slot.newest);
}

/** Something changed that decides whether the node may have a task, or whether its tasks can be waited for. */
function isOfInterest(before: Node, after: Node): boolean {
  return (
    before.spec !== after.spec ||
    before.description !== after.description ||
    before.status.address !== after.status.address ||
    isGoneNode(before) !== isGoneNode(after) ||
    isInvalidNode(before) !== isInvalidNode(after)
  );
}
