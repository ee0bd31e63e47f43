/** What was reached, and with how little: nothing is searched twice. */

import { isSubset } from './bit-set.ts';

/**
 * Remembers, by a key, the sets of optional operations that were used up to get there. To be there again with all of one
 * of those sets used, or more, leads to nothing that was not possible then.
 */
export class LeastUsed {
  readonly #sets = new Map<string, readonly Uint32Array[]>();

  /** True if that is new; it is remembered. */
  add(key: string, used: Uint32Array): boolean {
    const sets = this.#sets.get(key);
    if (sets?.some((before) => isSubset(before, used)) === true) return false;
    this.#sets.set(key, [...(sets ?? []).filter((before) => !isSubset(used, before)), used]);
    return true;
  }
}
