/** What is free of a generic resource on a node. */

import { freeAmount, offered } from './generic-use.ts';
import type { NodeTable } from './node-table.ts';
import type { PlacementOverlay } from './placement-overlay.ts';

/** How much of a generic resource is free on a node, what is decided included. */
export function freeGeneric(nodes: NodeTable, overlay: PlacementOverlay, slot: number, name: string): number {
  const offer = nodes.nodes[slot]?.description.resources.generic ?? {};
  return freeAmount(offered(offer, name), name, [nodes.genericUse(slot), overlay.genericUse(slot)]);
}
