/** The colours of tasks: their states in five groups. */

import type { TaskRow } from '../../model/rows.ts';

/** A group of states. */
export type Phase = 'waiting' | 'starting' | 'running' | 'ended' | 'failed';

/** All groups, with what the legend says. */
export const PHASES: readonly (readonly [Phase, string])[] = [
  ['waiting', 'waiting'],
  ['starting', 'on its way'],
  ['running', 'running'],
  ['ended', 'ended'],
  ['failed', 'failed'],
];

export function phaseOf({ state }: Pick<TaskRow, 'state'>): Phase {
  switch (state) {
    case 'new':
    case 'pending':
      return 'waiting';
    case 'assigned':
    case 'accepted':
    case 'preparing':
    case 'ready':
    case 'starting':
      return 'starting';
    case 'running':
      return 'running';
    case 'complete':
    case 'shutdown':
      return 'ended';
    case 'failed':
    case 'rejected':
    case 'orphaned':
      return 'failed';
  }
}
