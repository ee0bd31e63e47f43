/**
 * Placing tasks with rules of affinity, or on nodes that are to be filled. As with all others one walk over the nodes
 * puts those that are fit in order; but a task that is placed may make others of them unfit or less wanted, so the best
 * is looked at once more when its turn comes. Only where it makes others more wanted is there another walk.
 */

import { BestFew } from './best-few.ts';
import { compileFilters } from './filters.ts';
import { namesFor } from './names-for.ts';
import { NodeScores } from './node-scores.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import { type Placement, type PlacementRequest, WORK_PER_STEP } from './placement-request.ts';
import { SpreadTree } from './spread-tree.ts';
import { FIT } from './verdicts.ts';

/** Places a group, as `schedule` does. @yields as `schedule` */
export function* placeByScore(
  request: PlacementRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
): Generator<number, Placement, undefined> {
  const run = new ScoredRun(request, index, overlay);
  let candidates: Placement['candidates'] | undefined;
  for (;;) {
    const tree = yield* run.arrange();
    candidates ??= run.candidates(tree);
    if (!(yield* run.place(tree))) break;
  }
  const { placed, slots, generic, rejected } = run;
  return { placed, slots, generic, nodes: index.nodes.size, rejected, candidates };
}

class ScoredRun {
  placed = 0;
  readonly slots: Int32Array;
  readonly generic: Placement['generic'][number][] = [];
  rejected = new Uint32Array(0);
  readonly #request: PlacementRequest;
  readonly #index: PlacementIndex;
  readonly #overlay: PlacementOverlay;
  readonly #filter: (slot: number) => number;
  readonly #scores: NodeScores;
  readonly #best: BestFew;

  constructor(request: PlacementRequest, index: PlacementIndex, overlay: PlacementOverlay) {
    const { serviceTasks, keys } = overlay;
    this.#request = request;
    this.#index = index;
    this.#overlay = overlay;
    this.slots = new Int32Array(request.count);
    serviceTasks.fill(0, 0, index.nodes.length);
    request.service.active.addTo(serviceTasks, 1);
    overlay.serviceCounts(request.service)?.addTo(serviceTasks, 1);
    const tasksOn = (slot: number) => serviceTasks[slot] as number;
    this.#filter = compileFilters(request.requirements, index, overlay, tasksOn, request.service);
    this.#scores = new NodeScores(request, index, overlay);
    this.#best = new BestFew({ keys, rows: index.nodes.rows });
  }

  /** Puts the nodes that are fit in order. */
  *arrange(): Generator<number, SpreadTree, undefined> {
    const { nodes, notes } = this.#index;
    const { keys, serviceTasks } = this.#overlay;
    const { requirements, count } = this.#request;
    this.rejected = new Uint32Array(requirements.causes.length);
    // Nodes that are passed over take the place of others among the best, however many there are.
    const most = requirements.affinity?.isSelf ? nodes.length : count - this.placed;
    const tree = new SpreadTree({ keys, rows: nodes.rows }, notes.layoutOf(requirements), most);
    for (let from = 0; from < nodes.length; from += WORK_PER_STEP) {
      const to = Math.min(nodes.length, from + WORK_PER_STEP);
      for (let slot = from; slot < to; slot++) {
        if (nodes.rows[slot] === 0) continue;
        const node = nodes.nodes[slot];
        tree.count(slot, node, serviceTasks[slot] as number);
        if (!this.#isFit(slot)) continue;
        keys[slot] = this.#scores.key(slot);
        tree.add(slot, node);
        if (this.placed === 0) this.#best.offer(slot);
      }
      yield to - from;
    }
    tree.arrange();
    return tree;
  }

  /** The best nodes for the first task. */
  candidates(tree: SpreadTree): Placement['candidates'] {
    const { nodes, notes } = this.#index;
    const layout = notes.layoutOf(this.#request.requirements);
    return this.#best.tell(tree.best, this.#index, (slot) => ({
      ...this.#scores.tell(slot),
      ...(layout === undefined ? {} : { spread: tree.loads(slot, nodes.nodes[slot]) }),
    }));
  }

  /** Places tasks. @returns whether the nodes are to be put in order anew for what is left */
  *place(tree: SpreadTree): Generator<number, boolean, undefined> {
    const { service, requirements, count } = this.#request;
    const { keys, serviceTasks } = this.#overlay;
    const { affinity, needs, hostPorts } = requirements;
    while (this.placed < count) {
      const slot = tree.best;
      if (slot === -1) return false;
      if (affinity?.isSelf && !this.#isAsGood(slot, tree)) continue;
      const names =
        needs.generic.length > 0 ? namesFor(requirements, this.#index, this.#overlay, slot) : undefined;
      const attracts = this.#scores.attracts(slot);
      this.slots[this.placed] = slot;
      if (names !== undefined) this.generic[this.placed] = names;
      this.#overlay.take(slot, service, needs, hostPorts, names);
      serviceTasks[slot] = (serviceTasks[slot] as number) + 1;
      this.placed += 1;
      keys[slot] = this.#scores.key(slot);
      tree.placed(this.#isFit(slot));
      if (this.placed % WORK_PER_STEP === 0) yield WORK_PER_STEP;
      if (attracts) return this.placed < count;
    }
    return false;
  }

  /** Whether the best node still is what it was when the nodes were put in order; else it is put where it belongs. */
  #isAsGood(slot: number, tree: SpreadTree): boolean {
    const { keys } = this.#overlay;
    const isFit = this.#isFit(slot);
    const key = this.#scores.key(slot);
    if (isFit && key <= (keys[slot] as number)) return true;
    keys[slot] = key;
    tree.renewed(isFit);
    return false;
  }

  #isFit(slot: number): boolean {
    const verdict = this.#filter(slot);
    if (verdict === FIT) return true;
    this.rejected[verdict] = (this.rejected[verdict] as number) + 1;
    return false;
  }
}
