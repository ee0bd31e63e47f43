/** The best few of the nodes that are fit, kept while all are looked at: what is told of a choice beside the choice. */

import { CANDIDATES_MAX, type PlacementCandidate } from '../../model/placement.ts';
import { isBefore, type NodeOrder } from './node-order.ts';
import type { PlacementIndex } from './placement-index.ts';

/** The best {@link CANDIDATES_MAX} nodes of those that were offered. */
export class BestFew {
  readonly #order: NodeOrder;
  readonly #slots: number[] = [];

  constructor(order: NodeOrder) {
    this.#order = order;
  }

  /** Takes a node into account. Its key must not change from here on until {@link tell}. */
  offer(slot: number): void {
    const slots = this.#slots;
    let at = slots.length;
    if (at === CANDIDATES_MAX) {
      if (!isBefore(this.#order, slot, slots[at - 1] as number)) return;
      at -= 1;
    }
    for (; at > 0 && isBefore(this.#order, slot, slots[at - 1] as number); at--)
      slots[at] = slots[at - 1] as number;
    slots[at] = slot;
  }

  /** The best nodes, best first. The chosen one leads: spread preferences may prefer a branch to a node. */
  tell(
    chosen: number,
    { nodes }: PlacementIndex,
    scores: (slot: number) => Omit<PlacementCandidate, 'nodeId'>,
  ): PlacementCandidate[] {
    const others = this.#slots.filter((slot) => slot !== chosen);
    const slots = chosen === -1 ? others : [chosen, ...others];
    return slots.slice(0, CANDIDATES_MAX).flatMap((slot) => {
      const node = nodes.nodes[slot];
      return node ? [{ nodeId: node.id, ...scores(slot) }] : [];
    });
  }
}
