/**
 * Which slots of which services are being updated: an index over the slots that differ from their service's spec,
 * folded from the same changes as the state, so that going on with an update costs what changed and not the service.
 */

import type { ServiceId } from '../../../model/ids.ts';
import type { UpdateStanding } from '../slot.ts';
import { SlotSet } from '../slot-set.ts';

interface Standing {
  readonly outdated: SlotSet;
  readonly inFlux: SlotSet;
  /** Slots for which something is wished that is not in the state yet: they are noted again when it is. */
  readonly changing: SlotSet;
  /** When the last of the new tasks came to run; milliseconds since 1970, 0: none has. */
  lastRunningAt: number;
}

/** What a look at a service's slots found. The sets go on to be written to. */
export interface FoundStandings {
  readonly outdated: SlotSet;
  readonly inFlux: SlotSet;
  /** As in {@link UpdateProgress.lastRunningAt}. */
  readonly lastRunningAt: number;
}

/** The updates that are going on, or are watched still. Slots are known by their keys. */
export class UpdateProgress {
  readonly #services = new Map<ServiceId, Standing>();

  clear(): void {
    this.#services.clear();
  }

  /** Forgets the service's update, if there is one. */
  drop(id: ServiceId): void {
    this.#services.delete(id);
  }

  /** There are slots of this service left to replace or to watch. */
  isUpdating(id: ServiceId): boolean {
    return this.#services.has(id);
  }

  get any(): boolean {
    return this.#services.size > 0;
  }

  /**
   * Starts from all slots that are not settled.
   *
   * @param isUnderWay - the service's status says that an update goes on, whatever is left of it.
   */
  begin(id: ServiceId, { outdated, inFlux, lastRunningAt }: FoundStandings, isUnderWay: boolean): void {
    if (outdated.size > 0 || isUnderWay)
      this.#services.set(id, { outdated, inFlux, changing: new SlotSet(), lastRunningAt });
    else this.#services.delete(id);
  }

  /**
   * Notes where one slot stands now; `changing`, if that is known only when what is wished for it has happened.
   *
   * @param runningSince - when its new task came to run, if it did.
   */
  note(id: ServiceId, key: number, standing: UpdateStanding | 'changing', runningSince = 0): void {
    const service = this.#services.get(id);
    if (!service) return;
    for (const is of ['outdated', 'inFlux', 'changing'] as const) {
      if (is === standing) service[is].add(key);
      else service[is].delete(key);
    }
    service.lastRunningAt = Math.max(service.lastRunningAt, runningSince);
  }

  /** The next slot that may be replaced now, with so many at a time; 0 = all. */
  next(id: ServiceId, parallelism: number): number | undefined {
    const service = this.#services.get(id);
    if (!service || (parallelism > 0 && service.inFlux.size + service.changing.size >= parallelism))
      return undefined;
    return service.outdated.first();
  }

  /** Slots left to replace. */
  outdated(id: ServiceId): number {
    return this.#services.get(id)?.outdated.size ?? 0;
  }

  /** Slots that are being replaced. */
  underWay(id: ServiceId): number {
    const service = this.#services.get(id);
    return service ? service.inFlux.size + service.changing.size : 0;
  }

  /** It is not known yet where some slots stand. */
  isChanging(id: ServiceId): boolean {
    return (this.#services.get(id)?.changing.size ?? 0) > 0;
  }

  /** When the last of the new tasks came to run; milliseconds since 1970, 0: none has. */
  lastRunningAt(id: ServiceId): number {
    return this.#services.get(id)?.lastRunningAt ?? 0;
  }
}
