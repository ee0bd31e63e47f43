/**
 * Placing: which nodes the tasks of one group get. A generator, so that whoever drives it may stop after any piece
 * of work and go on later; it reads an index that must not change meanwhile and writes to an overlay that nobody
 * else may write to meanwhile. It draws no lots and reads no clock: the same index gives the same placement, in
 * whatever slices it runs, and placing ten and then ten more is placing twenty.
 *
 * For many tasks: one walk over the nodes, then a step down a few heaps for each task. For a few, see `place-few.ts`;
 * with rules of affinity or where nodes are filled, `place-by-score.ts`.
 */

import type { PlacementCandidate } from '../../model/placement.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import { BestFew } from './best-few.ts';
import { compileFilters, type Filter, usesUpNodes } from './filters.ts';
import { namesFor } from './names-for.ts';
import { KEY_STEP, nodeKey } from './node-order.ts';
import { placeAtHome } from './place-at-home.ts';
import { placeByScore } from './place-by-score.ts';
import { isFew, placeFew } from './place-few.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import { type Placement, type PlacementRequest, WORK_PER_STEP } from './placement-request.ts';
import { isScored } from './requirements.ts';
import { SpreadTree } from './spread-tree.ts';
import { FIT } from './verdicts.ts';

/**
 * Places a group.
 *
 * @yields pieces of work done: nodes looked at plus tasks placed.
 */
export function* schedule(
  request: PlacementRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
): Generator<number, Placement, undefined> {
  const { count } = request;
  const slots = new Int32Array(count);
  const generic: AssignedGeneric[] = [];
  overlay.expect(request.service, count);
  const { home } = request.requirements;
  if (home) return placeAtHome(home, request, index, overlay);
  if (isScored(request.requirements)) return yield* placeByScore(request, index, overlay);
  const few = request.look ?? (isFew(request, index) ? 'few' : 'all');
  if (few === 'all') return yield* placeAmongAll(request, index, overlay, { placed: 0, slots, generic });
  const found = placeFew(request, index, overlay, slots, generic);
  const { placed, looked, repaired, rejected, candidates } = found;
  yield looked + repaired + placed;
  if (placed === count) return { placed, slots, generic, nodes: looked, rejected, candidates };
  const begun = { placed, slots, generic, ...(placed === 0 ? {} : { candidates }) };
  return yield* placeAmongAll(request, index, overlay, begun);
}

/** What is placed already, and where to write what comes. */
interface Begun {
  readonly placed: number;
  readonly slots: Int32Array;
  readonly generic: AssignedGeneric[];
  readonly candidates?: readonly PlacementCandidate[];
}

function* placeAmongAll(
  { service, specVersion, requirements, count, at }: PlacementRequest,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  begun: Begun,
): Generator<number, Placement, undefined> {
  const { nodes } = index;
  const { keys, serviceTasks } = overlay;
  serviceTasks.fill(0, 0, nodes.length);
  service.active.addTo(serviceTasks, 1);
  overlay.serviceCounts(service)?.addTo(serviceTasks, 1);
  const serviceTasksOn = (slot: number) => serviceTasks[slot] as number;
  const filter = compileFilters(requirements, index, overlay, serviceTasksOn, service);
  const { rows, active } = nodes;
  const { added } = overlay;
  const layout = index.notes.layoutOf(requirements);
  const order = { keys, rows };
  const tree = new SpreadTree(order, layout, count - begun.placed);
  const best = new BestFew(order);
  const faulty = service.failures.get(specVersion)?.faulty(at);
  const rejected = new Uint32Array(requirements.causes.length);

  for (let from = 0; from < nodes.length; from += WORK_PER_STEP) {
    const to = Math.min(nodes.length, from + WORK_PER_STEP);
    for (let slot = from; slot < to; slot++) {
      if (rows[slot] === 0) continue;
      const tasks = serviceTasks[slot] as number;
      const node = layout === undefined ? undefined : nodes.nodes[slot];
      tree.count(slot, node, tasks);
      const verdict = filter(slot);
      if (verdict !== FIT) {
        rejected[verdict] = (rejected[verdict] as number) + 1;
        continue;
      }
      const all = (active[slot] as number) + (added[slot] as number);
      keys[slot] = nodeKey(faulty === undefined ? 0 : (faulty.get(slot) ?? 0), tasks, all);
      tree.add(slot, node);
      best.offer(slot);
    }
    yield to - from;
  }
  tree.arrange();
  const candidates =
    begun.candidates ??
    best.tell(tree.best, index, (slot) => ({
      failures: faulty?.get(slot) ?? 0,
      serviceTasks: serviceTasks[slot] as number,
      tasks: (active[slot] as number) + (added[slot] as number),
      ...(layout === undefined ? {} : { spread: tree.loads(slot, nodes.nodes[slot]) }),
    }));

  const { slots, generic } = begun;
  const recheck: Filter | undefined = usesUpNodes(requirements) ? filter : undefined;
  const named = requirements.needs.generic.length > 0;
  let { placed } = begun;
  for (; placed < count; placed++) {
    const slot = tree.best;
    if (slot === -1) break;
    slots[placed] = slot;
    const names = named ? namesFor(requirements, index, overlay, slot) : undefined;
    if (names !== undefined) generic[placed] = names;
    overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
    serviceTasks[slot] = (serviceTasks[slot] as number) + 1;
    keys[slot] = (keys[slot] as number) + KEY_STEP;
    const verdict = recheck === undefined ? FIT : recheck(slot);
    if (verdict !== FIT) rejected[verdict] = (rejected[verdict] as number) + 1;
    tree.placed(verdict === FIT);
    if ((placed + 1) % WORK_PER_STEP === 0) yield WORK_PER_STEP;
  }
  return { placed, slots, generic, nodes: nodes.size, rejected, candidates };
}
