/**
 * Virtual addresses out of a node's loopback range, which need no privileges: Linux answers on all of 127.0.0.0/8. They
 * mean something on this node alone, so each node gives its own.
 */

import { score } from '../balancer/rendezvous.ts';

/** The third byte runs from here: below are the node itself and what else is at fixed places. */
const FIRST = 64;
const LAST = 254;
const PER_BLOCK = 254;
const COUNT = (LAST - FIRST + 1) * PER_BLOCK;

/** Gives addresses by name. The same name gets the same address, also after a restart, unless another has it by then. */
export class LoopbackAddresses {
  readonly #range: string;
  readonly #byName = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** @param range the first two bytes: `127.5` */
  constructor(range: string) {
    this.#range = range;
  }

  /** Undefined: all 48,514 are given. */
  give(name: string): string | undefined {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#taken.size >= COUNT) return undefined;
    const start = score(this.#range, name) % COUNT;
    for (let step = 0; step < COUNT; step++) {
      const at = (start + step) % COUNT;
      const address = `${this.#range}.${FIRST + Math.floor(at / PER_BLOCK)}.${1 + (at % PER_BLOCK)}`;
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      this.#byName.set(name, address);
      return address;
    }
    return undefined;
  }

  of(name: string): string | undefined {
    return this.#byName.get(name);
  }

  free(name: string): void {
    const address = this.#byName.get(name);
    if (address === undefined) return;
    this.#byName.delete(name);
    this.#taken.delete(address);
  }
}

/** The range of a node: that of its own address, where that is a loopback one; else one for its id. */
export function loopbackRange({ id, address }: { readonly id: string; readonly address: string }): string {
  const [, own] = /^127\.(\d+)\.\d+\.\d+$/.exec(address) ?? [];
  // 127.0.0.1 is everybody's, and 127.0.0.53 is often the resolver's.
  const second = own === undefined || own === '0' ? 1 + (score('range', id) % 254) : Number(own);
  return `127.${second}`;
}
