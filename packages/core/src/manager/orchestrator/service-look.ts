/**
 * A look at every slot of a replicated service, made in slices: a service of a million tasks must not hold up a
 * heartbeat. It stands between the replicated orchestrator and the slots that it decides about.
 *
 * What changes between two slices in a slot that was looked at is folded in at once, so that a look that is done says
 * what one in a single go would say, and is done after as many slices as the service has, whatever happens meanwhile.
 */

import type { Service, Task } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type NodeLookup, rememberingNodes } from './node-validity.ts';
import { OccupiedSlots } from './occupied-slots.ts';
import { reconcileReplicas } from './reconcile-replicas.ts';
import { isOccupied, needsTending, updateStanding } from './slot.ts';
import { SlotSet } from './slot-set.ts';
import { slotOf } from './slot-tasks.ts';
import { isOfUpdate } from './updater/update-failure.ts';
import type { FoundStandings } from './updater/update-progress.ts';

/** What a look at a whole service comes to. Slots that are to go stand in `surplus` alone. */
interface Findings {
  /** Slots to fill, ascending. */
  readonly missing: Int32Array;
  /** Slots that are to go. */
  readonly surplus: SlotSet;
  /** Slots that want tending. */
  readonly tend: SlotSet;
  /** Where the slots stand towards an update of the service. */
  readonly standings: FoundStandings;
}

/** A look that is going on. */
export class ServiceLook {
  /**
   * Something changed that every slot may have to be looked at for again, after this look: where the slots stand
   * towards an update is out of date. What it says of their number is not.
   */
  stale = false;
  readonly #occupied = new OccupiedSlots();
  /** Slots that hold nothing but what ended or is about to. */
  readonly #dead = new SlotSet();
  readonly #tend = new SlotSet();
  readonly #outdated = new SlotSet();
  readonly #inFlux = new SlotSet();
  #lastRunningAt = 0;
  #at = 0;
  #next = 0;
  #done = false;

  /** Every slot has been looked at. */
  get done(): boolean {
    return this.#done;
  }

  /** Looks at so many further slots at most, by a time as `timeOfDelays` tells it; returns how many it were. */
  goOn(service: Service, state: ClusterState, most: number, at: number): number {
    this.#at = at;
    const nodes = rememberingNodes(state);
    let looked = 0;
    for (const [key, tasks] of state.slots(service.id, this.#next)) {
      if (looked === most) return looked;
      this.#note(service, key, tasks, nodes, at);
      this.#next = key + 1;
      looked++;
    }
    this.#done = true;
    return looked;
  }

  /** Something changed in this slot, or on the node of its tasks. */
  lookAgainAt(key: number, service: Service, state: ClusterState): void {
    if (key >= this.#next) return;
    this.#occupied.clear(key);
    for (const noted of [this.#dead, this.#tend, this.#outdated, this.#inFlux]) noted.delete(key);
    this.#note(service, key, state.slot(service.id, key), state, Math.max(this.#at, state.at));
  }

  /** What is to be done for this many replicas. Ends the look. */
  finish(replicas: number): Findings {
    const { missing, surplus } = reconcileReplicas(replicas, this.#occupied);
    const last = missing.at(-1) ?? 0;
    for (const key of this.#dead) if (key > last) surplus.add(key);
    for (const noted of [this.#tend, this.#outdated, this.#inFlux]) noted.deleteAll(surplus);
    return {
      missing,
      surplus,
      tend: this.#tend,
      standings: {
        outdated: this.#outdated,
        inFlux: this.#inFlux,
        lastRunningAt: this.#lastRunningAt,
      },
    };
  }

  #note(service: Service, key: number, tasks: readonly Task[], nodes: NodeLookup, at: number): void {
    const slot = slotOf(tasks);
    if (!isOccupied(slot)) {
      if (slot.tasks.length > 0) this.#dead.add(key);
      return;
    }
    const task = slot.live ?? slot.newest;
    this.#occupied.set({ slot: key, running: task?.status.state === 'running', nodeId: task?.nodeId });
    if (needsTending(slot.tasks, nodes)) this.#tend.add(key);
    const standing = updateStanding(service, slot, nodes, at);
    if (standing === 'outdated') this.#outdated.add(key);
    if (!task || !isOfUpdate(service, task)) return;
    this.#lastRunningAt = Math.max(this.#lastRunningAt, task.runningSince ?? 0);
    if (standing !== 'inFlux') return;
    this.#inFlux.add(key);
    // One that runs is in flux for a time, which tending it asks to be woken at.
    if (task.status.state === 'running') this.#tend.add(key);
  }
}
