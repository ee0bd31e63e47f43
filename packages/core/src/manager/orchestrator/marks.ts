/** What an orchestrator has yet to look at: whole services, or single slots of them. */

import type { ServiceId } from '../../model/ids.ts';

/** What is marked of one service. */
export interface Mark {
  /** Every slot, and whether there are too few or too many. */
  whole: boolean;
  /** Single slots, by key. */
  readonly slots: Set<number>;
}

/** Marks by service, in the order in which they were made. */
export class Marks {
  readonly #services = new Map<ServiceId, Mark>();

  get size(): number {
    return this.#services.size;
  }

  clear(): void {
    this.#services.clear();
  }

  whole(id: ServiceId): void {
    const mark = this.#of(id);
    mark.whole = true;
    mark.slots.clear();
  }

  slot(id: ServiceId, key: number): void {
    const mark = this.#of(id);
    if (!mark.whole) mark.slots.add(key);
  }

  /** The first service that is marked. */
  first(): ServiceId | undefined {
    for (const id of this.#services.keys()) return id;
    return undefined;
  }

  /** Takes the marks of a service away, to be dealt with or put back. */
  take(id: ServiceId): Mark {
    const mark = this.#services.get(id) ?? { whole: false, slots: new Set() };
    this.#services.delete(id);
    return mark;
  }

  /** Puts back what was taken and not dealt with, behind what is marked of other services. */
  putBack(id: ServiceId, mark: Mark): void {
    const newer = this.#services.get(id);
    if (newer?.whole || mark.whole) {
      this.whole(id);
      return;
    }
    for (const key of newer?.slots ?? []) mark.slots.add(key);
    this.#services.delete(id);
    this.#services.set(id, mark);
  }

  #of(id: ServiceId): Mark {
    let mark = this.#services.get(id);
    if (!mark) {
      mark = { whole: false, slots: new Set() };
      this.#services.set(id, mark);
    }
    return mark;
  }
}
