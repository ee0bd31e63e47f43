/** Which addresses of one subnet are taken. */

import {
  type AddressFamily,
  formatAddress,
  parseAddress,
  parseSubnet,
  type Subnet,
  subnetSize,
} from '../../model/address.ts';
import type { NetworkSubnet } from '../../model/network.ts';

/** Addresses of a range that are counted in: of a larger one, only the first are given. */
const ADDRESSES_MAX = 2n ** 32n;

/**
 * The addresses of one subnet. They are given in turn rather than lowest first, so that one that was freed stays unused
 * for as long as possible: whoever remembers it then finds nobody there, rather than somebody else.
 */
export class AddressSpace {
  readonly family: AddressFamily;
  /** The first address of the range. */
  readonly #base: bigint;
  readonly #size: number;
  /** Places in the range, counted from its first address. */
  readonly #taken = new Set<number>();
  /** Places that nobody gets: the subnet's own address, its broadcast address, the gateway. */
  readonly #reserved = new Set<number>();
  #next = 0;

  /** @throws RangeError if the subnet can't be read */
  constructor({ subnet: text, range: rangeText, gateway }: NetworkSubnet) {
    const subnet = read(text);
    const range = rangeText === undefined ? subnet : read(rangeText);
    this.family = subnet.family;
    this.#base = range.first;
    const size = subnetSize(range);
    this.#size = Number(size < ADDRESSES_MAX ? size : ADDRESSES_MAX);
    this.#reserve(subnet.first);
    if (subnet.family === 4) this.#reserve(subnet.first + subnetSize(subnet) - 1n);
    const kept = parseAddress(gateway);
    if (kept?.family === this.family) this.#reserve(kept.value);
  }

  /** How many may still be taken. */
  get free(): number {
    return this.#size - this.#reserved.size - this.#taken.size;
  }

  /** Takes the next free address. `undefined`: none is left. */
  take(): string | undefined {
    if (this.free <= 0) return undefined;
    for (;;) {
      const place = this.#next;
      this.#next = place + 1 < this.#size ? place + 1 : 0;
      if (this.#taken.has(place) || this.#reserved.has(place)) continue;
      this.#taken.add(place);
      return formatAddress({ family: this.family, value: this.#base + BigInt(place) });
    }
  }

  /** Takes this address. @returns false if it is taken, or none that is given here. */
  claim(address: string): boolean {
    const place = this.#placeOf(address);
    if (place === undefined || this.#taken.has(place) || this.#reserved.has(place)) return false;
    this.#taken.add(place);
    if (place >= this.#next) this.#next = place + 1 < this.#size ? place + 1 : 0;
    return true;
  }

  /** Gives an address back. @returns false if it was not taken. */
  release(address: string): boolean {
    const place = this.#placeOf(address);
    return place !== undefined && this.#taken.delete(place);
  }

  /** All that are taken. */
  *taken(): Generator<string, undefined, undefined> {
    for (const place of this.#taken)
      yield formatAddress({ family: this.family, value: this.#base + BigInt(place) });
  }

  #placeOf(text: string): number | undefined {
    const address = parseAddress(text);
    if (address?.family !== this.family) return undefined;
    const place = address.value - this.#base;
    return place >= 0n && place < BigInt(this.#size) ? Number(place) : undefined;
  }

  #reserve(value: bigint): void {
    const place = value - this.#base;
    if (place >= 0n && place < BigInt(this.#size)) this.#reserved.add(Number(place));
  }
}

function read(text: string): Subnet {
  const subnet = parseSubnet(text);
  if (!subnet) throw new RangeError(`'${text}' is no subnet`);
  return subnet;
}
