import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Plan } from '../manager/planner/plan.ts';
import { drain, type Plannable, scale } from '../manager/planner/plan-action.ts';
import type { ServiceSpecInput } from '../model/service-spec.ts';
import type { Cluster } from './cluster.ts';
import { aClusterOf, type NodeSize, places } from './test-support/simulated-nodes.ts';

/** Long enough for all that a plan plays through at once: every start, every stop, and the wait for a stuck one. */
const SETTLING_MS = 5 * 60_000;

const anyNode: fc.Arbitrary<NodeSize> = fc.record({
  cpus: fc.integer({ min: 1, max: 6 }),
  labels: fc.record({ zone: fc.constantFrom('a', 'b', 'c') }),
});

interface Wish {
  readonly replicas: number;
  readonly cpus: number;
  readonly zone: string;
  readonly spread: boolean;
  readonly most: number;
  readonly port: boolean;
}

const anyWish: fc.Arbitrary<Wish> = fc.record({
  replicas: fc.integer({ min: 0, max: 7 }),
  cpus: fc.constantFrom(0, 0.5, 1, 2),
  zone: fc.constantFrom('', '', 'a', 'b'),
  spread: fc.boolean(),
  most: fc.constantFrom(0, 0, 1, 2),
  port: fc.boolean(),
});

function specOf(name: string, { replicas, cpus, zone, spread, most, port }: Wish): ServiceSpecInput {
  return {
    name,
    replicas,
    ports: port ? [{ target: 80, published: 8080, mode: 'host' }] : [],
    task: {
      image: 'image',
      resources: { reservations: cpus === 0 ? {} : { cpus } },
      placement: {
        constraints: zone === '' ? [] : [`node.labels.zone==${zone}`],
        preferences: spread ? [{ spread: 'node.labels.zone' }] : [],
        maxReplicasPerNode: most,
      },
    },
  };
}

type Deed =
  | { readonly kind: 'apply'; readonly wish: Wish }
  | { readonly kind: 'scale'; readonly service: number; readonly replicas: number }
  | { readonly kind: 'drain'; readonly node: number };

const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ kind: fc.constant('apply' as const), wish: anyWish }),
  fc.record({ kind: fc.constant('scale' as const), service: fc.nat(), replicas: fc.nat(8) }),
  fc.record({ kind: fc.constant('drain' as const), node: fc.nat() }),
);

/** The deed as something to plan, and as a command that is carried out if the plan holds. */
function asBoth(deed: Deed, cluster: Cluster, services: number, nodes: number) {
  switch (deed.kind) {
    case 'apply': {
      const spec = specOf('new', deed.wish);
      return { plannable: spec, carryOut: (ifIndex: number) => cluster.services.apply(spec, { ifIndex }) };
    }
    case 'scale': {
      const name = `service-${deed.service % services}`;
      const { replicas } = deed;
      return {
        plannable: scale(name, replicas) as Plannable,
        carryOut: (ifIndex: number) => cluster.services.scale(name, replicas, { ifIndex }),
      };
    }
    case 'drain': {
      const name = `node-${1 + (deed.node % nodes)}`;
      return {
        plannable: drain(name) as Plannable,
        carryOut: (ifIndex: number) => cluster.nodes.update(name, { availability: 'drain' }, { ifIndex }),
      };
    }
  }
}

/** Where every service's tasks would be by the plan, from where they are. */
function planned(plan: Plan, before: ReadonlyMap<string, Record<number, string>>) {
  const places = new Map([...before].map(([service, slots]) => [service, { ...slots }]));
  for (const { service, slot } of plan.stopped) delete places.get(service)?.[slot];
  for (const { service, slot, node } of plan.placements) {
    const slots = places.get(service) ?? {};
    slots[slot] = node.name;
    places.set(service, slots);
  }
  return places;
}

it('given any cluster and any plan, when it is carried out with nothing else going on, then that comes of it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyNode, { minLength: 1, maxLength: 5 }),
      fc.array(anyWish, { minLength: 1, maxLength: 3 }),
      anyDeed,
      async (nodes, wishes, deed) => {
        const { cluster, run, clock } = await aClusterOf(nodes);
        const names = wishes.map((_, n) => `service-${n}`);
        for (const [n, wish] of wishes.entries())
          await run(cluster.services.apply(specOf(`service-${n}`, wish)));
        await clock.advance(SETTLING_MS);
        const placesNow = () => new Map([...names, 'new'].map((name) => [name, placesOf(cluster, name)]));
        const { plannable, carryOut } = asBoth(deed, cluster, wishes.length, nodes.length);
        const before = placesNow();
        const plan = await run(cluster.plan(plannable));
        expect(plan.complete).toBe(true);
        expect(placesNow()).toEqual(before);
        await run<unknown>(carryOut(plan.index));
        await clock.advance(SETTLING_MS);
        expect(placesNow()).toEqual(planned(plan, before));
        const waiting = cluster.tasks.list({ state: 'pending', desiredState: 'running' });
        const told = plan.unplaced.flatMap(({ service, slots }) => slots.map((slot) => `${service}.${slot}`));
        const nameOf = (id: string) => cluster.services.inspect(id).spec.name;
        const stillWaiting = waiting.map(({ serviceId, slot }) => `${nameOf(serviceId)}.${slot}`);
        expect(stillWaiting).toEqual(expect.arrayContaining(told));
        await run(cluster.close());
      },
    ),
    { numRuns: 40 },
  );
});

function placesOf(cluster: Cluster, name: string): Record<number, string> {
  return cluster.services.list({ name }).some(({ spec }) => spec.name === name) ? places(cluster, name) : {};
}
