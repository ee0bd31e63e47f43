/**
 * What must hold whatever happens: random histories of users, failures, nodes that come and go, changes of leader and
 * time, with every control loop at work, and afterwards a quiet spell in which all must come
 * to be as asked.
 */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { asId, type NodeId, type ServiceId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../model/service-spec.ts';
import { isDesiredAfter, isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isPaused } from '../../state/update-standing.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster } from '../../testing/state-builder.ts';
import { createAllocator } from '../allocator/allocator.ts';
import { resumeUpdate } from '../api/update-commands.ts';
import { createScheduler } from '../scheduler/scheduler.ts';
import { createConstraintEnforcer } from './constraint-enforcer.ts';
import { countServing } from './drain/disruption-budgets.ts';
import { maxUnavailable, mayStartFirst, serves } from './drain/must-leave.ts';
import { createGlobalOrchestrator } from './global.ts';
import { isGoneNode } from './node-validity.ts';
import { createOrphanKeeper } from './orphan-keeper.ts';
import { createReplicatedOrchestrator } from './replicated.ts';
import { nodeOf } from './restart.ts';
import { createTaskReaper } from './task-reaper.ts';
import { mayMoveOn, type StateWriter } from './test-support/owner-table.ts';

/** Two slots or so in a turn, so that whole services are looked at in slices here too. */
const SLOTS_PER_TURN = 2;

const loops = () => [
  createReplicatedOrchestrator(SLOTS_PER_TURN),
  createGlobalOrchestrator(),
  createConstraintEnforcer(),
  createAllocator(SLOTS_PER_TURN),
  createScheduler(),
  createOrphanKeeper(),
  createTaskReaper(),
];

const NODES = ['node-1', 'node-2', 'node-3', 'node-4'] as const;
const SERVICES = ['web', 'job', 'store', 'agent'] as const;
/** Those, and what {@link aClusterThatRests} adds. */
const UPDATED = [...SERVICES, 'once', 'tries', 'each'] as const;

type Step =
  | { readonly do: 'scale'; readonly service: 'web' | 'job'; readonly replicas: number }
  | {
      readonly do: 'update';
      readonly service: (typeof UPDATED)[number];
      readonly image: string;
      readonly at: number;
    }
  | { readonly do: 'end'; readonly pick: number; readonly state: 'failed' | 'rejected' | 'complete' }
  | {
      readonly do: 'availability';
      readonly node: (typeof NODES)[number];
      readonly is: 'active' | 'pause' | 'drain';
    }
  | { readonly do: 'node'; readonly node: (typeof NODES)[number]; readonly is: 'ready' | 'down' | 'unknown' }
  | { readonly do: 'label'; readonly node: (typeof NODES)[number]; readonly fit: boolean }
  | { readonly do: 'place' | 'work' | 'run' | 'settle' | 'leader' }
  | { readonly do: 'time'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('scale' as const),
    service: fc.constantFrom('web' as const, 'job' as const),
    replicas: fc.nat(6),
  }),
  fc.record({
    do: fc.constant('update' as const),
    service: fc.constantFrom(...UPDATED),
    image: fc.constantFrom('a', 'b', 'c'),
    at: fc.nat(2),
  }),
  fc.record({
    do: fc.constant('end' as const),
    pick: fc.nat(30),
    state: fc.constantFrom('failed' as const, 'rejected' as const, 'complete' as const),
  }),
  fc.record({
    do: fc.constant('availability' as const),
    node: fc.constantFrom(...NODES),
    is: fc.constantFrom('active' as const, 'pause' as const, 'drain' as const),
  }),
  fc.record({
    do: fc.constant('node' as const),
    node: fc.constantFrom(...NODES),
    is: fc.constantFrom('ready' as const, 'down' as const, 'unknown' as const),
  }),
  fc.record({ do: fc.constant('label' as const), node: fc.constantFrom(...NODES), fit: fc.boolean() }),
  fc.record({
    do: fc.constantFrom(
      'place' as const,
      'work' as const,
      'run' as const,
      'settle' as const,
      'leader' as const,
    ),
  }),
  fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(1, 900, 5_000, 60_000, 90_000_000) }),
);

function aTestCluster() {
  return aCluster({ taskHistoryLimit: 3 })
    .withNodes(NODES.length, () => ({ labels: { fit: 'yes' } }))
    .withService({ name: 'web', replicas: 3, task: { placement: { constraints: ['node.labels.fit==yes'] } } })
    .withService({ name: 'job', replicas: 2, update: { parallelism: 0 }, task: { restart: { delayMs: 0 } } })
    .withService({
      name: 'store',
      replicas: 3,
      task: { mounts: [{ type: 'volume', source: 'data', target: '/data' }], restart: { delayMs: 100 } },
      disruption: { maxUnavailable: 1 },
    })
    .withService({
      name: 'agent',
      mode: 'global',
      task: { placement: { constraints: ['node.labels.fit==yes'] } },
    });
}

/** The same with services whose slots may come to rest with nothing running in them. */
function aClusterThatRests() {
  return aTestCluster()
    .withService({ name: 'once', replicas: 2, task: { restart: { condition: 'none' } } })
    .withService({
      name: 'tries',
      replicas: 2,
      task: { restart: { maxAttempts: 2, windowMs: 60_000, delayMs: 100 } },
    })
    .withService({
      name: 'each',
      mode: 'global',
      task: { restart: { condition: 'on-failure', maxAttempts: 1 } },
    });
}

function update(
  harness: LoopHarness,
  name: string,
  change: Partial<ServiceSpecInput>,
  tasksChanged: boolean,
): void {
  const service = harness.state.serviceByName(name);
  if (!service) throw new Error(`there is no service ${name}`);
  const spec = serviceSpecSchema.parse({ ...service.spec, ...change });
  harness.apply({ type: 'service.updated', id: service.id, spec, tasksChanged, portsChanged: false });
}

function take(harness: LoopHarness, each: Step): void {
  switch (each.do) {
    case 'scale':
      update(harness, each.service, { replicas: each.replicas }, false);
      return;
    case 'update': {
      const service = harness.state.serviceByName(each.service);
      if (!service) return;
      const task = { ...service.spec.task, image: each.image };
      update(harness, each.service, { task, update: { parallelism: each.at } }, true);
      return;
    }
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
    case 'label': {
      const node = harness.state.node(asId<NodeId>(each.node));
      if (!node) return;
      const spec = { ...node.spec, labels: { fit: each.fit ? 'yes' : 'no' } };
      harness.apply({ type: 'node.updated', id: node.id, spec });
      return;
    }
    case 'time':
      harness.advance(each.ms);
      return;
    case 'leader':
      harness.changeLeader(loops());
      return;
    case 'place':
    case 'work':
    case 'run':
    case 'settle':
      harness[each.do]();
  }
}

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
    expect(countServing(service, state), `tasks of ${service.spec.name} that serve`).toBeGreaterThanOrEqual(
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

function calmDown(harness: LoopHarness): void {
  for (const id of NODES) {
    harness.cluster.withNodeState(id, 'ready').withAvailability(id, 'active');
    take(harness, { do: 'label', node: id, fit: true });
  }
  harness.settleFor(3_600_000);
  // Updates whose tasks failed are paused until somebody says that what made them fail is over.
  for (const service of harness.state.services()) {
    if (!isPaused(service.updateStatus)) continue;
    const context = { at: harness.cluster.at, random: seededRandom(1) };
    harness.apply(...resumeUpdate(service, context).events);
  }
  harness.settleFor(3_600_000);
}

describe('given any history of users, failures, nodes, leaders and time', () => {
  test('when faults stop, then every service comes to what it asks for, and nothing went backwards', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer(), (steps, seed) => {
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
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer(), (steps, seed) => {
        const harness = new LoopHarness(aClusterThatRests(), loops(), {
          seed,
          onTransaction: checkTransaction,
        });
        for (const each of steps) take(harness, each);
        harness.run();
        const wanted: readonly ClusterEvent[] = harness.changeLeader(loops()).run();
        expect(wanted).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});
