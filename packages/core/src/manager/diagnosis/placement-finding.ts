/**
 * Why a task has no node, and what would give it one, read off the explanation that the scheduler stored: no node is
 * looked at again, so it costs the same in any cluster. `cluster.explain` looks at all nodes, and names them.
 */

import type { Finding } from '../../model/finding.ts';
import { isHeldByLease } from '../../model/lease.ts';
import type { PlacementExplanation, Rejection, RejectionCause } from '../../model/placement.ts';
import { amountInWords } from '../scheduler/remedy.ts';

/** What each filter asks for, by its causes. */
const REMEDIES: Readonly<Record<string, (by: readonly RejectionCause[]) => string>> = {
  ready: () => 'a node is ready and active',
  resources: (by) => `${by.map(resourceInWords).join(', ') || 'more resources'} free on a node`,
  plugin: (by) => `a node has the plugin ${listed(by)}`,
  constraint: (by) => `a node meets ${listed(by)}`,
  platform: () => 'a node has one of its platforms',
  'host-port': (by) => `what holds ${listed(by)} on a node ends`,
  'max-replicas': () => 'another node, or a higher task.placement.maxReplicasPerNode',
};

/** Why the task has no node. */
export function placementFinding(explanation: PlacementExplanation): Finding {
  const { message, rejected, nodes } = explanation;
  if (isHeldByLease(explanation)) {
    const remedy = 'the other task has ended, or its lease has run out: its own node has stopped it by then';
    return { code: 'lease-wait', message, remedy };
  }
  const remedies = rejected.map(remedyFor);
  const remedy = nodes === 0 || remedies.length === 0 ? 'a node joins' : remedies.join('; or ');
  return { code: 'no-suitable-node', message, remedy };
}

function remedyFor({ filter, by = [] }: Rejection): string {
  return (
    REMEDIES[filter]?.(by) ?? `a node passes the filter ${filter}${by.length === 0 ? '' : `: ${listed(by)}`}`
  );
}

function resourceInWords({ what, asked, freeAtBest }: RejectionCause): string {
  if (asked === undefined) return what;
  // Of what was reserved as a decimal, no more digits than a reservation has.
  const more = Math.round((asked - (freeAtBest ?? 0)) * 1_000) / 1_000;
  return more > 0 ? amountInWords(what, more) : what;
}

function listed(by: readonly RejectionCause[]): string {
  return by.map(({ what }) => what).join(', ');
}
