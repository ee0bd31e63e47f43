/**
 * Why a task has no node, in numbers and in words. The words are Swarm's, since people and tools know them; the
 * numbers are true counts over all nodes.
 */

import type { PlacementExplanation } from '../../model/objects.ts';

/** The filters, in the order in which a node goes through them. The first that rejects it is the one counted. */
export const FILTERS = [
  'ready',
  'resources',
  'plugin',
  'constraint',
  'platform',
  'host-port',
  'max-replicas',
] as const;

/** Name of a filter. */
type FilterName = (typeof FILTERS)[number];

/** A verdict on a node: 0 is fit, else the number of the rejecting filter, from 1. */
export type Verdict = number;

/** The node is fit. */
export const FIT: Verdict = 0;

/** The verdict of a node that this filter rejects. */
export function rejectedBy(filter: FilterName): Verdict {
  return FILTERS.indexOf(filter) + 1;
}

/** Counts by verdict; room for {@link FIT} too. */
export function newVerdictCounts(): Uint32Array {
  return new Uint32Array(FILTERS.length + 1);
}

/** Explains tasks that might have gone to any node. */
export function explainUnplaced(nodes: number, counts: Uint32Array): PlacementExplanation {
  const rejected = rejections(counts);
  const reasons = rejected.map(inWords).join('; ');
  return { nodes, rejected, message: reasons === '' ? 'no suitable node' : `no suitable node (${reasons})` };
}

/** Explains a task that must go to one node and doesn't fit there. */
export function explainPreassigned(verdict: Verdict): PlacementExplanation {
  const counts = newVerdictCounts();
  counts[verdict] = 1;
  const rejected = rejections(counts);
  return { nodes: 1, rejected, message: rejected.map(inWords).join('; ') };
}

/** Explains a task that must go to a node that is gone. */
export const NODE_GONE: PlacementExplanation = { nodes: 0, rejected: [], message: 'its node is gone' };

/** True when both say the same. */
export function sameExplanation(a: PlacementExplanation | undefined, b: PlacementExplanation): boolean {
  return a !== undefined && a.nodes === b.nodes && a.message === b.message;
}

interface Rejection {
  readonly filter: FilterName;
  readonly nodes: number;
}

function rejections(counts: Uint32Array): Rejection[] {
  const found: Rejection[] = [];
  for (const [index, filter] of FILTERS.entries()) {
    const nodes = counts[index + 1] ?? 0;
    if (nodes > 0) found.push({ filter, nodes });
  }
  return found.sort((a, b) => b.nodes - a.nodes);
}

function inWords({ filter, nodes }: Rejection): string {
  const many = nodes === 1 ? '1 node' : `${nodes} nodes`;
  switch (filter) {
    case 'ready':
      return `${many} not available for new tasks`;
    case 'resources':
      return `insufficient resources on ${many}`;
    case 'plugin':
      return `missing plugin on ${many}`;
    case 'constraint':
      return `scheduling constraints not satisfied on ${many}`;
    case 'platform':
      return `unsupported platform on ${many}`;
    case 'host-port':
      return `host-mode port already in use on ${many}`;
    case 'max-replicas':
      return 'max replicas per node limit exceed';
  }
}
