/**
 * What must hold whatever happens: random histories of users, failures, nodes that come and go, changes of leader and
 * time, with every control loop at work, and afterwards a quiet spell in which all must come
 * to be as asked.
 */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { asId, type ServiceId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { isDesiredAfter, isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { countUp } from './drain/disruption-budgets.ts';
import { maxUnavailable, mayStartFirst, serves } from './drain/must-leave.ts';
import { isGoneNode } from './node-validity.ts';
import { nodeOf } from './restart.ts';
import { mayMoveOn, type StateWriter } from './test-support/owner-table.ts';
import {
  aClusterThatRests,
  anyStep,
  aTestCluster,
  calmDown,
  loops,
  NODES,
  SERVICES,
  type Step,
  take,
} from './test-support/random-history.ts';

/** Histories that once left the next leader something to do. */
const FOUND: readonly (readonly Step[])[] = [
  // A move's new task is on a node that is lost, and its policy wants no other: the move goes on all the same.
  [
    { do: 'settle' },
    { do: 'availability', node: 'node-1', is: 'drain' },
    { do: 'time', ms: 1 },
    { do: 'node', node: 'node-3', is: 'down' },
  ],
  // The last new tasks of an update are watched, and go: nothing is left to be watched.
  [
    { do: 'settle' },
    { do: 'update', service: 'web', image: 'a', at: 0 },
    { do: 'settle' },
    { do: 'scale', service: 'web', replicas: 0 },
  ],
  // The new task of an update that another took the place of fails, and its policy wants no other.
  [
    { do: 'run' },
    { do: 'work' },
    { do: 'update', service: 'once', image: 'b', at: 0 },
    { do: 'run' },
    { do: 'update', service: 'once', image: 'b', at: 0 },
    { do: 'end', pick: 20, state: 'failed' },
  ],
];

/** What must hold after every single transaction. */
function checkTransaction(changes: ChangeSet, state: ClusterState): void {
  const writer = (changes.actor.kind === 'loop' ? changes.actor.name : 'agent') as StateWriter;
  const slots = new Set<string>();
  for (const change of changes.changes) {
    if (change.kind !== 'task') continue;
    const { before, after } = change;
    if (before && after) {
      checkTask(before, after, changes.actor.kind === 'loop' ? writer : undefined);
      if (changes.actor.kind === 'loop') checkStop(before, after, state);
    }
    if (after) slots.add(`${after.serviceId}/${state.slotKey(after)}`);
    else if (before && !isTerminal(before.status.state)) {
      expect(taskStateRank(before.status.state)).toBeLessThan(taskStateRank('assigned'));
    }
  }
  for (const slot of slots) {
    const [service = '', key] = slot.split('/');
    const meant = state
      .slot(asId<ServiceId>(service), Number(key))
      .filter((task) => isMeantToRun(task.desiredState));
    const [first, second] = meant;
    const isHandover = first && second?.replaces !== undefined;
    const inHandover = isHandover && (serves(first) || isTerminal(first.status.state));
    expect(meant.length, `tasks meant to run in slot ${slot}`).toBeLessThanOrEqual(inHandover ? 2 : 1);
  }
}

/** A task that serves, is up to date and has a node that can be heard, is stopped only as its successor serves. */
function checkStop(before: Task, after: Task, state: ClusterState): void {
  const isStopped = serves(before) && after.desiredState === 'shutdown' && !isTerminal(after.status.state);
  const service = state.service(after.serviceId);
  if (!isStopped || service?.spec.mode !== 'replicated' || after.specVersion !== service.specVersion) return;
  if (isGoneNode(nodeOf(after, state)) || before.evicted?.cause === 'constraint') return;
  if (mayStartFirst(service)) {
    const others = state.slot(service.id, after.slot).filter(serves);
    expect(others.length, `others that serve in the slot of ${after.id}`).toBeGreaterThanOrEqual(1);
  } else {
    const wanted = (service.spec.replicas ?? 1) - maxUnavailable(service);
    expect(countUp(service, state), `tasks of ${service.spec.name} that serve`).toBeGreaterThanOrEqual(
      wanted,
    );
  }
}

function checkTask(before: Task, after: Task, loop: StateWriter | undefined): void {
  expect(isDesiredAfter(before.desiredState, after.desiredState), 'a desired state went back').toBe(false);
  const [from, to] = [before.status.state, after.status.state];
  expect(taskStateRank(to), 'an observed state went back').toBeGreaterThanOrEqual(taskStateRank(from));
  if (from !== to && loop !== undefined) {
    expect(mayMoveOn(loop, from, to), `${loop} moved a task from ${from} to ${to}`).toBe(true);
  }
}

describe('given any history of users, failures, nodes, leaders and time', () => {
  test('when faults stop, then every service comes to what it asks for, and nothing went backwards', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), fc.integer(), (steps, seed) => {
        const harness = new LoopHarness(aTestCluster(), loops(), { seed, onTransaction: checkTransaction });
        for (const each of steps) take(harness, each);
        calmDown(harness);
        for (const name of SERVICES) {
          const service = harness.state.serviceByName(name);
          if (!service) throw new Error(`there is no service ${name}`);
          const tasks = harness.cluster.tasks(name);
          const running = tasks.filter((task) => isMeantToRun(task.desiredState));
          const wanted = name === 'agent' ? NODES.length : (service.spec.replicas ?? 1);
          expect(
            running.map((task) => task.status.state),
            name,
          ).toEqual(Array.from({ length: wanted }, () => 'running'));
          expect(
            running.every((task) => task.spec.image === service.spec.task.image),
            `${name} is updated`,
          ).toBe(true);
          expect(new Set(running.map((task) => harness.state.slotKey(task))).size).toBe(wanted);
          if (name === 'agent') expect(new Set(running.map((task) => task.nodeId)).size).toBe(wanted);
          expect(
            tasks.every((task) => isMeantToRun(task.desiredState) || isTerminal(task.status.state)),
          ).toBe(true);
          expect(tasks.filter((task) => task.desiredState === 'remove')).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('when another leads at the end of it, then it wants nothing that the first did not do', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 25 }), fc.integer(), (steps, seed) => {
        const harness = new LoopHarness(aClusterThatRests(), loops(), {
          seed,
          onTransaction: checkTransaction,
        });
        for (const each of steps) take(harness, each);
        harness.run();
        const wanted: readonly ClusterEvent[] = harness.changeLeader(loops()).run();
        expect(wanted).toEqual([]);
      }),
      { numRuns: 150, examples: FOUND.map((steps) => [[...steps], 0]) },
    );
  });
});
