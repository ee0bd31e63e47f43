import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { constraintValue, meetsConstraints } from '../../model/constraint-match.ts';
import { asId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import type { Node, Task } from '../../model/objects.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import { isMeantToRun, isTerminal, type TaskState, taskStateRank } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, aDescription, type BuiltNode, type StateBuilder } from '../../testing/state-builder.ts';
import { PlacementIndex } from './placement-index.ts';
import { PlacementOverlay } from './placement-overlay.ts';
import type { Placement } from './placement-request.ts';
import { hostPortsOf, needsOf, toNanoCpus } from './requirements.ts';
import { schedule } from './schedule.ts';
import { createScheduler } from './scheduler.ts';

const GIB = 1024 ** 3;

/** What random services ask; each is found in some history. */
const KINDS = [
  {},
  { resources: { reservations: { cpus: 0.7 } } },
  { resources: { reservations: { memoryBytes: GIB } } },
  { resources: { reservations: { generic: { gpu: 1 } } } },
  { placement: { constraints: ['node.labels.zone != a'] } },
  { placement: { maxReplicasPerNode: 2 } },
  { placement: { preferences: [{ spread: 'node.labels.zone' }, { spread: 'node.labels.rack' }] } },
  {
    resources: { reservations: { cpus: 0.3 } },
    placement: { preferences: [{ spread: 'node.labels.zone' }] },
  },
];

function randomNode(number: number): BuiltNode {
  return {
    cpus: 1 + (number % 3),
    memoryBytes: (1 + (number % 4)) * GIB,
    generic: number % 3 === 0 ? { gpu: ['g0', 'g1'] } : number % 3 === 1 ? { gpu: 2 } : {},
    labels: { zone: ['a', 'b', 'c'][number % 3] ?? '', rack: String(number % 2) },
    state: number % 7 === 0 ? 'down' : 'ready',
    availability: number % 11 === 0 ? 'pause' : 'active',
  };
}

const STATES: readonly TaskState[] = [
  'accepted',
  'running',
  'complete',
  'shutdown',
  'failed',
  'failed',
  'rejected',
  'orphaned',
];

/** One random happening. `pick` chooses among what there is. */
type Step = (cluster: StateBuilder, pick: number) => void;

const STEPS: readonly Step[] = [
  (cluster, pick) => cluster.withNode(randomNode(pick)),
  (cluster, pick) =>
    withNode(cluster, pick, (node) => cluster.withNodeState(node.id, pick % 2 ? 'ready' : 'down')),
  (cluster, pick) =>
    withNode(cluster, pick, (node) =>
      cluster.withAvailability(node.id, (['active', 'pause', 'drain'] as const)[pick % 3] ?? 'active'),
    ),
  (cluster, pick) =>
    withNode(cluster, pick, ({ id }) => {
      const description = aDescription(randomNode(pick >> 3));
      cluster.apply({ type: 'node.described', id, description, address: '10.0.0.9' });
    }),
  (cluster, pick) => withNode(cluster, pick, ({ id }) => cluster.apply({ type: 'node.removed', id })),
  (cluster, pick) => {
    const task = KINDS[pick % KINDS.length] ?? {};
    const ports = pick % 5 === 0 ? [{ target: 80, published: 80 + (pick % 2), mode: 'host' as const }] : [];
    cluster.withService({ name: `service-${cluster.state.index}`, task, ports });
  },
  (cluster, pick) => withService(cluster, pick, (id) => cluster.withPending(id, 1 + (pick % 6))),
  (cluster, pick) => withService(cluster, pick, (id) => cluster.withPending(id, 1 + (pick % 6))),
  (cluster, pick) => withService(cluster, pick, (id) => cluster.withTasks(id, 2, { state: 'new' })),
  (cluster, pick) =>
    withTask(cluster, pick, ({ id, serviceId, slot }) => {
      const isKnown = cluster.state.service(serviceId) !== undefined;
      if (isKnown && slot !== 0) cluster.withTasks(serviceId, 1, { slot, replaces: id });
    }),
  (cluster, pick) =>
    withService(cluster, pick, (id) => {
      const spec = cluster.state.service(id)?.spec;
      if (spec) cluster.apply({ type: 'service.updated', id, spec, tasksChanged: true, portsChanged: false });
    }),
  (cluster, pick) => {
    if (pick % 4 === 0) withService(cluster, pick, (id) => cluster.apply({ type: 'service.removed', id }));
  },
  ...Array.from(
    { length: 4 },
    (): Step => (cluster, pick) => {
      withTask(cluster, pick, (task) => {
        const state = STATES[pick % STATES.length] ?? 'running';
        const owned = taskStateRank(task.status.state) >= taskStateRank('assigned');
        // What has ended stays as it ended: a failure that became an orphan would be a failure that never was.
        const goesOn =
          !isTerminal(task.status.state) && taskStateRank(state) > taskStateRank(task.status.state);
        if (owned && goesOn) cluster.withStatus([task.id], state);
      });
    },
  ),
  (cluster, pick) =>
    withTask(cluster, pick, ({ id }) => cluster.withDesired([id], pick % 2 ? 'shutdown' : 'remove')),
  (cluster, pick) =>
    withTask(cluster, pick, (task) => {
      // A failed task is kept: what a new leader knows of failures rests on it.
      if (task.status.state !== 'failed' && task.status.state !== 'rejected') {
        cluster.apply({ type: 'task.removed', ids: [task.id] });
      }
    }),
  (cluster, pick) => {
    cluster.after(pick % 100_000);
  },
];

function withNode(cluster: StateBuilder, pick: number, act: (node: Node) => void): void {
  const node = pickFrom([...cluster.state.nodes()], pick);
  if (node) act(node);
}

function withService(cluster: StateBuilder, pick: number, act: (id: ServiceId) => void): void {
  const service = pickFrom([...cluster.state.services()], pick);
  if (service) act(service.id);
}

function withTask(cluster: StateBuilder, pick: number, act: (task: Task) => void): void {
  const task = pickFrom([...cluster.state.tasks()], pick);
  if (task) act(task);
}

function pickFrom<T>(items: readonly T[], pick: number): T | undefined {
  return items[(pick >> 4) % Math.max(1, items.length)];
}

const history = fc.array(
  fc.record({
    step: fc.nat(STEPS.length - 1),
    pick: fc.nat(2 ** 20),
    decide: fc.integer({ min: 0, max: 2 }),
  }),
  { minLength: 5, maxLength: 60 },
);

/** What an index holds, by ids, so that two can be compared whatever slots they gave. */
function contents(index: PlacementIndex, now: number): unknown {
  const names = index.nodes.nodes.map((node) => node?.id ?? '');
  const nodes = index.nodes.nodes.flatMap((node, slot) =>
    node === undefined
      ? []
      : [
          {
            id: node.id,
            row: index.nodes.rows[slot],
            takesTasks: index.nodes.takesTasks[slot],
            cpus: index.nodes.freeNanoCpus[slot],
            memory: index.nodes.freeMemoryBytes[slot],
            active: index.nodes.active[slot],
            holding: index.nodes.holding[slot],
            ports: [...index.nodes.heldPorts(slot)].sort(),
            gpus: index.nodes.genericUse(slot)?.amount('gpu') ?? 0,
            taken: ['g0', 'g1'].filter((name) => index.nodes.genericUse(slot)?.isTaken('gpu', name)),
          },
        ],
  );
  const services = [...index.services.values()].map((service) => {
    const active: [string, number][] = [];
    service.active.forEach((slot, count) => {
      active.push([names[slot] ?? '', count]);
    });
    const yielding: [string, number][] = [];
    service.yielding.forEach((slot, count) => {
      yielding.push([names[slot] ?? '', count]);
    });
    const failures: [number, string, number][] = [];
    for (const [version, record] of service.failures) {
      for (const [slot, name] of names.entries()) {
        const count = record.count(slot, now);
        if (count > 0) failures.push([version, name, count]);
      }
    }
    const waiting = [...service.groups.values()].map((group) => [group.key, group.all().sort()]);
    return {
      id: service.id,
      active: active.sort(),
      yielding: yielding.sort(),
      failures: failures.sort(),
      waiting: waiting.sort(),
    };
  });
  const preassigned = nodes.map(({ id }) => [id, [...index.waiting.preassigned.of(id)].sort()]);
  return {
    nodes: nodes.sort((a, b) => (a.id < b.id ? -1 : 1)),
    services: services
      .filter(({ active, failures, waiting }) => active.length + failures.length + waiting.length > 0)
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    unwanted: [...index.waiting.unwanted].sort(),
    preassigned: preassigned.sort(),
  };
}

function holdsPlace(task: Task): boolean {
  const { state } = task.status;
  return task.nodeId !== undefined && taskStateRank(state) >= taskStateRank('assigned') && !isTerminal(state);
}

/** Checks an assignment against the state after it, by plain counting. */
function checkAssignment(event: Extract<ClusterEvent, { type: 'task.assigned' }>, state: ClusterState): void {
  for (const { nodeId, tasks } of event.rows) {
    const node = state.node(nodeId);
    if (!node) throw new Error(`node ${nodeId} does not exist`);
    expect(node.status.state).toBe('ready');
    expect(node.spec.availability).toBe('active');
    const held = [...state.tasksOfNode(nodeId)].filter(holdsPlace);
    const given = tasks.flatMap((id) => state.task(id) ?? []);
    for (const task of given) {
      const { placement } = task.spec;
      expect(meetsConstraints(node, placement.constraints)).toBe(true);
      const sameService = held.filter(
        (other) => other.serviceId === task.serviceId && isMeantToRun(other.desiredState),
      );
      if (placement.maxReplicasPerNode > 0) {
        expect(sameService.length).toBeLessThanOrEqual(placement.maxReplicasPerNode);
      }
      checkResources(node, held, task);
    }
  }
}

function checkResources(node: Node, held: readonly Task[], task: Task): void {
  const { resources } = node.description;
  const sum = (of: (task: Task) => number) => held.reduce((total, each) => total + of(each), 0);
  const needs = needsOf(task.spec);
  if (needs.nanoCpus > 0) {
    expect(sum((each) => needsOf(each.spec).nanoCpus)).toBeLessThanOrEqual(toNanoCpus(resources.cpus));
  }
  if (needs.memoryBytes > 0) {
    expect(sum((each) => needsOf(each.spec).memoryBytes)).toBeLessThanOrEqual(resources.memoryBytes);
  }
  const ports = held.flatMap((each) => hostPortsOf(each.ports));
  for (const port of hostPortsOf(task.ports)) expect(ports.filter((other) => other === port)).toHaveLength(1);
  const offer = resources.generic['gpu'];
  if (needs.generic.length === 0) return;
  if (typeof offer === 'number') {
    expect(sum((each) => each.spec.resources.reservations.generic?.['gpu'] ?? 0)).toBeLessThanOrEqual(offer);
    return;
  }
  const names = held.flatMap((each) => each.assignedGeneric?.['gpu'] ?? []);
  for (const name of task.assignedGeneric?.['gpu'] ?? ['none']) {
    expect(offer).toContain(name);
    expect(names.filter((other) => other === name)).toHaveLength(1);
  }
}

describe('given any history', () => {
  it('when the scheduler decides on the way, then it never overbooks a node nor breaks a rule', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const cluster = aCluster();
        const harness = new LoopHarness(cluster, [createScheduler()], {
          onTransaction: (changes, state) => {
            if (changes.actor.kind !== 'loop') return;
            const before = harness.transactions.at(-1)?.events ?? [];
            for (const event of before) if (event.type === 'task.assigned') checkAssignment(event, state);
          },
        });
        for (const { step, pick, decide } of steps) {
          STEPS[step]?.(cluster, pick);
          if (decide === 0) harness.run();
        }
        harness.run();
        for (const task of cluster.state.tasks()) {
          if (task.status.state !== 'pending') continue;
          // Whoever still waits is wanted, and knows why.
          expect(isMeantToRun(task.desiredState)).toBe(true);
          expect(task.explanation?.message ?? '').not.toBe('');
        }
      }),
      { numRuns: 200 },
    );
  });

  it('when it was folded into the index, then the index is that of the state', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const cluster = aCluster();
        const index = PlacementIndex.of(cluster.state);
        const harness = new LoopHarness(cluster, [createScheduler()], {
          onTransaction: (changes, state) => {
            expect(index.fold(changes, state)).toBe(true);
          },
        });
        for (const { step, pick, decide } of steps) {
          STEPS[step]?.(cluster, pick);
          if (decide === 0) harness.run();
        }
        harness.run();
        const now = cluster.state.at;
        expect(contents(index, now)).toEqual(contents(PlacementIndex.of(cluster.state), now));
      }),
      { numRuns: 200 },
    );
  });

  it('when a new leader takes over, then it has nothing to add', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const cluster = aCluster();
        const harness = new LoopHarness(cluster, [createScheduler()]);
        for (const { step, pick, decide } of steps) {
          STEPS[step]?.(cluster, pick);
          if (decide === 0) harness.run();
        }
        harness.run();
        const again = new LoopHarness(cluster, [createScheduler()]);
        const events = again.run();
        // What has not changed for a waiting task is counted anew, so its explanation may be brought up to date.
        expect(events.filter((event) => event.type !== 'task.unplaced')).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

/** A cluster with some tasks on it, and one group that waits. */
const waitingGroup = fc.record({
  nodes: fc.array(fc.nat(30), { minLength: 1, maxLength: 12 }),
  running: fc.array(fc.nat(100), { maxLength: 30 }),
  kind: fc.nat(KINDS.length - 1),
  count: fc.integer({ min: 1, max: 40 }),
});

function build(group: { nodes: number[]; running: number[]; kind: number; count: number }): StateBuilder {
  const cluster = aCluster();
  for (const number of group.nodes) cluster.withNode({ ...randomNode(number), state: 'ready' });
  cluster.withService({ name: 'other' }).withService({ name: 'web', task: KINDS[group.kind] ?? {} });
  for (const pick of group.running) {
    cluster.withRunning(pick % 2 ? 'other' : 'web', [`node-${1 + (pick % group.nodes.length)}`]);
  }
  return cluster.withPending('web', group.count);
}

function place(
  cluster: StateBuilder,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  count: number,
): Placement {
  const service = index.services.get(asId<ServiceId>('web'));
  const group = [...(service?.groups.values() ?? [])][0];
  if (!service || !group) throw new Error('a group waits');
  const requirements = index.requirementsOf(service, group.key, group.sample, cluster.state);
  const request = { service, specVersion: group.specVersion, requirements, count, at: cluster.at };
  const steps = schedule(request, index, overlay);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

function placedSlots({ slots, placed }: Placement): number[] {
  return [...slots.slice(0, placed)];
}

describe('given a group that waits', () => {
  it('when it is placed in any slices, one after the other, then the placement is that of the whole', () => {
    fc.assert(
      fc.property(
        waitingGroup,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (group, sizes) => {
          const cluster = build(group);
          const index = PlacementIndex.of(cluster.state);
          const overlay = new PlacementOverlay();
          overlay.reset(index.nodes);
          const whole = placedSlots(place(cluster, index, overlay, group.count));

          overlay.reset(index.nodes);
          const sliced: number[] = [];
          for (let turn = 0, left = group.count; left > 0; turn++) {
            const size = Math.min(left, sizes[turn % sizes.length] ?? 1);
            sliced.push(...placedSlots(place(cluster, index, overlay, size)));
            left -= size;
          }
          expect(sliced).toEqual(whole);
        },
      ),
    );
  });

  it('when each slice is applied before the next is placed, then the placement is that of the whole, too', () => {
    fc.assert(
      fc.property(waitingGroup, fc.integer({ min: 1, max: 9 }), (group, size) => {
        const cluster = build(group);
        const index = PlacementIndex.of(cluster.state);
        const overlay = new PlacementOverlay();
        overlay.reset(index.nodes);
        const whole = placedSlots(place(cluster, index, overlay, group.count));
        const sliced: number[] = [];
        const ids = cluster.tasks('web').flatMap((task) => (task.status.state === 'pending' ? task.id : []));
        while (ids.length > 0) {
          overlay.reset(index.nodes);
          const placement = place(cluster, index, overlay, Math.min(size, ids.length));
          if (placement.placed === 0) break;
          sliced.push(...placedSlots(placement));
          for (const [at, slot] of placedSlots(placement).entries()) {
            assign(cluster, index, ids.shift() ?? asId<TaskId>(''), slot, placement.generic[at]);
          }
        }
        expect(sliced).toEqual(whole);
      }),
    );
  });

  it('when it has no preferences, then each task gets the node that the plain rule says', () => {
    fc.assert(
      fc.property(waitingGroup, (group) => {
        const kind = group.kind % 6;
        const cluster = build({ ...group, kind });
        const index = PlacementIndex.of(cluster.state);
        const overlay = new PlacementOverlay();
        overlay.reset(index.nodes);
        const placement = place(cluster, index, overlay, group.count);
        const nodes = placedSlots(placement).map((slot) => index.nodes.nodes[slot]?.id);
        expect(nodes).toEqual(placeByRule(cluster, group.count));
      }),
    );
  });

  it('when nodes are equal, then the numbers of tasks on them differ by one at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100 }), (nodes, count) => {
        const cluster = aCluster().withNodes(nodes).withService({ name: 'web' }).withPending('web', count);
        new LoopHarness(cluster, [createScheduler()]).run();
        const counts = [...cluster.state.nodes()].map(({ id }) => [...cluster.state.tasksOfNode(id)].length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('when it has preferences and room everywhere, then branches under the same one differ by one at most', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 15 }), fc.nat(60), (numbers, count) => {
        const cluster = aCluster();
        for (const number of numbers) cluster.withNode({ labels: randomNode(number).labels ?? {} });
        const preferences = [{ spread: 'node.labels.zone' }, { spread: 'node.labels.rack' }];
        cluster
          .withService({ name: 'web', task: { placement: { preferences } } })
          .withPending('web', count + 1);
        new LoopHarness(cluster, [createScheduler()]).run();
        const zones = tasksBy(cluster, ['zone']);
        expectLevel(zones.values());
        for (const zone of zones.keys()) {
          const racks = [...tasksBy(cluster, ['zone', 'rack'])].filter(([key]) => key.startsWith(`${zone}/`));
          expectLevel(racks.map(([, tasks]) => tasks));
        }
      }),
    );
  });

  it('when equal tasks come in another order, then as many of each service get to each node', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 10 }),
        fc.array(fc.nat(KINDS.length - 1), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
        (nodes, kinds, order) => {
          const results = [false, true].map((shuffled) => {
            const cluster = aCluster();
            for (const number of nodes) cluster.withNode(randomNode(number));
            kinds.forEach((kind, number) => {
              cluster.withService({ name: `s${number}`, task: KINDS[kind] ?? {} });
              cluster.withTasks(`s${number}`, 6, { state: 'new' });
            });
            const ids = [...cluster.state.tasks()].map((task) => task.id);
            const permuted = ids.map((id, at) => [order[at] ?? 0, id] as const).sort((a, b) => a[0] - b[0]);
            cluster.apply({ type: 'task.allocated', ids: shuffled ? permuted.map(([, id]) => id) : ids });
            new LoopHarness(cluster, [createScheduler()]).run();
            const counts = new Map<string, number>();
            for (const task of cluster.state.tasks()) {
              const key = `${task.serviceId} on ${task.nodeId}`;
              counts.set(key, (counts.get(key) ?? 0) + 1);
            }
            return [...counts].sort();
          });
          expect(results[1]).toEqual(results[0]);
        },
      ),
    );
  });
});

function assign(
  cluster: StateBuilder,
  index: PlacementIndex,
  id: TaskId,
  slot: number,
  generic: AssignedGeneric | undefined,
): void {
  const nodeId = index.nodes.nodes[slot]?.id ?? asId<NodeId>('');
  const row = { nodeId, tasks: [id], ...(generic === undefined ? {} : { generic: { [id]: generic } }) };
  index.fold(cluster.apply({ type: 'task.assigned', rows: [row] }), cluster.state);
}

/** The scheduler's rule in its plainest form: for each task, look at every node. */
function placeByRule(cluster: StateBuilder, count: number): NodeId[] {
  const spec = cluster.state.serviceByName('web')?.spec.task;
  if (!spec) return [];
  const needs = needsOf(spec);
  const chosen: NodeId[] = [];
  const nodes = [...cluster.state.nodes()].map((node) => {
    const tasks = [...cluster.state.tasksOfNode(node.id)];
    const web = tasks.filter((task) => task.serviceId === 'web');
    const offer = node.description.resources.generic['gpu'] ?? 0;
    const gpus = typeof offer === 'number' ? offer : offer.length;
    return {
      node,
      web: web.length,
      all: tasks.length,
      cpus: toNanoCpus(node.description.resources.cpus) - web.length * needs.nanoCpus,
      memory: node.description.resources.memoryBytes - web.length * needs.memoryBytes,
      // Tasks that were put there by hand were given no names, so of named ones nothing is taken.
      gpus: gpus - (typeof offer === 'number' ? web.length * (needs.generic[0]?.[1] ?? 0) : 0),
    };
  });
  for (let placed = 0; placed < count; placed++) {
    const fit = nodes.filter(
      ({ node, web, cpus, memory, gpus }) =>
        node.spec.availability === 'active' &&
        (needs.nanoCpus === 0 || cpus >= needs.nanoCpus) &&
        (needs.memoryBytes === 0 || memory >= needs.memoryBytes) &&
        (needs.generic.length === 0 || gpus >= 1) &&
        meetsConstraints(node, spec.placement.constraints) &&
        (spec.placement.maxReplicasPerNode === 0 || web < spec.placement.maxReplicasPerNode),
    );
    const best = fit.sort((a, b) => a.web - b.web || a.all - b.all || nodes.indexOf(a) - nodes.indexOf(b))[0];
    if (!best) break;
    best.web += 1;
    best.all += 1;
    best.cpus -= needs.nanoCpus;
    best.memory -= needs.memoryBytes;
    best.gpus -= needs.generic[0]?.[1] ?? 0;
    chosen.push(best.node.id);
  }
  return chosen;
}

function tasksBy(cluster: StateBuilder, labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of cluster.state.nodes()) {
    const key = `${labels.map((label) => constraintValue(node, { kind: 'node.labels', label })).join('/')}/`;
    counts.set(key, (counts.get(key) ?? 0) + [...cluster.state.tasksOfNode(node.id)].length);
  }
  return new Map([...counts].map(([key, tasks]) => [key.replace(/\/$/, ''), tasks]));
}

function expectLevel(counts: Iterable<number>): void {
  const all = [...counts];
  expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(1);
}
