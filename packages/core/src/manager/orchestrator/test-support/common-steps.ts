/** Steps that random histories of whatever services have in common: tasks end, nodes and leaders change, time passes. */

import * as fc from 'fast-check';
import { isTerminal, taskStateRank } from '../../../model/task-state.ts';
import type { LoopHarness } from '../../../testing/loop-harness.ts';
import type { ControlLoop } from '../../control-loop.ts';

const ENDS = ['failed', 'rejected', 'complete'] as const;
const AVAILABILITIES = ['active', 'pause', 'drain'] as const;
const NODE_STATES = ['ready', 'down', 'unknown'] as const;
const TURNS = ['place', 'work', 'run', 'settle', 'leader'] as const;

/** One thing that happens. */
export type CommonStep =
  | { readonly do: 'end'; readonly pick: number; readonly state: (typeof ENDS)[number] }
  | {
      readonly do: 'availability';
      readonly node: string;
      readonly is: (typeof AVAILABILITIES)[number];
    }
  | { readonly do: 'node'; readonly node: string; readonly is: (typeof NODE_STATES)[number] }
  | { readonly do: (typeof TURNS)[number] }
  | { readonly do: 'time'; readonly ms: number };

/**
 * Any of them, as many kinds as there are, in this order.
 *
 * @param nodes - their ids.
 * @param timesMs - how much time may pass at once.
 * @param ends - how tasks end, more often where a word is given twice.
 */
export function commonSteps(
  nodes: readonly string[],
  timesMs: readonly number[],
  ends: readonly (typeof ENDS)[number][] = ENDS,
): readonly fc.Arbitrary<CommonStep>[] {
  const node = fc.constantFrom(...nodes);
  return [
    fc.record({ do: fc.constant('end' as const), pick: fc.nat(30), state: fc.constantFrom(...ends) }),
    fc.record({ do: fc.constant('availability' as const), node, is: fc.constantFrom(...AVAILABILITIES) }),
    fc.record({ do: fc.constant('node' as const), node, is: fc.constantFrom(...NODE_STATES) }),
    fc.record({ do: fc.constantFrom(...TURNS) }),
    fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(...timesMs) }),
  ];
}

/** It happens. @param loops - new instances, for another leader. */
export function takeCommonStep(
  harness: LoopHarness,
  each: CommonStep,
  loops: () => readonly ControlLoop[],
): void {
  switch (each.do) {
    case 'end': {
      const withAgent = [...harness.state.tasks()].filter(
        ({ status: { state } }) => !isTerminal(state) && taskStateRank(state) >= taskStateRank('assigned'),
      );
      const task = withAgent[each.pick % Math.max(withAgent.length, 1)];
      if (task) harness.report([task], each.state);
      return;
    }
    case 'availability':
      harness.cluster.withAvailability(each.node, each.is);
      return;
    case 'node':
      harness.cluster.withNodeState(each.node, each.is);
      return;
    case 'time':
      harness.advance(each.ms);
      return;
    case 'leader':
      harness.changeLeader(loops());
      return;
    default:
      harness[each.do]();
  }
}
