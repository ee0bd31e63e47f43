/**
 * Keeps replicated services at their number of tasks: makes what is missing, takes away what is too much, replaces
 * what ended or has to leave its node, and replaces what is outdated. It stands between the specs that users write
 * and the allocator and scheduler, which it never calls.
 *
 * Cost follows the change: a failure is a matter of one slot, however large the service. Only a change of the
 * service's spec, and the start of a leadership, look at all of a service.
 */

import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { Node, Service } from '../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { Change, ChangeOf, ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { ControlLoop, DecideContext, Decision } from '../control-loop.ts';
import { Marks } from './marks.ts';
import { isGoneNode, isInvalidNode, rememberingNodes } from './node-validity.ts';
import { lastSlotFilled, type OccupiedSlot, reconcileReplicas } from './reconcile-replicas.ts';
import { replacementOf } from './restart.ts';
import { RollingUpdates } from './rolling-update.ts';
import { isOccupied, isWorthALook, needsTending, slotOf, tendSlot, updateStanding, withId } from './slot.ts';
import { goOnUpdating } from './updater.ts';
import { WakeQueue } from './wake-queue.ts';
import { type Deciding, Wishes } from './wishes.ts';

/** Name of the loop, and the actor of its transactions. */
export const REPLICATED_ORCHESTRATOR = 'orchestrator/replicated';

/** After so many slots of whole services, others get their turn before the next service. */
const SLOTS_PER_TURN = 20_000;

/** The control loop of replicated services. */
export function createReplicatedOrchestrator(): ControlLoop {
  return new ReplicatedOrchestrator();
}

/** What a look at a whole service left to do, when it was more than one transaction holds. */
interface Scaling {
  missing: number;
  /** The lowest number that may be free. */
  nextSlot: number;
  /** Slots that are to go. */
  readonly surplus: Set<number>;
}

class ReplicatedOrchestrator implements ControlLoop {
  readonly name = REPLICATED_ORCHESTRATOR;
  readonly #marks = new Marks();
  readonly #updates = new RollingUpdates();
  readonly #scaling = new Map<ServiceId, Scaling>();
  readonly #wakes = new WakeQueue<TaskId>();
  /** Slots looked at in this turn because whole services were. */
  #looked = 0;

  begin(state: ClusterState): void {
    this.#marks.clear();
    this.#updates.clear();
    this.#scaling.clear();
    this.#wakes.clear();
    for (const service of state.services()) this.#markWhole(service);
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    const own = changes.actor.kind === 'loop' && changes.actor.name === this.name;
    for (const change of changes.changes) this.#observeOne(change, own, state);
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    for (const id of this.#wakes.takeDue(context.at)) {
      const task = state.task(id);
      if (task) this.#marks.slot(task.serviceId, task.slot);
    }
    const wishes = new Wishes();
    const deciding: Deciding = { state, context, wishes };
    this.#looked = 0;
    const hasRoom = () => !wishes.full && this.#looked < SLOTS_PER_TURN;
    for (let id = this.#marks.first(); id !== undefined && hasRoom(); id = this.#marks.first()) {
      const service = state.service(id);
      if (service?.spec.mode === 'replicated') {
        this.#attend(service, deciding);
      } else {
        this.#marks.take(id);
        this.#scaling.delete(id);
        this.#updates.drop(id);
      }
    }
    const wakeAt = this.#wakes.next();
    return {
      events: wishes.events(),
      more: this.#marks.size > 0,
      ...(wakeAt === undefined ? {} : { wakeAt }),
    };
  }

  #observeOne(change: Change, own: boolean, state: ClusterState): void {
    switch (change.kind) {
      case 'service':
        if (change.after === undefined || change.before?.spec !== change.after.spec) {
          this.#markWhole(change.after ?? change.before);
        }
        return;
      case 'task':
        this.#observeTask(change, own);
        return;
      case 'node':
        this.#observeNode(change, state);
    }
  }

  #observeTask({ before, after }: ChangeOf<'task'>, own: boolean): void {
    const task = after ?? before;
    if (task === undefined || task.slot === 0) return;
    const lost = before !== undefined && isMeantToRun(before.desiredState);
    if (lost && !own && (after === undefined || !isMeantToRun(after.desiredState))) {
      this.#marks.whole(task.serviceId);
      this.#scaling.delete(task.serviceId);
    } else if (isWorthALook(before, after, this.#updates.isUpdating(task.serviceId))) {
      this.#marks.slot(task.serviceId, task.slot);
    }
  }

  #observeNode({ before, after }: ChangeOf<'node'>, state: ClusterState): void {
    if (before === undefined) return;
    if (after === undefined) {
      // Its tasks can't be found by it any more. Where it was not down or drained before, they were not yet seen to.
      if (!isInvalidNode(before)) for (const service of state.services()) this.#markWhole(service);
      return;
    }
    if (!isOfInterest(before, after) && !(this.#updates.any && differsForPlacement(before, after))) return;
    for (const task of state.tasksOfNode(after.id)) {
      if (task.slot > 0 && !isTerminal(task.status.state)) this.#marks.slot(task.serviceId, task.slot);
    }
  }

  #markWhole(service: Service | undefined): void {
    if (service?.spec.mode !== 'replicated') return;
    this.#marks.whole(service.id);
    this.#scaling.delete(service.id);
  }

  /** Does what is marked of a service, as far as the transaction has room; the rest stays marked. */
  #attend(service: Service, deciding: Deciding): void {
    const { id } = service;
    const { wishes } = deciding;
    const mark = this.#marks.take(id);
    const slots = mark.whole ? this.#lookAtAll(service, deciding.state) : mark.slots;
    const scaling = this.#scaling.get(id);
    for (const key of slots) {
      if (wishes.full) this.#marks.slot(id, key);
      else if (!scaling?.surplus.has(key)) this.#tend(service, key, deciding);
    }
    if (scaling) {
      this.#scale(service, scaling, deciding);
      if (scaling.missing === 0 && scaling.surplus.size === 0) this.#scaling.delete(id);
    }
    if (wishes.full) {
      // Without a slot to look at, the mark still brings the loop back to this service.
      if (this.#scaling.has(id) || this.#updates.isUpdating(id)) this.#marks.slot(id, 0);
      return;
    }
    goOnUpdating(service, this.#updates, this.#marks, deciding);
  }

  /** Looks at every slot: what scaling and updating have to do, and which slots want tending. */
  #lookAtAll(service: Service, state: ClusterState): Set<number> {
    const occupied: OccupiedSlot[] = [];
    const dead: number[] = [];
    const outdated: number[] = [];
    const inFlux: number[] = [];
    const tend = new Set<number>();
    const nodes = rememberingNodes(state);
    for (const [key, tasks] of state.slots(service.id)) {
      this.#looked++;
      const slot = slotOf(tasks);
      if (!isOccupied(slot)) {
        if (slot.tasks.length > 0) dead.push(key);
        continue;
      }
      const task = slot.live ?? slot.newest;
      occupied.push({ slot: key, running: task?.status.state === 'running', nodeId: task?.nodeId });
      if (needsTending(slot.tasks, nodes)) tend.add(key);
      const standing = updateStanding(service, slot, nodes);
      if (standing === 'outdated') outdated.push(key);
      else if (standing === 'inFlux') inFlux.push(key);
    }
    const { missing, surplus } = reconcileReplicas(service.spec.replicas ?? 1, occupied);
    const last = lastSlotFilled(
      missing,
      occupied.map((entry) => entry.slot),
    );
    const going = new Set([...surplus, ...dead.filter((key) => key > last)]);
    this.#scaling.set(service.id, { missing, nextSlot: 1, surplus: going });
    const stays = (key: number) => !going.has(key);
    this.#updates.begin(service.id, outdated.filter(stays), inFlux.filter(stays));
    return new Set([...tend].filter(stays));
  }

  #scale(service: Service, scaling: Scaling, { state, context, wishes }: Deciding): void {
    for (const key of scaling.surplus) {
      if (wishes.full) return;
      for (const task of state.slot(service.id, key)) {
        if (task.desiredState !== 'remove') wishes.remove(task.id);
      }
      scaling.surplus.delete(key);
    }
    for (; scaling.missing > 0 && !wishes.full; scaling.nextSlot++) {
      const slot = slotOf(state.slot(service.id, scaling.nextSlot));
      if (isOccupied(slot)) continue;
      const row = slot.newest
        ? replacementOf(slot.newest, slot.tasks, state, context.at)
        : { slot: scaling.nextSlot };
      wishes.create(service.id, withId(row, context));
      scaling.missing--;
    }
  }

  #tend(service: Service, key: number, deciding: Deciding): void {
    const { state } = deciding;
    const slot = slotOf(state.slot(service.id, key));
    const tended = tendSlot(service, slot, deciding);
    if (slot.live) this.#wakes.set(slot.live.id, tended.lookAgainAt);
    if (!this.#updates.isUpdating(service.id)) return;
    // A slot that is being changed is looked at again when the change is there; until then it is not to be replaced.
    this.#updates.note(service.id, key, tended.changed ? 'changing' : updateStanding(service, slot, state));
  }
}

/** The node became one that tasks must leave, or one that can't be waited for, or is such no more. */
function isOfInterest(before: Node, after: Node): boolean {
  return isInvalidNode(before) !== isInvalidNode(after) || isGoneNode(before) !== isGoneNode(after);
}

/** Something changed that constraints may look at. */
function differsForPlacement(before: Node, after: Node): boolean {
  return (
    before.spec !== after.spec ||
    before.description !== after.description ||
    before.status.address !== after.status.address
  );
}
