/**
 * Why a task has no node, or the one that it has, in numbers and in words. The words are Swarm's, since people and
 * tools know them, and then say by what; the numbers are true counts over all nodes.
 */

import {
  CAUSES_MAX,
  type PlacementFinding,
  type Rejection,
  type RejectionCause,
} from '../../model/placement.ts';
import type { Filter } from './filters.ts';
import type { NodeTable } from './node-table.ts';
import { FILTERS, FIT, type FilterName, type Verdict, type VerdictCause } from './verdicts.ts';

/** The most that is free of a resource on the nodes that a verdict turned away; undefined for what is no resource. */
export type FreeAtBest = (verdict: Verdict) => number | undefined;

/**
 * Explains tasks that might have gone to any node.
 *
 * @param counts - by verdict.
 * @param refusal - why nobody leaves for them, in words, where others have lower priorities.
 */
export function explainUnplaced(
  nodes: number,
  counts: Uint32Array,
  causes: readonly VerdictCause[],
  refusal?: string,
): PlacementFinding {
  const rejected = rejections(counts, causes);
  const reasons = rejected.map(inWords).join('; ');
  const none = reasons === '' ? 'no suitable node' : `no suitable node (${reasons})`;
  return { nodes, rejected, message: refusal === undefined ? none : `${none}; ${refusal}` };
}

/** Explains a task that no node would take; undefined: one would. */
export function unfitEverywhere(
  filter: Filter,
  causes: readonly VerdictCause[],
  nodes: NodeTable,
): PlacementFinding | undefined {
  const counts = new Uint32Array(causes.length);
  for (let slot = 0; slot < nodes.length; slot++) {
    if (nodes.rows[slot] === 0) continue;
    const verdict = filter(slot);
    if (verdict === FIT) return undefined;
    counts[verdict] = (counts[verdict] as number) + 1;
  }
  return explainUnplaced(nodes.size, counts, causes);
}

/** Explains a task that must go to one node and doesn't fit there. */
export function explainPreassigned(verdict: Verdict, causes: readonly VerdictCause[]): PlacementFinding {
  const counts = new Uint32Array(causes.length);
  counts[verdict] = 1;
  const rejected = rejections(counts, causes);
  return { nodes: 1, rejected, message: rejected.map(inWords).join('; ') };
}

/** Explains a task that must go to a node that is gone. */
export const NODE_GONE: PlacementFinding = { nodes: 0, rejected: [], message: 'its node is gone' };

/** True when both say the same. How much is free at best is not compared: it changes with every task. */
export function sameExplanation(a: PlacementFinding | undefined, b: PlacementFinding): boolean {
  return a !== undefined && a.nodes === b.nodes && a.message === b.message;
}

/** Whether what turned these nodes away may end with a task that ends on one of them. */
export function endsWithTasks(counts: Uint32Array, causes: readonly VerdictCause[]): boolean {
  return causes.some(({ filter }, verdict) => (counts[verdict] ?? 0) > 0 && isTaken(filter));
}

function isTaken(filter: FilterName): boolean {
  return (
    filter === 'resources' ||
    filter === 'host-port' ||
    filter === 'max-replicas' ||
    filter === 'anti-affinity'
  );
}

/** The filters that turned nodes away, most nodes first, each with its causes. */
export function rejections(
  counts: Uint32Array,
  causes: readonly VerdictCause[],
  freeAtBest: FreeAtBest = () => undefined,
): Rejection[] {
  const byFilter = new Map<FilterName, { nodes: number; readonly by: RejectionCause[] }>();
  for (let verdict = FIT + 1; verdict < counts.length; verdict++) {
    const nodes = counts[verdict] as number;
    const cause = causes[verdict];
    if (nodes === 0 || !cause) continue;
    const found = byFilter.get(cause.filter) ?? { nodes: 0, by: [] };
    byFilter.set(cause.filter, found);
    found.nodes += nodes;
    if (cause.what === undefined) continue;
    const free = freeAtBest(verdict);
    found.by.push({
      what: cause.what,
      nodes,
      ...(cause.asked === undefined ? {} : { asked: cause.asked }),
      ...(free === undefined ? {} : { freeAtBest: free }),
    });
  }
  const rejected: Rejection[] = [];
  for (const filter of FILTERS) {
    const found = byFilter.get(filter);
    if (!found) continue;
    const by = found.by.sort((a, b) => b.nodes - a.nodes).slice(0, CAUSES_MAX);
    rejected.push({ filter, nodes: found.nodes, ...(by.length === 0 ? {} : { by }) });
  }
  return rejected.sort((a, b) => b.nodes - a.nodes);
}

function inWords({ filter, nodes, by = [] }: Rejection): string {
  const many = nodes === 1 ? '1 node' : `${nodes} nodes`;
  const causes = by.map((cause) => (cause.nodes === nodes ? cause.what : `${cause.what} on ${cause.nodes}`));
  const told = causes.length === 0 ? '' : `: ${causes.join(', ')}`;
  switch (filter as FilterName) {
    case 'ready':
      return `${many} not available for new tasks${told}`;
    case 'resources':
      return `insufficient resources on ${many}${told}`;
    case 'plugin':
      return `missing plugin on ${many}${told}`;
    case 'constraint':
      return `scheduling constraints not satisfied on ${many}${told}`;
    case 'platform':
      return `unsupported platform on ${many}`;
    case 'host-port':
      return `host-mode port already in use on ${many}${told}`;
    case 'max-replicas':
      return 'max replicas per node limit exceed';
    case 'volume':
      return `${many} without its volumes${told}`;
    case 'affinity':
    case 'anti-affinity':
      return `${filter} not satisfied on ${many}${told}`;
  }
}
