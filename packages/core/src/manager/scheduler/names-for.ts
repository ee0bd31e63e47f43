/** Which of a node's named resources a task gets. */

import type { AssignedGeneric } from '../../model/resources.ts';
import { freeNames, offered } from './generic-use.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import type { Requirements } from './requirements.ts';

/** The named resources that one more task on this node gets: the first that are free, in the node's order. */
export function namesFor(
  requirements: Requirements,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  slot: number,
): AssignedGeneric | undefined {
  const offer = index.nodes.nodes[slot]?.description.resources.generic ?? {};
  const assigned: Record<string, readonly string[]> = {};
  for (const [name, amount] of requirements.needs.generic) {
    const resource = offered(offer, name);
    if (resource === undefined || typeof resource === 'number') continue;
    const uses = [index.nodes.genericUse(slot), overlay.genericUse(slot)];
    assigned[name] = freeNames(resource, name, uses).slice(0, amount);
  }
  return Object.keys(assigned).length === 0 ? undefined : assigned;
}
