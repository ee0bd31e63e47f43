/**
 * Which addresses of all networks are taken: an index over what services, tasks and nodes hold. So what is freed is what
 * nobody holds any more, whatever the reason, and there is no second account that could drift.
 */

import type { NetworkId } from '../../model/ids.ts';
import type { Network, NetworkAttachment } from '../../model/objects.ts';
import { AddressSpace } from './address-space.ts';

type Attachments = readonly NetworkAttachment[] | undefined;

/** What came of asking for places in networks: all of them, or the one that has none. */
type Places =
  | { readonly attachments: readonly NetworkAttachment[] }
  | { readonly lack: NetworkId; readonly reason: 'no-subnet' | 'full' };

/** The addresses of all networks. */
export class AddressBook {
  readonly #networks = new Map<NetworkId, readonly AddressSpace[]>();
  /** Networks in which an address was freed since {@link takeFreed}. */
  readonly #freed = new Set<NetworkId>();

  clear(): void {
    this.#networks.clear();
    this.#freed.clear();
  }

  /** Notes that a network has subnets now, or is gone. */
  note(before: Network | undefined, after: Network | undefined): void {
    if (before?.allocation === after?.allocation) return;
    const network = after ?? before;
    if (!network) return;
    const { allocation } = after ?? {};
    this.#freed.add(network.id);
    if (allocation) {
      this.#networks.set(
        network.id,
        allocation.subnets.map((subnet) => new AddressSpace(subnet)),
      );
    } else this.#networks.delete(network.id);
  }

  /** Notes that what something holds is now something else. */
  move(before: Attachments, after: Attachments): void {
    if (before === after) return;
    const kept = new Set((after ?? []).map(keyOf));
    for (const attachment of before ?? []) if (!kept.has(keyOf(attachment))) this.release([attachment]);
    for (const { networkId, addresses } of after ?? []) {
      const spaces = this.#networks.get(networkId) ?? [];
      for (const address of addresses) spaces.some((space) => space.claim(address));
    }
  }

  /**
   * Takes a place in each of these networks, at once, so that whoever asks next gets another. All or none.
   *
   * @param wanted Places that are taken where they are free.
   */
  allocate(networkIds: Iterable<NetworkId>, wanted: readonly NetworkAttachment[] = []): Places {
    const attachments: NetworkAttachment[] = [];
    for (const networkId of networkIds) {
      const spaces = this.#networks.get(networkId);
      const place = spaces && this.#place(networkId, spaces, wanted);
      if (!place) {
        this.release(attachments);
        return { lack: networkId, reason: spaces ? 'full' : 'no-subnet' };
      }
      attachments.push(place);
    }
    return { attachments };
  }

  /** Gives places back. */
  release(attachments: readonly NetworkAttachment[]): void {
    for (const { networkId, addresses } of attachments) {
      const spaces = this.#networks.get(networkId) ?? [];
      for (const address of addresses)
        if (spaces.some((space) => space.release(address))) this.#freed.add(networkId);
    }
  }

  /** How many more places a network has. */
  free(networkId: NetworkId): number {
    const spaces = this.#networks.get(networkId) ?? [];
    return spaces.length === 0 ? 0 : Math.min(...spaces.map(({ free }) => free));
  }

  /** Networks in which an address was freed since this was asked last. */
  takeFreed(): readonly NetworkId[] {
    const freed = [...this.#freed];
    this.#freed.clear();
    return freed;
  }

  /** All that is taken, as `NETWORK ADDRESS`: what tests hold against what objects have. */
  *taken(): Generator<string, undefined, undefined> {
    for (const [id, spaces] of this.#networks)
      for (const space of spaces) for (const address of space.taken()) yield `${id} ${address}`;
  }

  #place(
    networkId: NetworkId,
    spaces: readonly AddressSpace[],
    wanted: readonly NetworkAttachment[],
  ): NetworkAttachment | undefined {
    const before = wanted.find((each) => each.networkId === networkId)?.addresses ?? [];
    const addresses: string[] = [];
    for (const space of spaces) {
      const address = before.find((each) => space.claim(each)) ?? space.take();
      if (address === undefined) {
        this.release([{ networkId, addresses }]);
        return undefined;
      }
      addresses.push(address);
    }
    return { networkId, addresses };
  }
}

function keyOf({ networkId, addresses }: NetworkAttachment): string {
  return `${networkId} ${addresses.join(' ')}`;
}
