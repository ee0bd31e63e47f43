import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { transition } from 'xstate';
import { isAfter, isTerminal, TASK_STATES, type TaskState } from '../model/task-state.ts';
import { type TaskEvent, taskMachine } from './task-machine.ts';
import { canMove, workerCanMove } from './task-transitions.ts';

const EVENTS: readonly TaskEvent['type'][] = [
  'manager.allocated',
  'manager.assigned',
  'manager.withdrawn',
  'manager.evicted',
  'manager.orphaned',
  'worker.accepted',
  'worker.preparing',
  'worker.prepared',
  'worker.starting',
  'worker.running',
  'worker.completed',
  'worker.failed',
  'worker.refused',
  'worker.stopped',
];

const at = (state: TaskState) => taskMachine.resolveState({ value: state, context: {} });

/** What the running machine reaches, found by sending it everything. */
function reach(from: TaskState, events: readonly TaskEvent['type'][]): Set<TaskState> {
  const found = new Set<TaskState>();
  const look = [from];
  for (let state = look.pop(); state !== undefined; state = look.pop()) {
    for (const type of events) {
      const value: TaskState = transition(taskMachine, at(state), { type })[0].value;
      if (value !== state && !found.has(value)) {
        found.add(value);
        look.push(value);
      }
    }
  }
  return found;
}

describe('task transitions', () => {
  it('given the machine, when compared, then its states are the observed task states and no other', () => {
    expect(Object.keys(taskMachine.states)).toEqual([...TASK_STATES]);
    expect(new Set(taskMachine.events)).toEqual(new Set(EVENTS));
  });

  it.each(TASK_STATES)('given %s, when machine and table are compared, then they agree', (from) => {
    const anyone = reach(from, EVENTS);
    const worker = reach(
      from,
      EVENTS.filter((event) => event.startsWith('worker.')),
    );
    for (const to of TASK_STATES) {
      expect(canMove(from, to), `${from} → ${to}`).toBe(anyone.has(to));
      expect(workerCanMove(from, to), `${from} → ${to} by a worker`).toBe(worker.has(to));
    }
  });

  it('given any two states, when a move is allowed, then it leads forward and not out of an end', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TASK_STATES), fc.constantFrom(...TASK_STATES), (from, to) => {
        if (workerCanMove(from, to)) expect(canMove(from, to)).toBe(true);
        if (canMove(from, to)) {
          expect(isAfter(to, from)).toBe(true);
          expect(isTerminal(from)).toBe(false);
        }
      }),
    );
  });

  it('given a worker, when it reports what only managers may say, then it is refused', () => {
    expect(workerCanMove('running', 'orphaned')).toBe(false);
    expect(workerCanMove('running', 'rejected')).toBe(false);
    expect(workerCanMove('pending', 'running')).toBe(false);
    expect(workerCanMove('assigned', 'running')).toBe(true);
    expect(workerCanMove('assigned', 'failed')).toBe(true);
  });
});
