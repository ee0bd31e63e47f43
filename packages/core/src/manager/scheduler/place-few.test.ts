import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asId, type ServiceId } from '../../model/ids.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { PlacementIndex } from './placement-index.ts';
import { PlacementOverlay } from './placement-overlay.ts';
import type { Placement, PlacementRequest } from './placement-request.ts';
import { schedule } from './schedule.ts';

const GIB = 1024 ** 3;

/** One service of each kind: plain, with a constraint, with reservations, with preferences, and mixed. */
const KINDS = [
  {},
  { placement: { constraints: ['node.labels.zone != a'] } },
  { resources: { reservations: { cpus: 0.5, memoryBytes: GIB } } },
  { placement: { preferences: [{ spread: 'node.labels.zone' }, { spread: 'node.labels.rack' }] } },
  {
    resources: { reservations: { cpus: 0.3 } },
    placement: { constraints: ['node.labels.rack == 1'], preferences: [{ spread: 'node.labels.zone' }] },
  },
  { placement: { maxReplicasPerNode: 1 } },
];

function withNodeOf(cluster: StateBuilder, number: number): void {
  const labels = { zone: ['a', 'b', 'c'][number % 3] ?? '', rack: String(number % 2) };
  cluster.withNode({ cpus: 1 + (number % 3), memoryBytes: (2 + (number % 4)) * GIB, labels });
}

function withServices(cluster: StateBuilder): StateBuilder {
  KINDS.forEach((task, kind) => {
    cluster.withService({ name: `s${kind}`, task });
  });
  return cluster;
}

/** Places `count` tasks of a service beyond what the overlay holds, whatever waits. */
function place(
  cluster: StateBuilder,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  kind: number,
  options: Pick<PlacementRequest, 'count' | 'look'>,
): { readonly placement: Placement; readonly work: number } {
  const id = asId<ServiceId>(`s${kind}`);
  const service = index.services.get(id);
  const sample = [...cluster.state.tasksOfService(id)].at(-1);
  if (!service || !sample) throw new Error('the service has tasks');
  const requirements = index.requirementsOf(service, 'test', sample, cluster.state);
  const request = { service, specVersion: 1, requirements, at: cluster.at, ...options };
  const steps = schedule(request, index, overlay);
  let work = 0;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return { placement: step.value, work };
    work += step.value;
  }
}

const placed = ({ placement }: { readonly placement: Placement }) => ({
  slots: [...placement.slots.slice(0, placement.placed)],
  generic: placement.generic,
});

/** What may happen to a cluster between two placements. */
type Happening = (cluster: StateBuilder, pick: number, state: ClusterState) => void;

const HAPPENINGS: readonly Happening[] = [
  (cluster, pick) => withNodeOf(cluster, pick),
  (cluster, pick, state) => {
    const node = pickFrom([...state.nodes()], pick);
    if (node) cluster.withNodeState(node.id, pick % 2 ? 'ready' : 'down');
  },
  (cluster, pick, state) => {
    const node = pickFrom([...state.nodes()], pick);
    if (node) cluster.withAvailability(node.id, pick % 2 ? 'active' : 'pause');
  },
  (cluster, pick, state) => {
    const nodes = [...state.nodes()];
    const node = pickFrom(nodes, pick);
    if (node && nodes.length > 1) cluster.apply({ type: 'node.removed', id: node.id });
  },
  (cluster, pick, state) => {
    const node = pickFrom([...state.nodes()], pick);
    const labels = { zone: 'abcd'[pick % 4] ?? '', rack: String(pick % 3) };
    if (node) cluster.apply({ type: 'node.updated', id: node.id, spec: { ...node.spec, labels } });
  },
  (cluster, pick, state) => {
    const node = pickFrom([...state.nodes()], pick);
    if (node) cluster.withRunning(`s${pick % KINDS.length}`, [node.id]);
  },
  (cluster, pick, state) => {
    const task = pickFrom(
      [...state.tasks()].filter((each) => each.status.state === 'running'),
      pick,
    );
    if (task) cluster.withStatus([task.id], pick % 3 ? 'failed' : 'complete');
  },
];

function pickFrom<T>(items: readonly T[], pick: number): T | undefined {
  return items[(pick >> 4) % Math.max(1, items.length)];
}

describe('given a few tasks to place', () => {
  it('when only a few nodes are looked at, then they get the nodes that a look at all would give them', () => {
    const round = fc.record({
      happenings: fc.array(fc.tuple(fc.nat(HAPPENINGS.length - 1), fc.nat(2 ** 20)), { maxLength: 8 }),
      asks: fc.array(fc.tuple(fc.nat(KINDS.length - 1), fc.integer({ min: 1, max: 6 })), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }),
        fc.array(round, { minLength: 1, maxLength: 6 }),
        (nodes, rounds) => {
          const cluster = aCluster();
          for (const number of nodes) withNodeOf(cluster, number);
          withServices(cluster);
          for (const kind of KINDS.keys()) cluster.withTasks(`s${kind}`, 1, { state: 'new' });
          const index = PlacementIndex.of(cluster.state);
          const few = new PlacementOverlay();
          const all = new PlacementOverlay();
          for (const { happenings, asks } of rounds) {
            for (const [happening, pick] of happenings) {
              const seen = cluster.changes.length;
              HAPPENINGS[happening]?.(cluster, pick, cluster.state);
              for (const changes of cluster.changes.slice(seen)) index.fold(changes, cluster.state);
            }
            few.reset(index.nodes);
            all.reset(index.nodes);
            for (const [kind, count] of asks) {
              const quick = place(cluster, index, few, kind, { count, look: 'few' });
              const whole = place(cluster, index, all, kind, { count, look: 'all' });
              expect(placed(quick)).toEqual(placed(whole));
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('given a cluster where a node of many goes down', () => {
  const SERVICES = 20;

  /** Nodes looked at and put in order, for a replacement of each task of the node. */
  function workAfterLoss(nodes: number, task: (typeof KINDS)[number]): number {
    const cluster = aCluster();
    for (let number = 0; number < nodes; number++) {
      const labels = { zone: ['a', 'b', 'c'][number % 3] ?? '', rack: String((number >> 2) % 2) };
      cluster.withNode({ cpus: 64, memoryBytes: 64 * GIB, labels });
    }
    for (let number = 0; number < SERVICES; number++) {
      cluster.withService({ name: `s${number}`, task });
      const ids = Array.from({ length: nodes / 10 }, (_, at) => `node-${1 + ((10 * at + number) % nodes)}`);
      cluster.withRunning(`s${number}`, ids);
    }
    const index = PlacementIndex.of(cluster.state);
    const overlay = new PlacementOverlay();
    overlay.reset(index.nodes);
    const one = { count: 1 };
    // The order is made when it is first asked for; from then on it is kept.
    for (let number = 0; number < SERVICES; number++) place(cluster, index, overlay, number, one);
    const seen = cluster.changes.length;
    cluster.withNodeState('node-2', 'down');
    for (const changes of cluster.changes.slice(seen)) index.fold(changes, cluster.state);
    overlay.reset(index.nodes);
    let work = 0;
    for (let number = 0; number < SERVICES; number++) {
      work += place(cluster, index, overlay, number, one).work;
    }
    return work;
  }

  it.each(KINDS.slice(0, 4))(
    'when its tasks are replaced, then the work is the same however many nodes there are: %j',
    (task) => {
      const small = workAfterLoss(300, task);
      const large = workAfterLoss(1_200, task);
      expect(small).toBeLessThan(20 * SERVICES);
      expect(large).toBeLessThanOrEqual(1.5 * small);
    },
  );
});
