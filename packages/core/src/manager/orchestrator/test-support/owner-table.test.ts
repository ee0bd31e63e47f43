import { describe, expect, test } from 'vitest';
import { isTerminal, TASK_STATES, taskStateRank } from '../../../model/task-state.ts';
import { mayMoveOn, STATE_ENDERS, STATE_OWNERS, type StateWriter } from './owner-table.ts';

const WRITERS: readonly StateWriter[] = [
  'allocator',
  'scheduler',
  'agent',
  'orchestrator/constraint-enforcer',
  'orchestrator/orphan-keeper',
];

describe('given the table of owners', () => {
  test.each(TASK_STATES)('when a task is %s, then one part moves it on, or none if it has ended', (state) => {
    expect(STATE_OWNERS[state] === undefined).toBe(isTerminal(state));
    const next = TASK_STATES[taskStateRank(state) + 1] ?? state;
    const movers = WRITERS.filter((writer) => mayMoveOn(writer, state, next));
    expect(movers).toHaveLength(isTerminal(state) ? 0 : 1);
  });

  test('when a part is no owner, then it may write ends only, and only of tasks that are with an agent', () => {
    for (const [state, writer] of Object.entries(STATE_ENDERS)) {
      const from = TASK_STATES.filter((each) => mayMoveOn(writer, each, state as keyof typeof STATE_OWNERS));
      expect(from).toEqual(['assigned', 'accepted', 'preparing', 'ready', 'starting', 'running']);
    }
  });
});
