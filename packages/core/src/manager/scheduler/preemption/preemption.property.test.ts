import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asId, type NodeId, type ServiceId } from '../../../model/ids.ts';
import type { Service, Task } from '../../../model/objects.ts';
import { nodeSpecSchema } from '../../../model/other-specs.ts';
import { priorityOf, serviceSpecSchema } from '../../../model/service-spec.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../../testing/state-builder.ts';
import { createAllocator } from '../../allocator/allocator.ts';
import { createGlobalOrchestrator } from '../../orchestrator/global.ts';
import { createReplicatedOrchestrator } from '../../orchestrator/replicated.ts';
import { createTaskReaper } from '../../orchestrator/task-reaper.ts';
import { holdsPlace } from '../holds-place.ts';
import { createScheduler } from '../scheduler.ts';
import { isServing } from './preemption-budgets.ts';

const PRIORITIES = [-5, 0, 5, 10] as const;

const loops = () => [
  createReplicatedOrchestrator(),
  createGlobalOrchestrator(),
  createAllocator(),
  createScheduler(),
  createTaskReaper(),
];

const service = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  cpus: fc.integer({ min: 1, max: 4 }),
  replicas: fc.nat(5),
  isGlobal: fc.nat(4).map((n) => n === 0),
  spares: fc.option(fc.nat(2), { nil: undefined }),
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), which: fc.nat(9), to: fc.nat(6) }),
  fc.record({ kind: fc.constant('rank' as const), which: fc.nat(9), to: fc.constantFrom(...PRIORITIES) }),
  fc.record({ kind: fc.constant('fail' as const), which: fc.nat(50) }),
  fc.record({
    kind: fc.constant('node' as const),
    which: fc.nat(9),
    to: fc.constantFrom('down' as const, 'ready' as const, 'suspect' as const),
  }),
  fc.record({
    kind: fc.constant('availability' as const),
    which: fc.nat(9),
    to: fc.constantFrom('active' as const, 'pause' as const),
  }),
  fc.record({ kind: fc.constant('leader' as const) }),
  fc.record({ kind: fc.constant('agents' as const) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.nat(20_000) }),
);

const history = fc.record({
  nodes: fc.array(fc.integer({ min: 3, max: 8 }), { minLength: 1, maxLength: 4 }),
  services: fc.array(service, { minLength: 2, maxLength: 5 }),
  steps: fc.array(step, { maxLength: 14 }),
});

const cpusOf = (task: Task) => task.spec.resources.reservations.cpus ?? 0;
const waitsForNode = (task: Task) => task.status.state === 'pending' && isMeantToRun(task.desiredState);

/** No node has more promised than it has. */
function checkRoom(state: ClusterState): void {
  for (const node of state.nodes()) {
    let cpus = 0;
    for (const task of state.tasksOfNode(node.id)) if (holdsPlace(task)) cpus += cpusOf(task);
    expect(cpus, `on ${node.id}`).toBeLessThanOrEqual(node.description.resources.cpus);
  }
}

/** Who is stopped for another one was worth less, and its service can spare it. */
function checkStops({ changes }: ChangeSet, state: ClusterState): void {
  for (const change of changes) {
    if (change.kind !== 'task' || !change.before || !change.after) continue;
    const { before, after } = change;
    if (after.evicted?.cause === 'preemption' && before.evicted !== after.evicted) {
      expect(after.evicted.by.priority).toBeGreaterThan(after.evicted.by.over);
    }
    const isStopped = isMeantToRun(before.desiredState) && !isMeantToRun(after.desiredState);
    if (before.evicted?.cause !== 'preemption' || !isStopped || before.status.state !== 'running') continue;
    const of = state.service(after.serviceId);
    const node = after.nodeId === undefined ? undefined : state.node(after.nodeId);
    if (!of?.spec.disruption || of.spec.mode !== 'replicated' || node?.status.state === 'down') continue;
    // Others that leave too go later, each by the same rule.
    const serving = servingOf(of, state, true);
    expect(serving, `of ${of.id}`).toBeGreaterThanOrEqual(
      (of.spec.replicas ?? 1) - of.spec.disruption.maxUnavailable,
    );
  }
}

function servingOf({ id }: Service, state: ClusterState, withLeaving = false): number {
  return [...state.tasksOfService(id)].filter((task) => {
    const node = task.nodeId === undefined ? undefined : state.node(task.nodeId);
    if (node?.status.state === 'down') return false;
    return withLeaving ? task.status.state === 'running' && task.desiredState === 'running' : isServing(task);
  }).length;
}

/** Nobody waits that could have its place if others left that are worth less. */
function checkNoInversion(state: ClusterState): void {
  for (const task of state.tasks()) {
    if (!waitsForNode(task)) continue;
    const own = state.service(task.serviceId);
    if (!own) continue;
    expect(task.nomination, `room for ${task.id} is still being made`).toBeUndefined();
    for (const node of state.nodes()) {
      if (node.status.state !== 'ready' || node.spec.availability !== 'active') continue;
      if (task.nodeId !== undefined && task.nodeId !== node.id) continue;
      const spent = new Map<ServiceId, number>();
      let free = node.description.resources.cpus;
      for (const other of state.tasksOfNode(node.id)) {
        if (!holdsPlace(other)) continue;
        const of = state.service(other.serviceId);
        const used = spent.get(other.serviceId) ?? 0;
        if (of && priorityOf(of.spec) < priorityOf(own.spec) && used < spare(of, state)) {
          spent.set(other.serviceId, used + 1);
        } else free -= cpusOf(other);
      }
      expect(free, `${task.id} could be on ${node.id}`).toBeLessThan(cpusOf(task));
    }
  }
}

function spare(of: Service, state: ClusterState): number {
  const { disruption, mode, replicas = 1 } = of.spec;
  if (!disruption) return Number.POSITIVE_INFINITY;
  const live = [...state.tasksOfService(of.id)].filter(
    (task) => isMeantToRun(task.desiredState) && (mode === 'replicated' || task.status.state !== 'failed'),
  );
  const wanted = mode === 'global' ? new Set(live.map(({ nodeId }) => nodeId)).size : replicas;
  return servingOf(of, state) - (wanted - disruption.maxUnavailable);
}

/** Orchestrators, allocator, scheduler and agents, until nothing changes. */
function settle(harness: LoopHarness): void {
  for (let round = 0; ; round++) {
    const { index } = harness.state;
    harness.run();
    harness.work();
    harness.run();
    if (harness.state.index === index) return;
    if (round > 200) throw new Error('tasks are stopped for each other without end');
  }
}

function build({ nodes, services }: { nodes: readonly number[]; services: readonly Given[] }): StateBuilder {
  const cluster = aCluster();
  for (const cpus of nodes) cluster.withNode({ cpus });
  for (const [at, { priority, cpus, replicas, isGlobal, spares }] of services.entries()) {
    cluster.withService({
      name: `s${at}`,
      priority,
      ...(isGlobal ? { mode: 'global' as const } : { replicas }),
      ...(spares === undefined ? {} : { disruption: { maxUnavailable: spares } }),
      task: { image: 'image', resources: { reservations: { cpus } }, restart: { delayMs: 100 } },
    });
  }
  return cluster;
}

type Given = typeof service extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(harness: LoopHarness, each: Step): void {
  const { cluster } = harness;
  const pick = <T>(all: Iterable<T>, which: number): T | undefined => {
    const list = [...all];
    return list[which % Math.max(1, list.length)];
  };
  switch (each.kind) {
    case 'scale':
    case 'rank': {
      const of = pick(cluster.state.services(), each.which);
      if (!of) return;
      const change = each.kind === 'scale' ? { replicas: each.to } : { priority: each.to };
      if (each.kind === 'scale' && of.spec.mode === 'global') return;
      const spec = serviceSpecSchema.parse({ ...of.spec, ...change });
      cluster.apply({ type: 'service.updated', id: of.id, spec, tasksChanged: false, portsChanged: false });
      break;
    }
    case 'fail': {
      const running = [...cluster.state.tasks()].filter(isServing);
      const task = pick(running, each.which);
      if (task) harness.report([task], 'failed');
      break;
    }
    case 'node': {
      const node = pick(cluster.state.nodes(), each.which);
      if (node && node.status.state !== each.to) cluster.withNodeState(node.id, each.to);
      break;
    }
    case 'availability': {
      const id = asId<NodeId>(`node-${(each.which % [...cluster.state.nodes()].length) + 1}`);
      cluster.apply({ type: 'node.updated', id, spec: nodeSpecSchema.parse({ availability: each.to }) });
      break;
    }
    case 'leader':
      harness.changeLeader(loops());
      break;
    case 'agents':
      harness.work();
      break;
    case 'time':
      harness.advance(each.ms);
  }
  harness.run();
}

describe('given services of several priorities on nodes that are too small for all of them', () => {
  it('when anything happens, then in the end nobody waits for room that those below have and can spare', () => {
    fc.assert(
      fc.property(history, ({ steps, ...given }) => {
        const onTransaction = (changes: ChangeSet, state: ClusterState) => {
          checkRoom(state);
          checkStops(changes, state);
        };
        const harness = new LoopHarness(build(given), loops(), { onTransaction });
        harness.run();
        for (const each of steps) take(harness, each);
        // No node stays silent: it is heard again, or given up.
        for (const node of harness.state.nodes()) {
          if (node.status.state === 'suspect') harness.cluster.withNodeState(node.id, 'ready');
        }
        for (let minute = 0; minute < 12; minute++) {
          settle(harness);
          harness.advance(30_000);
        }
        settle(harness);
        checkNoInversion(harness.state);
        // What was promised is kept, unless something outside of it changed.
        if (steps.every(({ kind }) => kind === 'fail' || kind === 'leader' || kind === 'agents')) {
          const events = harness.transactions.flatMap((each) => each.events);
          expect(events.filter(({ type }) => type === 'task.unnominated')).toEqual([]);
        }
        // And then it is quiet: nobody is stopped for anyone any more.
        const before = harness.state.index;
        harness.advance(600_000);
        settle(harness);
        expect(harness.state.index).toBe(before);
        for (const task of harness.state.tasks()) {
          if (task.evicted?.cause === 'preemption' && !isTerminal(task.status.state)) {
            expect(harness.state.node(task.nodeId ?? asId<NodeId>(''))?.status.state).not.toBe('ready');
          }
        }
      }),
    );
  });
});
