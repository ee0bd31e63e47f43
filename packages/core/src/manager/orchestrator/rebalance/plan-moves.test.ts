import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ServiceSpecInput } from '../../../model/service-spec.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { aCluster, type BuiltNode, type StateBuilder } from '../../../testing/state-builder.ts';
import type { PlannedMoves } from './plan-moves.ts';
import { planOn } from './rebalancer.ts';

function plan(state: ClusterState, movesMax = 100): PlannedMoves {
  const steps = planOn(state, movesMax);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

const told = (cluster: StateBuilder, movesMax?: number) =>
  plan(cluster.state, movesMax).moves.map(({ service, from, to }) => `${service}: ${from} → ${to}`);

/** Four nodes in two zones; `node-3` and `node-4` are in `b`. */
const inZones = (n: number): BuiltNode => ({ labels: { zone: n <= 2 ? 'a' : 'b' } });
const aService = (name: string, replicas: number, more: Partial<ServiceSpecInput> = {}) => ({
  ...{ name, replicas, ...more },
  task: { image: 'a', ...more.task },
});

describe('given tasks of one service', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['are even', ['node-1', 'node-2', 'node-3'], []],
    ['differ by one', ['node-1', 'node-1', 'node-2', 'node-3'], []],
    [
      'are all on one node',
      ['node-1', 'node-1', 'node-1', 'node-1'],
      ['web: node-1 → node-2', 'web: node-1 → node-3'],
    ],
    [
      'leave a new node out',
      ['node-1', 'node-1', 'node-1', 'node-2', 'node-2', 'node-2'],
      ['web: node-1 → node-3', 'web: node-2 → node-3'],
    ],
  ])('when they %s, then those are moved that make them even', (_, nodes, moves) => {
    const cluster = aCluster()
      .withNodes(3)
      .withService(aService('web', nodes.length))
      .withRunning('web', nodes);
    expect(told(cluster)).toEqual(moves);
  });

  test('when a reason is asked, then it is told in words', () => {
    const cluster = aCluster().withNodes(2).withService(aService('web', 3));
    cluster.withRunning('web', ['node-1', 'node-1', 'node-1']);
    expect(plan(cluster.state).moves[0]).toMatchObject({
      task: 'web-3',
      slot: 3,
      reason: 'node-1 has 3 of web, node-2 0',
    });
  });

  test('when they are to be spread over zones, then zones come first and nodes after', () => {
    const task = { image: 'a', placement: { preferences: [{ spread: 'node.labels.zone' }] } };
    const cluster = aCluster()
      .withNodes(4, inZones)
      .withService(aService('web', 6, { task }));
    cluster.withRunning('web', ['node-1', 'node-1', 'node-1', 'node-2', 'node-2', 'node-3']);
    expect(told(cluster)).toEqual(['web: node-1 → node-4', 'web: node-1 → node-3']);
  });

  test.each<[string, (cluster: StateBuilder) => unknown]>([
    [
      'the other nodes are drained',
      (c) => c.withAvailability('node-2', 'drain').withAvailability('node-3', 'drain'),
    ],
    [
      'the other nodes are paused',
      (c) => c.withAvailability('node-2', 'pause').withAvailability('node-3', 'pause'),
    ],
    ['the other nodes are down', (c) => c.withNodeState('node-2', 'down').withNodeState('node-3', 'down')],
    ['their own node is drained', (c) => c.withAvailability('node-1', 'drain')],
    [
      'one of them is evicted already',
      (c) =>
        c.apply({
          type: 'task.evicted',
          cause: 'constraint',
          ids: c
            .tasks('web')
            .slice(0, 1)
            .map(({ id }) => id),
        }),
    ],
  ])('when %s, then none is moved', (_, change) => {
    const cluster = aCluster().withNodes(3).withService(aService('web', 3));
    cluster.withRunning('web', ['node-1', 'node-1', 'node-1']);
    change(cluster);
    expect(told(cluster)).toEqual([]);
  });

  test.each<[string, Partial<ServiceSpecInput>]>([
    ['it must stay on its node', { task: { placement: { constraints: ['node.hostname==node-1'] } } }],
    ['the others have no room', { task: { resources: { reservations: { cpus: 4 } } } }],
    ['it does not want to be moved', { disruption: { rebalance: false } }],
  ])('when %s, then none is moved', (_, spec) => {
    const cluster = aCluster()
      .withNode({ cpus: 16 })
      .withNode({ cpus: 2 })
      .withService(aService('web', 3, spec));
    cluster.withRunning('web', ['node-1', 'node-1', 'node-1']);
    expect(told(cluster)).toEqual([]);
  });

  test('when there is room for one, then one is moved', () => {
    const task = { image: 'a', resources: { reservations: { cpus: 2 } } };
    const cluster = aCluster()
      .withNode({ cpus: 16 })
      .withNode({ cpus: 3 })
      .withService(aService('web', 6, { task }));
    cluster.withRunning(
      'web',
      Array.from({ length: 6 }, () => 'node-1'),
    );
    expect(told(cluster)).toEqual(['web: node-1 → node-2']);
  });

  test('when more would be moved than may be, then that is told', () => {
    const cluster = aCluster().withNodes(2).withService(aService('web', 10));
    cluster.withRunning(
      'web',
      Array.from({ length: 10 }, () => 'node-1'),
    );
    expect(plan(cluster.state, 3)).toMatchObject({ complete: false });
    expect(plan(cluster.state, 3).moves).toHaveLength(3);
    expect(plan(cluster.state)).toMatchObject({ complete: true });
    expect(plan(cluster.state).moves).toHaveLength(5);
  });
});

describe('given many services of one task each', () => {
  test('when a node has none, then tasks move to it until nodes differ by one, though each service is even', () => {
    const cluster = aCluster().withNodes(3);
    for (let n = 1; n <= 6; n++) {
      cluster.withService(aService(`s${n}`, 1)).withRunning(`s${n}`, [n <= 3 ? 'node-1' : 'node-2']);
    }
    const { moves } = plan(cluster.state);
    expect(moves.map(({ from, to }) => `${from} → ${to}`).sort()).toEqual([
      'node-1 → node-3',
      'node-2 → node-3',
    ]);
    expect(moves[0]?.reason).toBe('node-1 has 3 tasks, node-3 0');
  });

  test('when a service would come to be spread less evenly, then it is left alone', () => {
    const cluster = aCluster().withNodes(2);
    cluster.withService(aService('web', 2)).withRunning('web', ['node-1', 'node-2']);
    for (let n = 1; n <= 4; n++) {
      const disruption = { rebalance: false };
      cluster.withService(aService(`s${n}`, 1, { disruption })).withRunning(`s${n}`, ['node-1']);
    }
    expect(told(cluster)).toEqual([]);
  });
});

test('given any cluster, when plans are carried out, then soon there is nothing left to move', () => {
  const anyService = fc.record({
    tasks: fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }),
    zones: fc.boolean(),
    cpus: fc.constantFrom(0, 0.5, 1),
    max: fc.constantFrom(0, 0, 3),
  });
  fc.assert(
    fc.property(fc.array(anyService, { minLength: 1, maxLength: 5 }), (services) => {
      const build = (places: readonly (readonly number[])[]) => {
        const cluster = aCluster().withNodes(5, (n) => ({ ...inZones(n), cpus: 4 + n }));
        services.forEach(({ zones, cpus, max }, n) => {
          const nodes = (places[n] ?? []).map((place) => `node-${place + 1}`);
          const task = {
            image: 'a',
            placement: {
              preferences: zones ? [{ spread: 'node.labels.zone' }] : [],
              maxReplicasPerNode: max,
            },
            ...(cpus === 0 ? {} : { resources: { reservations: { cpus } } }),
          };
          cluster.withService(aService(`s${n}`, nodes.length, { task })).withRunning(`s${n}`, nodes);
        });
        return cluster;
      };
      const places = services.map(({ tasks }) => [...tasks]);
      const rounds: number[] = [];
      for (let found = true; found; ) {
        const { moves, complete } = plan(build(places).state, 1_000);
        expect(complete).toBe(true);
        expect(new Set(moves.map(({ task }) => task)).size).toBe(moves.length);
        for (const { service, slot, from, to } of moves) {
          const tasks = places[Number(service.slice(1))] ?? [];
          expect(`node-${(tasks[slot - 1] ?? -1) + 1}`).toBe(from);
          tasks[slot - 1] = Number(to.slice(5)) - 1;
        }
        found = moves.length > 0;
        rounds.push(moves.length);
      }
      // A task moves once in a plan, and what it frees can be used only afterwards: that may take a plan or two more.
      const isRoomy = services.every(({ cpus, max }) => cpus === 0 && max === 0);
      expect(rounds.length, rounds.join()).toBeLessThanOrEqual(isRoomy ? 3 : 6);
    }),
    { numRuns: 200 },
  );
});
