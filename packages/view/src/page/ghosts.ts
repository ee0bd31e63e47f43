/** A plan as it is laid over the grid: who would go, who would come, and which node would be out. */

import type { Plan } from '@skep/core';
import type { ViewAction } from '../source/view-source.ts';
import { counted } from './in-words.ts';

/** What a plan would bring. */
export interface Ghosts {
  readonly action: ViewAction;
  readonly plan: Plan;
  /** Ids of tasks that would be stopped, or lost. */
  readonly going: ReadonlySet<string>;
  /** By node: names of tasks that would come. */
  readonly coming: ReadonlyMap<string, readonly string[]>;
  /** Nodes that would take no tasks any more. */
  readonly leaving: ReadonlySet<string>;
}

export function ghostsOf(action: ViewAction, plan: Plan): Ghosts {
  const going = new Set<string>(plan.stopped.map(({ task }) => task));
  const coming = new Map<string, string[]>();
  for (const { node, service, slot, replaces } of plan.placements) {
    const names = coming.get(node.id) ?? [];
    names.push(slot === 0 ? service : `${service}.${slot}`);
    coming.set(node.id, names);
    if (replaces !== undefined) going.add(replaces.task);
  }
  return { action, plan, going, coming, leaving: new Set('node' in action ? [action.node] : []) };
}

/** A plan in one sentence. */
export function planInWords({ plan }: Ghosts): string {
  const parts = [
    `${counted(plan.placements.length, 'task')} would come`,
    `${counted(plan.stopped.length, 'task')} would be stopped`,
  ];
  const waiting = plan.unplaced.reduce((sum, { slots }) => sum + slots.length, 0);
  if (waiting > 0)
    parts.push(`${counted(waiting, 'task')} would find no node: ${plan.unplaced[0]?.message ?? ''}`);
  return `${parts.join(', ')}${plan.complete ? '' : ', and more would follow'}.`;
}
