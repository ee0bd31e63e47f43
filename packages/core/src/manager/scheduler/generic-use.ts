/**
 * What is taken of generic resources (GPUs, licences) on one node: amounts of those that are all alike, and names of
 * those that are told apart. What the node offers is not kept here, so that a node may change what it offers at any
 * time without the books going wrong: what is free is worked out from both.
 */

import type { AssignedGeneric, GenericResource } from '../../model/resources.ts';

/** Amounts of generic resources that a task asks for. */
export type GenericNeeds = readonly (readonly [name: string, amount: number])[];

/** What is taken on one node. */
export class GenericUse {
  readonly #amounts = new Map<string, number>();
  readonly #names = new Map<string, Map<string, number>>();

  /** True when nothing is taken. */
  get empty(): boolean {
    return this.#amounts.size === 0 && this.#names.size === 0;
  }

  /** Books what a task took, or with `sign` -1 gives it back. */
  book(needs: GenericNeeds, assigned: AssignedGeneric | undefined, sign: 1 | -1): void {
    for (const [name, amount] of needs) addTo(this.#amounts, name, sign * amount);
    for (const [resource, taken] of Object.entries(assigned ?? {})) {
      const names = this.#names.get(resource) ?? new Map<string, number>();
      for (const name of taken) addTo(names, name, sign);
      if (names.size === 0) this.#names.delete(resource);
      else this.#names.set(resource, names);
    }
  }

  /** How much of a resource is taken. */
  amount(resource: string): number {
    return this.#amounts.get(resource) ?? 0;
  }

  /** True when this one of a named resource is taken. */
  isTaken(resource: string, name: string): boolean {
    return this.#names.get(resource)?.has(name) ?? false;
  }
}

/** The resource that a node offers under this name. */
export function offered(
  offer: Readonly<Record<string, GenericResource>>,
  resource: string,
): GenericResource | undefined {
  return Object.hasOwn(offer, resource) ? offer[resource] : undefined;
}

/** The names that are free of a named resource, in the node's order. */
export function freeNames(
  names: readonly string[],
  resource: string,
  uses: readonly (GenericUse | undefined)[],
): string[] {
  return names.filter((name) => uses.every((use) => use === undefined || !use.isTaken(resource, name)));
}

/** How much is free of a resource. */
export function freeAmount(
  offer: GenericResource | undefined,
  resource: string,
  uses: readonly (GenericUse | undefined)[],
): number {
  if (offer === undefined) return 0;
  if (typeof offer !== 'number') return freeNames(offer, resource, uses).length;
  return uses.reduce((free, use) => free - (use?.amount(resource) ?? 0), offer);
}

function addTo(counts: Map<string, number>, key: string, delta: number): void {
  const count = (counts.get(key) ?? 0) + delta;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
