/**
 * Placing a few tasks without a look at all nodes. As long as a node is fit that has no task of the service and no
 * fault, the next task goes to one of those, and among them the order is that of the load alone, which is kept. So it
 * goes along the kept order from its beginning, and stops at the first doubt: where it can't tell what a look at all
 * nodes would choose, that look goes on from there. What it places is what that look would have placed.
 */

import type { PlacementCandidate } from '../../model/placement.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import { BestFew } from './best-few.ts';
import type { CandidateOrder, CandidateWalk } from './candidate-order.ts';
import { compileFilters, type Filter } from './filters.ts';
import { namesFor } from './names-for.ts';
import { nodeKey } from './node-order.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import type { PlacementRequest } from './placement-request.ts';
import { isScored } from './requirements.ts';
import { type LeafNodes, SpreadTree } from './spread-tree.ts';
import { FIT } from './verdicts.ts';

/** Few tasks are at most one for so many nodes. For more, a look at all nodes is shared by enough of them. */
const NODES_PER_TASK = 4;
/** Of all nodes, the part that is looked at before it gives up: one in so many. */
const GIVES_UP_AFTER = 4;
/** Spread preferences must not make more branches than one for so many nodes: each is looked into. */
const NODES_PER_BRANCH = 8;

/** What came of it. */
export interface FewPlaced {
  readonly placed: number;
  /** Nodes looked at. */
  readonly looked: number;
  /** Nodes that had changed since the order was used last, and were put in their places. */
  readonly repaired: number;
  /** By verdict, nodes that each filter turned away. */
  readonly rejected: Uint32Array;
  /** The best of the nodes that were looked at, for the first of the tasks. */
  readonly candidates: readonly PlacementCandidate[];
}

/** Whether it pays to try. */
export function isFew({ count, requirements }: PlacementRequest, { nodes, notes }: PlacementIndex): boolean {
  if (isScored(requirements)) return false;
  const branches = notes.layoutOf(requirements)?.parents.length ?? 0;
  return count * NODES_PER_TASK <= nodes.size && branches * NODES_PER_BRANCH <= nodes.size;
}

/** Places as many tasks as it can be sure of, and writes their nodes to `slots`, and their names to `generic`. */
export function placeFew(
  request: PlacementRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  slots: Int32Array,
  generic: AssignedGeneric[],
): FewPlaced {
  const { service, requirements, count } = request;
  const { nodes } = index;
  const order = index.notes.candidatesOf(requirements, nodes);
  const repaired = order.repair();
  const look = new Look(request, index, overlay);
  const tree = freeTree(request, index, overlay, order, look);
  const named = requirements.needs.generic.length > 0;
  // Free nodes have neither tasks of the service nor faults, so that their keys are their tasks.
  const tell = (slot: number) => ({ failures: 0, serviceTasks: 0, tasks: overlay.keys[slot] as number });
  const spread = (slot: number) => ({ ...tell(slot), spread: tree.loads(slot, nodes.nodes[slot]) });
  const branched = index.notes.layoutOf(requirements) !== undefined;
  const inBranches = branched ? look.best.tell(tree.best, index, spread) : undefined;
  let placed = 0;
  for (; placed < count && !look.inDoubt; placed++) {
    const slot = tree.best;
    if (slot === -1) break;
    slots[placed] = slot;
    const names = named ? namesFor(requirements, index, overlay, slot) : undefined;
    if (names !== undefined) generic[placed] = names;
    overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
    tree.placed(true);
  }
  const candidates = inBranches ?? look.best.tell(placed === 0 ? -1 : (slots[0] as number), index, tell);
  return { placed, looked: look.looked, repaired, rejected: look.rejected, candidates };
}

/** The nodes as a tree whose leaves go along the order, each as far as it is asked for. */
function freeTree(
  { service, requirements, count }: PlacementRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  order: CandidateOrder,
  look: Look,
): SpreadTree {
  const { nodes } = index.nodes;
  const layout = index.notes.layoutOf(requirements);
  const tree = new SpreadTree({ keys: overlay.keys, rows: index.nodes.rows }, layout, count);
  if (layout) {
    const countOne = (slot: number, tasks: number) => tree.count(slot, nodes[slot], tasks);
    service.active.forEach(countOne);
    overlay.serviceCounts(service)?.forEach(countOne);
  }
  for (const leaf of order.leaves()) tree.setLeaf(leaf, new FreeNodes(order.walk(leaf, overlay.added), look));
  tree.arrange();
  return tree;
}

/** How one request looks at nodes, and what it has seen. */
class Look {
  looked = 0;
  /** What comes next can't be told from the order. */
  inDoubt = false;
  readonly rejected: Uint32Array;
  /** The best of the nodes that are free. */
  readonly best: BestFew;
  readonly #filter: Filter;
  readonly #serviceTasks: (slot: number) => number;
  readonly #faulty: ReadonlyMap<number, number> | undefined;
  readonly #index: PlacementIndex;
  readonly #overlay: PlacementOverlay;
  readonly #most: number;

  constructor(
    { service, requirements, specVersion, at }: PlacementRequest,
    index: PlacementIndex,
    overlay: PlacementOverlay,
  ) {
    const decided = overlay.serviceCounts(service);
    this.#serviceTasks = (slot) => service.active.get(slot) + (decided?.get(slot) ?? 0);
    this.#filter = compileFilters(requirements, index, overlay, this.#serviceTasks, service);
    this.#faulty = service.failures.get(specVersion)?.faulty(at);
    this.#index = index;
    this.rejected = new Uint32Array(requirements.causes.length);
    this.best = new BestFew({ keys: overlay.keys, rows: index.nodes.rows });
    this.#overlay = overlay;
    this.#most = Math.ceil(index.nodes.size / GIVES_UP_AFTER);
  }

  /** What of a node: `free` and fit, with its key noted; `taken` by the service, or faulty; `unfit`. */
  at(slot: number): 'free' | 'taken' | 'unfit' {
    this.looked += 1;
    if (this.looked > this.#most) this.inDoubt = true;
    if (this.#serviceTasks(slot) > 0 || this.#faulty?.has(slot)) return 'taken';
    const verdict = this.#filter(slot);
    if (verdict !== FIT) {
      this.rejected[verdict] = (this.rejected[verdict] as number) + 1;
      return 'unfit';
    }
    const { active } = this.#index.nodes;
    const { added, keys } = this.#overlay;
    keys[slot] = nodeKey(0, 0, (active[slot] as number) + (added[slot] as number));
    this.best.offer(slot);
    return 'free';
  }
}

/** The free nodes of one leaf, best first. */
class FreeNodes implements LeafNodes {
  readonly #walk: CandidateWalk;
  readonly #look: Look;
  #top = -1;
  /** A node was passed by that may be the best once no free one is left. */
  #passed = false;

  constructor(walk: CandidateWalk, look: Look) {
    this.#walk = walk;
    this.#look = look;
  }

  get top(): number {
    return this.#top;
  }

  arrange(): void {
    this.#advance();
  }

  placed(): void {
    this.#passed = true;
    this.#advance();
  }

  #advance(): void {
    this.#top = -1;
    while (!this.#look.inDoubt) {
      const slot = this.#walk.next();
      if (slot === -1) {
        if (this.#passed) this.#look.inDoubt = true;
        return;
      }
      const found = this.#look.at(slot);
      if (found === 'free') {
        this.#top = slot;
        return;
      }
      if (found === 'taken') this.#passed = true;
    }
  }
}
