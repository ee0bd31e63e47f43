/**
 * Verdicts: what a filter says of a node, as one small number, so that counting why ten thousand nodes won't do is a
 * walk over numbers. 0 is fit; any other stands for one cause, such as one constraint or one resource of the tasks
 * that are placed. Which number stands for which cause is compiled together with what the tasks ask.
 */

import type { Node } from '../../model/objects.ts';

/** The filters, in the order in which a node goes through them. The first that rejects it is the one counted. */
export const FILTERS = [
  'volume',
  'ready',
  'resources',
  'plugin',
  'constraint',
  'platform',
  'host-port',
  'max-replicas',
  'affinity',
  'anti-affinity',
] as const;

/** Name of a filter. */
export type FilterName = (typeof FILTERS)[number];

/** What a verdict stands for. */
export interface VerdictCause {
  readonly filter: FilterName;
  /** See `RejectionCause`. Absent where the filter's name says it all. */
  readonly what?: string;
  /** What one task reserves of a resource. */
  readonly asked?: number;
}

/** A verdict on a node: 0 is fit, else the number of a cause. */
export type Verdict = number;

/** The node is fit. */
export const FIT: Verdict = 0;
export const NODE_DOWN: Verdict = 1;
export const NODE_UNKNOWN: Verdict = 2;
export const NODE_DRAINED: Verdict = 3;
export const NODE_PAUSED: Verdict = 4;
export const LACKS_CPUS: Verdict = 5;
export const LACKS_MEMORY: Verdict = 6;
export const ON_OTHER_PLATFORM: Verdict = 7;
export const HAS_REPLICAS: Verdict = 8;
export const NODE_SUSPECT: Verdict = 9;
export const NODE_LEAVING: Verdict = 10;
/**
 * From here on: plugins, then constraints, then generic resources, then host ports, then rules of affinity, each with a
 * number of its own.
 */
export const FIRST_OF_LISTS: Verdict = 11;
/** Verdicts that are remembered by node take a byte; what comes behind in a list shares the last number. */
export const LAST_REMEMBERED: Verdict = 127;

/** Why a node that takes no new tasks takes none. */
export function notReadyVerdict(node: Node): Verdict {
  if (node.status.state === 'down') return NODE_DOWN;
  if (node.status.state === 'unknown') return NODE_UNKNOWN;
  if (node.status.state === 'suspect') return NODE_SUSPECT;
  if (node.status.state === 'leaving') return NODE_LEAVING;
  return node.spec.availability === 'drain' ? NODE_DRAINED : NODE_PAUSED;
}

/**
 * The causes by verdict, for tasks that ask this. What is at {@link FIT} is no cause.
 *
 * @param lists - the causes from {@link FIRST_OF_LISTS} on.
 */
export function causesOf(
  asked: { readonly cpus: number; readonly memoryBytes: number },
  lists: readonly VerdictCause[],
): readonly VerdictCause[] {
  return [
    { filter: 'ready' },
    { filter: 'ready', what: 'down' },
    { filter: 'ready', what: 'unknown' },
    { filter: 'ready', what: 'drained' },
    { filter: 'ready', what: 'paused' },
    { filter: 'resources', what: 'cpus', asked: asked.cpus },
    { filter: 'resources', what: 'memory', asked: asked.memoryBytes },
    { filter: 'platform' },
    { filter: 'max-replicas' },
    { filter: 'ready', what: 'suspect' },
    { filter: 'ready', what: 'leaving' },
    ...lists,
  ];
}
