/**
 * Where room is made for tasks that fit nowhere: the nodes on which it costs least, by whom it costs. Nodes are put in
 * order by numbers that are kept, so that the tasks of a node are looked at only where its turn comes; and once enough
 * nodes would do, no others are looked at, as Kubernetes has it.
 */

import type { TaskId } from '../../../model/ids.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { compileFilters } from '../filters.ts';
import type { PlacementIndex } from '../placement-index.ts';
import type { PlacementOverlay } from '../placement-overlay.ts';
import { type Needs, type Requirements, toNanoCpus } from '../requirements.ts';
import type { ServiceEntry } from '../service-entry.ts';
import { FIT } from '../verdicts.ts';
import { compareCosts, costOf, type VictimsCost } from './choose-victims.ts';
import { keptCpus, keptMemory } from './kept-room.ts';
import type { Nominee } from './nominations.ts';
import type { PreemptionBudgets } from './preemption-budgets.ts';
import { type Sight, type Victim, victimsOn } from './victims-on-node.ts';

/** So many nodes that would do are compared with each other. */
const COMPARED_MAX = 128;

/** Tasks of one kind that fit nowhere. */
export interface RoomRequest {
  readonly service: ServiceEntry;
  readonly requirements: Requirements;
  readonly tasks: readonly { readonly id: TaskId; readonly row: number }[];
  /** Only the node in this slot will do. */
  readonly only?: number;
}

/** Room for one task. */
export interface FoundRoom {
  readonly id: TaskId;
  readonly slot: number;
  readonly victims: readonly Victim[];
}

/** A node on which room could be made. */
interface Site {
  readonly slot: number;
  /** No lower than this is the highest priority that has to go. */
  readonly level: number;
  /** The largest part of what is needed that is not free there. */
  readonly shortage: number;
}

interface Offer {
  readonly site: Site;
  readonly victims: readonly Victim[];
  readonly cost: VictimsCost;
}

/** Finds room for as many of the tasks as it can, in their order. */
export function findRoom(
  request: RoomRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  { state, budgets }: { state: ClusterState; budgets: PreemptionBudgets },
): { readonly found: readonly FoundRoom[]; readonly work: number } {
  const search = new Search(request, index, overlay, state, budgets);
  const found: FoundRoom[] = [];
  for (const task of request.tasks) {
    const offer = search.best();
    if (!offer) break;
    search.accept(offer, task);
    found.push({ id: task.id, slot: offer.site.slot, victims: offer.victims });
  }
  return { found, work: search.work };
}

class Search {
  /** Nodes and tasks looked at. */
  work = 0;
  readonly #request: RoomRequest;
  readonly #index: PlacementIndex;
  readonly #overlay: PlacementOverlay;
  readonly #sight: Sight & { readonly going: Set<TaskId> };
  readonly #filter: (slot: number) => number;
  /** In the order in which they are looked at. */
  #sites: Site[] = [];
  readonly #offers = new Map<number, Offer>();
  /** Room that was found here, by slot. */
  readonly #kept = new Map<number, Nominee[]>();

  constructor(
    request: RoomRequest,
    index: PlacementIndex,
    overlay: PlacementOverlay,
    state: ClusterState,
    budgets: PreemptionBudgets,
  ) {
    const { service, requirements } = request;
    this.#request = request;
    this.#index = index;
    this.#overlay = overlay;
    this.#sight = { state, index, overlay, budgets, going: new Set() };
    const tasksOn = (slot: number) =>
      service.active.get(slot) +
      (overlay.serviceCounts(service)?.get(slot) ?? 0) +
      index.nominations.on(slot).filter((nominee) => nominee.service === service).length;
    this.#filter = compileFilters(requirements, index, overlay, tasksOn, service, { room: 'made' });
    const { only } = request;
    const [from, to] = only === undefined ? [0, index.nodes.length] : [only, only + 1];
    for (let slot = from; slot < to; slot++) {
      if (index.nodes.rows[slot] === 0 || this.#filter(slot) !== FIT) continue;
      const site = this.#siteAt(slot);
      if (site) this.#sites.push(site);
    }
    this.work += to - from;
    this.#sites.sort((a, b) => this.#compareSites(a, b));
  }

  /** The node on which room costs least. */
  best(): Offer | undefined {
    let best: Offer | undefined;
    let compared = 0;
    const hopeless = new Set<Site>();
    for (const site of this.#sites) {
      if (compared >= COMPARED_MAX) break;
      if (best && best.cost.lastResort === 0 && site.level > best.cost.highest) break;
      const offer = this.#offerAt(site);
      if (!offer) {
        hopeless.add(site);
        continue;
      }
      compared += 1;
      if (!best || this.#compareOffers(offer, best) < 0) best = offer;
    }
    if (hopeless.size > 0) this.#sites = this.#sites.filter((site) => !hopeless.has(site));
    return best;
  }

  /** The room is given to a task. */
  accept({ site, victims }: Offer, task: RoomRequest['tasks'][number]): void {
    const { service, requirements } = this.#request;
    const { slot } = site;
    const { needs, hostPorts } = requirements;
    const kept = this.#kept.get(slot) ?? [];
    this.#kept.set(slot, kept);
    kept.push({ ...task, service, needs, hostPorts, index: Number.POSITIVE_INFINITY, slot });
    // Its resources are kept; what counts tasks counts it as there.
    this.#overlay.take(slot, service, NOTHING, [], undefined);
    for (const { task: victim, service: of, counts } of victims) {
      this.#sight.going.add(victim.id);
      if (counts) this.#sight.budgets.spend(of.id);
    }
    this.#offers.delete(slot);
    if (victims.some(({ counts, service: of }) => counts && of.spec.disruption !== undefined)) {
      this.#offers.clear();
    }
    const again = this.#siteAt(slot);
    this.#sites = this.#sites.filter((each) => each !== site);
    if (!again) return;
    const at = this.#sites.findIndex((each) => this.#compareSites(again, each) < 0);
    this.#sites.splice(at === -1 ? this.#sites.length : at, 0, again);
  }

  #offerAt(site: Site): Offer | undefined {
    const { slot } = site;
    if (this.#filter(slot) !== FIT) return undefined;
    const known = this.#offers.get(slot);
    if (known) return known;
    const { requirements, service } = this.#request;
    const wanted = { requirements, priority: service.priority, kept: this.#keptOn(slot) };
    const { victims, looked } = victimsOn(slot, wanted, this.#sight);
    this.work += 1 + looked;
    if (!victims) return undefined;
    const offer = { site, victims, cost: costOf(victims) };
    this.#offers.set(slot, offer);
    return offer;
  }

  #keptOn(slot: number): readonly Nominee[] {
    const kept = this.#index.nominations.keptFrom(slot, this.#request.service.priority);
    const here = this.#kept.get(slot);
    return here === undefined ? kept : [...kept, ...here];
  }

  /** What the numbers say of a node; undefined: it would not do with all gone that may go. */
  #siteAt(slot: number): Site | undefined {
    const { nodes, priorities } = this.#index;
    const { priority } = this.#request.service;
    const node = nodes.nodes[slot];
    if (!node) return undefined;
    const { needs } = this.#request.requirements;
    const kept = this.#keptOn(slot);
    const free: Needs = {
      nanoCpus:
        (nodes.freeNanoCpus[slot] as number) - (this.#overlay.takenNanoCpus[slot] as number) - keptCpus(kept),
      memoryBytes:
        (nodes.freeMemoryBytes[slot] as number) -
        (this.#overlay.takenMemoryBytes[slot] as number) -
        keptMemory(kept),
      generic: [],
    };
    // How much goes by itself is not kept: where something does, it is taken that all of what has no priority might.
    const isLeaving = (nodes.holding[slot] as number) > (nodes.active[slot] as number) || kept.length > 0;
    const all = {
      nanoCpus: toNanoCpus(node.description.resources.cpus) - keptCpus(kept),
      memoryBytes: node.description.resources.memoryBytes - keptMemory(kept),
    };
    const prioritised = priorities.heldAbove(slot, Number.NEGATIVE_INFINITY);
    const levels = priorities.levelsBelow(slot, priority);
    if (isLeaving) levels.unshift(Number.NEGATIVE_INFINITY);
    const level = levels.find((each) => {
      const above = priorities.heldAbove(slot, each);
      if (each >= 0 || isLeaving) {
        return isEnough(all.nanoCpus - above.nanoCpus, all.memoryBytes - above.memoryBytes, needs);
      }
      return isEnough(
        free.nanoCpus + prioritised.nanoCpus - above.nanoCpus,
        free.memoryBytes + prioritised.memoryBytes - above.memoryBytes,
        needs,
      );
    });
    return level === undefined ? undefined : { slot, level, shortage: shortageOf(free, needs) };
  }

  #compareSites(a: Site, b: Site): number {
    if (a.level !== b.level) return a.level < b.level ? -1 : 1;
    return a.shortage - b.shortage || this.#compareRows(a, b);
  }

  #compareOffers(a: Offer, b: Offer): number {
    return compareCosts(a.cost, b.cost) || this.#compareRows(a.site, b.site);
  }

  #compareRows(a: Site, b: Site): number {
    const { rows } = this.#index.nodes;
    return (rows[a.slot] as number) - (rows[b.slot] as number);
  }
}

const NOTHING: Needs = { nanoCpus: 0, memoryBytes: 0, generic: [] };

function isEnough(nanoCpus: number, memoryBytes: number, needs: Needs): boolean {
  return (
    (needs.nanoCpus === 0 || nanoCpus >= needs.nanoCpus) &&
    (needs.memoryBytes === 0 || memoryBytes >= needs.memoryBytes)
  );
}

function shortageOf(free: Needs, needs: Needs): number {
  const part = (has: number, wants: number) => (wants === 0 ? 0 : Math.max(0, wants - has) / wants);
  return Math.max(part(free.nanoCpus, needs.nanoCpus), part(free.memoryBytes, needs.memoryBytes));
}
