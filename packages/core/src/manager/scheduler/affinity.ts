/** Rules of affinity as placing looks at them: whether a node keeps a rule, by counts that are there already. */

import type { Affinity, CountedRule } from './counted-rules.ts';
import type { NodeTable } from './node-table.ts';
import type { PlacementOverlay } from './placement-overlay.ts';

/** Tasks that a rule is about, in the place of a node, what is decided included. -1: the node is in no place. */
export function tasksNear(
  { counts }: CountedRule,
  slot: number,
  { nodes }: NodeTable,
  overlay: PlacementOverlay,
): number {
  const place = counts.places.of(slot, nodes[slot]);
  return place === 0 ? -1 : counts.in(place) + overlay.countedIn(counts, place);
}

/**
 * Whether the node in a slot keeps a rule. A service that wants to be near to its own tasks may begin anywhere, or it
 * never could.
 */
export function keepsRule(
  rule: CountedRule,
  slot: number,
  nodes: NodeTable,
  overlay: PlacementOverlay,
): boolean {
  const near = tasksNear(rule, slot, nodes, overlay);
  if (rule.kind === 'antiAffinity') return near <= 0;
  return near > 0 || (near === 0 && rule.isSelf && rule.counts.total + overlay.countedIn(rule.counts) === 0);
}

/** Preferred rules that a node breaks. */
export function brokenPreferences(
  { preferred }: Affinity,
  slot: number,
  nodes: NodeTable,
  overlay: PlacementOverlay,
): number {
  let broken = 0;
  for (const rule of preferred) if (!keepsRule(rule, slot, nodes, overlay)) broken += 1;
  return broken;
}
