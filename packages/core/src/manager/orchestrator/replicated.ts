/**
 * Keeps replicated services at their number of tasks: makes what is missing, takes away what is too much, replaces
 * what ended or has to leave its node, and replaces what is outdated. It stands between the specs that users write
 * and the allocator and scheduler, which it never calls.
 *
 * Cost follows the change: a failure is a matter of one slot, however large the service. Only a change of the
 * service's tasks or their number, and the start of a leadership, look at all of a service, and that in slices.
 */

import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ChangeOf, ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isUnderWay } from '../../state/update-standing.ts';
import type { ControlLoop, DecideContext, Decision } from '../control-loop.ts';
import { decision } from './decision.ts';
import { DisruptionBudgets } from './drain/disruption-budgets.ts';
import { differsForLeaving } from './drain/must-leave.ts';
import { Marks } from './marks.ts';
import { isGoneNode, isInvalidNode } from './node-validity.ts';
import { replacementOf } from './restart.ts';
import { ServiceLook } from './service-look.ts';
import {
  delayAfter,
  isOccupied,
  isSwitched,
  isWorthALook,
  runningSinceOf,
  tendSlot,
  timeOfDelays,
  updateStanding,
} from './slot.ts';
import type { SlotSet } from './slot-set.ts';
import { slotOf } from './slot-tasks.ts';
import { tellChanges } from './tell-changes.ts';
import { withId } from './tended.ts';
import { specFor } from './updater/handover.ts';
import { UpdateProgress } from './updater/update-progress.ts';
import { goOnUpdating } from './updater/updater.ts';
import { earliest, WakeQueue } from './wake-queue.ts';
import { type Deciding, Wishes } from './wishes.ts';

/** Name of the loop, and the actor of its transactions. */
const REPLICATED_ORCHESTRATOR = 'orchestrator/replicated';

/** After so many slots of whole services, others get their turn. */
const SLOTS_PER_TURN = 5_000;

/**
 * The control loop of replicated services.
 *
 * @param slotsPerTurn Most slots that one decision looks at because whole services are to be looked at.
 */
export function createReplicatedOrchestrator(slotsPerTurn = SLOTS_PER_TURN): ControlLoop {
  return new ReplicatedOrchestrator(slotsPerTurn);
}

/** What a look at a whole service left to do, when it was more than one transaction holds. */
interface Rest {
  /** Slots that want tending. */
  readonly tend: SlotSet;
  /** Slots that are to be filled, ascending. */
  readonly missing: Int32Array;
  /** So many of them are. */
  filled: number;
  /** Slots that are to go. */
  readonly surplus: SlotSet;
  /** There were some. */
  readonly isShrinking: boolean;
}

class ReplicatedOrchestrator implements ControlLoop {
  readonly name = REPLICATED_ORCHESTRATOR;
  readonly #marks = new Marks();
  readonly #updates = new UpdateProgress();
  readonly #rest = new Map<ServiceId, Rest>();
  readonly #wakes = new WakeQueue<TaskId>();
  /** Services whose update waits for a time. */
  readonly #updateWakes = new WakeQueue<ServiceId>();
  readonly #budgets = new DisruptionBudgets();
  /** Looks at whole services that are not done: each is marked as whole. */
  readonly #looks = new Map<ServiceId, ServiceLook>();
  /** Services to look at once more. What is wished for them in this turn is in the state in the next one. */
  readonly #again = new Set<ServiceId>();
  readonly #slotsPerTurn: number;
  /** Slots looked at in this turn because whole services were. */
  #looked = 0;

  constructor(slotsPerTurn: number) {
    this.#slotsPerTurn = slotsPerTurn;
  }

  begin(state: ClusterState): void {
    this.#marks.clear();
    this.#updates.clear();
    this.#rest.clear();
    this.#wakes.clear();
    this.#updateWakes.clear();
    this.#budgets.clear();
    this.#looks.clear();
    this.#again.clear();
    for (const service of state.services()) this.#markWhole(service);
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    const own = changes.actor.kind === 'loop' && changes.actor.name === this.name;
    tellChanges(changes, state, {
      service: ({ before, after }) => this.#observeService(before, after),
      task: (change) => this.#observeTask(change, own, state),
      node: (change) => this.#observeNode(change, state),
    });
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    for (const id of this.#wakes.takeDue(context.at)) {
      const task = state.task(id);
      if (task) this.#marks.slot(task.serviceId, task.slot);
    }
    for (const id of this.#updateWakes.takeDue(context.at)) this.#marks.slot(id, 0);
    const wishes = new Wishes();
    this.#budgets.beginTurn();
    const deciding: Deciding = { state, context, wishes, budgets: this.#budgets };
    this.#looked = 0;
    const hasRoom = () => !wishes.full && this.#looked < this.#slotsPerTurn;
    for (let id = this.#marks.first(); id !== undefined && hasRoom(); id = this.#marks.first()) {
      const service = state.service(id);
      if (service?.spec.mode === 'replicated') {
        this.#attend(service, deciding);
      } else {
        this.#marks.take(id);
        this.#rest.delete(id);
        this.#looks.delete(id);
        this.#updates.drop(id);
      }
    }
    for (const id of this.#again) this.#marks.whole(id);
    this.#again.clear();
    const events = wishes.events(state, context.at);
    return decision(events, this.#marks.size > 0, this.#wakes.next(), this.#updateWakes.next());
  }

  #observeService(before: Service | undefined, after: Service | undefined): void {
    const service = after ?? before;
    for (const key of service ? this.#budgets.observeService(service.id) : []) {
      if (service) this.#marks.slot(service.id, key);
    }
    const sameTasks = before?.specVersion === after?.specVersion;
    if (!sameTasks || before?.spec.replicas !== after?.spec.replicas) {
      this.#markWhole(after ?? before, !sameTasks);
    } else if (after && before && isSwitched(before, after)) {
      this.#markWhole(after);
    } else if (after && (before?.spec !== after.spec || before?.updateStatus !== after.updateStatus)) {
      // Every slot stays as it is, but the update may have another pace, or go on. A mark brings the loop back to it.
      if (this.#updates.isUpdating(after.id)) this.#marks.slot(after.id, 0);
    }
  }

  #observeTask({ before, after }: ChangeOf<'task'>, own: boolean, state: ClusterState): void {
    const task = after ?? before;
    if (task === undefined || task.slot === 0) return;
    for (const key of this.#budgets.observe(before, after)) this.#marks.slot(task.serviceId, key);
    if (this.#lookAgainAt(task, state)) return;
    const lost = before !== undefined && isMeantToRun(before.desiredState);
    if (lost && !own && (after === undefined || !isMeantToRun(after.desiredState))) {
      this.#marks.whole(task.serviceId);
      this.#rest.delete(task.serviceId);
    } else if (isWorthALook(before, after, this.#updates.isUpdating(task.serviceId))) {
      this.#marks.slot(task.serviceId, task.slot);
    }
  }

  #observeNode({ before, after }: ChangeOf<'node'>, state: ClusterState): void {
    if (before === undefined) return;
    this.#budgets.observeNode(before, after, this.#marks);
    if (after === undefined) {
      // Its tasks can't be found by it any more. Where it was not down or drained before, they were not yet seen to.
      if (!isInvalidNode(before)) for (const service of state.services()) this.#markWhole(service);
      return;
    }
    const updating = this.#updates.any || this.#looks.size > 0;
    if (!isOfInterest(before, after) && !(updating && differsForPlacement(before, after))) return;
    for (const task of state.tasksOfNode(after.id)) {
      if (task.slot === 0 || this.#lookAgainAt(task, state) || isTerminal(task.status.state)) continue;
      this.#marks.slot(task.serviceId, task.slot);
    }
  }

  /** @param slotsDiffer A look that is going on has seen what is out of date now. */
  #markWhole(service: Service | undefined, slotsDiffer = true): void {
    if (service?.spec.mode !== 'replicated') return;
    this.#marks.whole(service.id);
    this.#rest.delete(service.id);
    const look = this.#looks.get(service.id);
    if (look && slotsDiffer) look.stale = true;
  }

  /** Where a look at the whole service is going on, it takes in what changed of a slot. */
  #lookAgainAt(task: Task, state: ClusterState): boolean {
    const look = this.#looks.get(task.serviceId);
    const service = look && state.service(task.serviceId);
    if (service) look.lookAgainAt(task.slot, service, state);
    return look !== undefined;
  }

  /** Does what is marked of a service, as far as the transaction has room; the rest stays marked. */
  #attend(service: Service, deciding: Deciding): void {
    const { id } = service;
    const { wishes } = deciding;
    const mark = this.#marks.take(id);
    if (mark.whole && !this.#lookAtAll(service, deciding)) {
      this.#marks.whole(id);
      return;
    }
    const rest = this.#rest.get(id);
    for (const key of mark.slots) {
      if (wishes.full) break;
      mark.slots.delete(key);
      if (!rest?.surplus.has(key)) this.#tend(service, key, deciding);
    }
    if (mark.slots.size > 0) this.#marks.putBack(id, { whole: false, slots: mark.slots });
    if (rest && this.#doRest(service, rest, deciding)) {
      this.#rest.delete(id);
      // An update does not watch what is gone: how far it is without that, is seen once it is in the state.
      if (rest.isShrinking && this.#updates.isUpdating(id)) this.#again.add(id);
    }
    if (this.#again.has(id)) return;
    if (wishes.full) {
      // Without a slot to look at, the mark still brings the loop back to this service.
      if (this.#rest.has(id) || this.#updates.isUpdating(id)) this.#marks.slot(id, 0);
      return;
    }
    this.#updateWakes.set(id, goOnUpdating(service, this.#updates, this.#marks, deciding));
  }

  /**
   * Looks at every slot: what scaling, updating and tending have to do.
   *
   * @returns whether it is done. If not, it takes more turns.
   */
  #lookAtAll(service: Service, { state, context }: Deciding): boolean {
    const { id } = service;
    const look = this.#looks.get(id) ?? new ServiceLook();
    this.#looked += look.goOn(service, state, this.#slotsPerTurn - this.#looked, timeOfDelays(context));
    if (!look.done) {
      this.#looks.set(id, look);
      return false;
    }
    this.#looks.delete(id);
    const { missing, surplus, tend, standings } = look.finish(service.spec.replicas ?? 1);
    this.#rest.set(id, { tend, missing, filled: 0, surplus, isShrinking: surplus.size > 0 });
    if (look.stale) {
      this.#updates.drop(id);
      this.#again.add(id);
    } else {
      this.#updates.begin(id, standings, isUnderWay(service.updateStatus));
    }
    return true;
  }

  /** Goes on with what a look at the whole service left to do. @returns whether all is done. */
  #doRest(service: Service, rest: Rest, deciding: Deciding): boolean {
    const { tend, surplus, missing } = rest;
    const { state, context, wishes } = deciding;
    for (let key = tend.first(); key !== undefined && !wishes.full; key = tend.first()) {
      tend.delete(key);
      this.#tend(service, key, deciding);
    }
    for (let key = surplus.first(); key !== undefined && !wishes.full; key = surplus.first()) {
      surplus.delete(key);
      for (const task of state.slot(service.id, key)) {
        if (task.desiredState !== 'remove') wishes.remove(task.id);
      }
    }
    for (; rest.filled < missing.length && !wishes.full; rest.filled++) {
      const number = missing[rest.filled] ?? 0;
      const slot = slotOf(state.slot(service.id, number));
      if (isOccupied(slot)) continue;
      const row = slot.newest ? replacementOf(slot.newest, slot.tasks, state, context.at) : { slot: number };
      wishes.create(service.id, withId(row, context), specFor(service));
    }
    return tend.size === 0 && surplus.size === 0 && rest.filled === missing.length;
  }

  #tend(service: Service, key: number, deciding: Deciding): void {
    const { state } = deciding;
    const slot = slotOf(state.slot(service.id, key));
    const { live } = slot;
    const tended = tendSlot(service, slot, deciding);
    const { at } = deciding.context;
    if (tended.again) this.#again.add(service.id);
    if (live) this.#wakes.set(live.id, earliest(tended.lookAgainAt, delayAfter(service, live, at)));
    if (!this.#updates.isUpdating(service.id)) return;
    // A slot that is being changed is looked at again when the change is there; until then it is not to be replaced.
    const standing = tended.changed
      ? 'changing'
      : updateStanding(service, slot, state, timeOfDelays(deciding.context));
    this.#updates.note(service.id, key, standing, runningSinceOf(service, slot));
  }
}

/** The node became one that tasks must leave, or one that can't be waited for, or is such no more. */
function isOfInterest(before: Node, after: Node): boolean {
  return (
    isInvalidNode(before) !== isInvalidNode(after) ||
    isGoneNode(before) !== isGoneNode(after) ||
    differsForLeaving(before, after)
  );
}

/** Something changed that constraints may look at. */
function differsForPlacement(before: Node, after: Node): boolean {
  return (
    before.spec !== after.spec ||
    before.description !== after.description ||
    before.status.address !== after.status.address
  );
}
