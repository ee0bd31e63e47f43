/**
 * Which slots of which services are being updated: an index over the slots that differ from their service's spec,
 * folded from the same changes as the state, so that going on with an update costs what changed and not the service.
 *
 * Slots are replaced stop-first, so many in flux at a time. A slot whose new task does not come to run stays in flux:
 * the update waits rather than break the rest. A further update supersedes.
 */

import type { ServiceId } from '../../model/ids.ts';
import type { UpdateStanding } from './slot.ts';
import { SlotSet } from './slot-set.ts';

interface Standing {
  readonly outdated: SlotSet;
  readonly inFlux: SlotSet;
  /** Slots for which something is wished that is not in the state yet: they are noted again when it is. */
  readonly changing: SlotSet;
}

/** The updates that are going on. Slots are known by their keys. */
export class RollingUpdates {
  readonly #services = new Map<ServiceId, Standing>();

  clear(): void {
    this.#services.clear();
  }

  /** Forgets the service's update, if there is one. */
  drop(id: ServiceId): void {
    this.#services.delete(id);
  }

  /** There are slots of this service left to replace. */
  isUpdating(id: ServiceId): boolean {
    return this.#services.has(id);
  }

  get any(): boolean {
    return this.#services.size > 0;
  }

  /**
   * Starts from all slots that are not settled. A service without an outdated slot has no update. The sets go on to
   * be written to here.
   */
  begin(id: ServiceId, outdated: SlotSet, inFlux: SlotSet): void {
    if (outdated.size > 0) this.#services.set(id, { outdated, inFlux, changing: new SlotSet() });
    else this.#services.delete(id);
  }

  /** Notes where one slot stands now; `changing`, if that is known only when what is wished for it has happened. */
  note(id: ServiceId, key: number, standing: UpdateStanding | 'changing'): void {
    const service = this.#services.get(id);
    if (!service) return;
    for (const is of ['outdated', 'inFlux', 'changing'] as const) {
      if (is === standing) service[is].add(key);
      else service[is].delete(key);
    }
    if (service.outdated.size === 0 && service.changing.size === 0) this.#services.delete(id);
  }

  /** The next slot that may be replaced now, with so many at a time; 0 = all. */
  next(id: ServiceId, parallelism: number): number | undefined {
    const service = this.#services.get(id);
    if (!service || (parallelism > 0 && service.inFlux.size + service.changing.size >= parallelism))
      return undefined;
    return service.outdated.first();
  }
}
