/** Placing tasks whose volumes live on a node: there, or nowhere. */

import type { AssignedGeneric } from '../../model/resources.ts';
import { compileFilters } from './filters.ts';
import { namesFor } from './names-for.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import type { Placement, PlacementRequest } from './placement-request.ts';
import type { VolumeHomes } from './requirements.ts';
import { FIT } from './verdicts.ts';

/** Places as many tasks as the node takes. */
export function placeAtHome(
  { nodes: homes, verdict: elsewhere }: VolumeHomes,
  { service, requirements, count }: PlacementRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
): Placement {
  const tasksOn = (slot: number) =>
    service.active.get(slot) + (overlay.serviceCounts(service)?.get(slot) ?? 0);
  const filter = compileFilters(requirements, index, overlay, tasksOn, service);
  const [home] = homes;
  const slot = home === undefined || homes.length > 1 ? -1 : index.nodes.slotOf(home);
  const slots = new Int32Array(count).fill(slot);
  const generic: (AssignedGeneric | undefined)[] = [];
  const serviceTasks = slot === -1 ? 0 : tasksOn(slot);
  const tasks = slot === -1 ? 0 : (index.nodes.active[slot] as number) + (overlay.added[slot] as number);
  let placed = 0;
  let verdict = slot === -1 ? elsewhere : filter(slot);
  for (; placed < count && verdict === FIT; placed++) {
    const names = namesFor(requirements, index, overlay, slot);
    if (names !== undefined) generic[placed] = names;
    overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
    verdict = filter(slot);
  }
  const rejected = new Uint32Array(requirements.causes.length);
  rejected[elsewhere] = index.nodes.size - (slot === -1 ? 0 : 1);
  if (slot !== -1 && verdict !== FIT) rejected[verdict] = 1;
  const candidates =
    placed === 0 || home === undefined ? [] : [{ nodeId: home, failures: 0, serviceTasks, tasks }];
  return { placed, slots, generic, nodes: index.nodes.size, rejected, candidates };
}
