import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asId, type ServiceId, type TaskId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import { priorityOf } from '../../../model/service-spec.ts';
import { aCluster, type StateBuilder } from '../../../testing/state-builder.ts';
import { PlacementIndex } from '../placement-index.ts';
import { PlacementOverlay } from '../placement-overlay.ts';
import { type FoundRoom, findRoom } from './find-room.ts';
import { PreemptionBudgets } from './preemption-budgets.ts';

const HIGH = asId<ServiceId>('high');

const cluster = fc.record({
  nodes: fc.array(fc.integer({ min: 4, max: 8 }), { minLength: 1, maxLength: 6 }),
  services: fc.array(
    fc.record({
      priority: fc.constantFrom(-5, 0, 5, 10),
      cpus: fc.integer({ min: 1, max: 4 }),
      spares: fc.option(fc.nat(2), { nil: undefined }),
      on: fc.array(fc.nat(5), { maxLength: 6 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  cpus: fc.integer({ min: 1, max: 5 }),
  most: fc.nat(2),
  waiting: fc.integer({ min: 1, max: 8 }),
});

type Given = typeof cluster extends fc.Arbitrary<infer T> ? T : never;

function build({ nodes, services, cpus, most, waiting }: Given): StateBuilder {
  const built = aCluster();
  const free = new Map<string, number>();
  for (const [at, size] of nodes.entries()) {
    built.withNode({ cpus: size });
    free.set(`node-${at + 1}`, size);
  }
  for (const [at, service] of services.entries()) {
    const on = service.on.flatMap((n) => {
      const node = `node-${(n % nodes.length) + 1}`;
      const left = (free.get(node) ?? 0) - service.cpus;
      if (left < 0) return [];
      free.set(node, left);
      return [node];
    });
    const { priority, spares } = service;
    built.withService({
      name: `s${at}`,
      priority,
      replicas: on.length,
      ...(spares === undefined ? {} : { disruption: { maxUnavailable: spares } }),
      task: { image: 'image', resources: { reservations: { cpus: service.cpus } } },
    });
    for (const node of on) built.withTasks(`s${at}`, 1, { nodes: [node] });
  }
  const placement = { maxReplicasPerNode: most };
  const resources = { reservations: { cpus } };
  built.withService({ name: 'high', priority: 7, task: { image: 'image', resources, placement } });
  return built.withPending('high', waiting);
}

/** Room for so many of those that wait, as a scheduler would look for it that begins on this state. */
function look(built: StateBuilder, index: PlacementIndex, count: number): readonly FoundRoom[] {
  const { state } = built;
  const overlay = new PlacementOverlay();
  overlay.reset(index.nodes);
  const [group] = index.services.get(HIGH)?.groups.values() ?? [];
  if (!group) return [];
  const requirements = index.requirementsOf(group.service, group.key, group.sample, state);
  const rows = state.roots.tasks.ids;
  const tasks = group.first(count).map((id) => ({ id, row: rows.get(id) ?? 0 }));
  const budgets = new PreemptionBudgets();
  return findRoom({ service: group.service, requirements, tasks }, index, overlay, { state, budgets }).found;
}

function decide(built: StateBuilder, found: readonly FoundRoom[], index: PlacementIndex): void {
  const nodeOf = ({ slot }: FoundRoom) => index.nodes.nodes[slot]?.id ?? asId('');
  const by = (task: TaskId, over: Task) => ({
    ...{ task, service: HIGH, priority: 7 },
    over: priorityOf(built.state.service(over.serviceId)?.spec ?? {}),
  });
  const preempted = found.flatMap(({ id, victims }) =>
    victims.map(({ task }) => ({ id: task.id, by: by(id, task) })),
  );
  const nominated = found.map((room) => ({
    id: room.id,
    nodeId: nodeOf(room),
    victims: room.victims.map(({ task }) => task.id),
  }));
  const changes = built.apply(
    { type: 'task.preempted', rows: preempted },
    { type: 'task.nominated', rows: nominated },
  );
  expect(index.fold(changes, built.state)).toBe(true);
}

const told = (found: readonly FoundRoom[]) =>
  found.map(({ id, slot, victims }) => [id, slot, victims.map(({ task }) => task.id)]);

describe('given tasks that fit nowhere, and others of lower priorities', () => {
  it('when room is looked for in slices of any size, by one leader or several, then it is the same room', () => {
    let rooms = 0;
    fc.assert(
      fc.property(cluster, fc.array(fc.integer({ min: 1, max: 4 })), fc.boolean(), (given, slices, anew) => {
        const whole = build(given);
        const together = look(whole, PlacementIndex.of(whole.state), given.waiting);
        const built = build(given);
        let index = PlacementIndex.of(built.state);
        const inSlices: FoundRoom[] = [];
        for (let at = 0; ; at++) {
          const found = look(built, index, slices[at] ?? 1);
          if (found.length === 0) break;
          decide(built, found, index);
          inSlices.push(...found);
          if (anew) index = PlacementIndex.of(built.state);
        }
        expect(told(inSlices)).toEqual(told(together));
        rooms += together.length;
      }),
    );
    expect(rooms).toBeGreaterThan(50);
  });
});
