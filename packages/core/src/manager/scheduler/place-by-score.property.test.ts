/** Placing by rules and by filling nodes, held against a plain one: for each task, all nodes are looked at anew. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AffinityRule, selects } from '../../model/affinity.ts';
import { parseConstraintKey } from '../../model/constraint.ts';
import { constraintValue } from '../../model/constraint-match.ts';
import { asId, type ServiceId } from '../../model/ids.ts';
import type { Node, Task } from '../../model/objects.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { PlacementIndex } from './placement-index.ts';
import { PlacementOverlay } from './placement-overlay.ts';
import { needsOf, toNanoCpus } from './requirements.ts';
import { schedule } from './schedule.ts';

const SERVICES = ['s0', 's1', 's2'] as const;

const rule = fc.record({
  about: fc.constantFrom({ service: 's0' }, { service: 's1' }, { label: 'tier=a' }, { label: 'tier' }),
  topology: fc.constantFrom('node.id', 'node.labels.rack', 'node.labels.zone'),
  strength: fc.constantFrom('required' as const, 'preferred' as const),
});
const rules = fc
  .array(rule, { maxLength: 2 })
  .map((list) => list.map(({ about, ...rest }) => ({ ...about, ...rest })));

const service = fc.record({
  affinity: rules,
  antiAffinity: rules,
  strategy: fc.constantFrom('spread' as const, 'binpack' as const),
  preferences: fc.constantFrom<{ spread: string }[]>([], [{ spread: 'node.labels.rack' }]),
  cpus: fc.constantFrom(0.25, 0.5, 1),
  tier: fc.constantFrom('a', 'b', undefined),
});
type Asked = typeof service extends fc.Arbitrary<infer T> ? T : never;

function specOf({ cpus, tier, ...placement }: Asked, name: string): ServiceSpecInput & { name: string } {
  return {
    name,
    labels: tier === undefined ? {} : { tier },
    task: { placement, resources: { reservations: { cpus } } },
  };
}

/** What may happen to a cluster between two placements. */
type Happening = (cluster: StateBuilder, pick: number) => void;

const HAPPENINGS: readonly Happening[] = [
  (cluster, pick) => cluster.withNode(nodeOf(pick)),
  (cluster, pick) => {
    const node = picked([...cluster.state.nodes()], pick);
    if (node) cluster.apply({ type: 'node.removed', id: node.id });
  },
  (cluster, pick) => {
    const node = picked([...cluster.state.nodes()], pick);
    const labels = nodeOf(pick >> 3).labels;
    if (node) cluster.apply({ type: 'node.updated', id: node.id, spec: { ...node.spec, labels } });
  },
  (cluster, pick) => {
    const node = picked([...cluster.state.nodes()], pick);
    if (node) cluster.withRunning(SERVICES[pick % 3] ?? 's0', [node.id]);
  },
  (cluster, pick) => {
    const task = picked([...cluster.state.tasks()].filter(stands), pick);
    if (task) cluster.withStatus([task.id], pick % 3 ? 'complete' : 'shutdown');
  },
  (cluster, pick) => {
    const task = picked([...cluster.state.tasks()].filter(stands), pick);
    if (task) cluster.withDesired([task.id], 'shutdown');
  },
  (cluster, pick) => {
    const found = picked([...cluster.state.services()], pick);
    if (!found) return;
    const labels = pick % 2 ? { tier: 'a' } : {};
    const spec = { ...found.spec, labels };
    cluster.apply({ type: 'service.updated', id: found.id, spec, tasksChanged: false, portsChanged: false });
  },
];

function nodeOf(number: number) {
  const labels: Record<string, string> = { zone: 'ab'[number % 2] ?? '' };
  if (number % 5 !== 0) labels['rack'] = `r${number % 3}`;
  return { labels, cpus: 1 + (number % 3) };
}

function picked<T>(items: readonly T[], pick: number): T | undefined {
  return items[(pick >> 4) % Math.max(1, items.length)];
}

function stands(task: Task): boolean {
  return task.nodeId !== undefined && task.status.state !== 'new' && !isTerminal(task.status.state);
}

/** Places tasks one by one; nothing is kept from one to the next but what they have taken. */
class PlainPlacer {
  readonly #cluster: StateBuilder;
  readonly #extra = new Map<string, string[]>();

  constructor(cluster: StateBuilder) {
    this.#cluster = cluster;
  }

  place(sample: Task, count: number): string[] {
    const placed: string[] = [];
    while (placed.length < count) {
      const best = this.#best(sample);
      if (!best) break;
      placed.push(best.id);
      this.#extra.set(best.id, [...(this.#extra.get(best.id) ?? []), sample.serviceId]);
    }
    return placed;
  }

  #best(sample: Task): Node | undefined {
    const scored = [...this.#cluster.state.nodes()]
      .filter((node) => this.#isFit(node, sample))
      .map((node) => ({ node, score: this.#score(node, sample) }));
    scored.sort((a, b) => a.score.map((n, at) => n - (b.score[at] ?? 0)).find((n) => n !== 0) ?? 0);
    return scored[0]?.node;
  }

  #isFit(node: Node, sample: Task): boolean {
    if (this.#free(node) < needsOf(sample.spec).nanoCpus) return false;
    return this.#broken(node, sample, 'required') === 0;
  }

  #score(node: Node, sample: Task): number[] {
    const { placement } = sample.spec;
    const cpus =
      (this.#free(node) - needsOf(sample.spec).nanoCpus) / toNanoCpus(node.description.resources.cpus);
    const tasks = this.#on(node, true).length;
    const own = (each: Node) => this.#on(each, true).filter((id) => id === sample.serviceId).length;
    const last =
      placement.strategy === 'binpack'
        ? [Math.round(((cpus + 1) / 2) * (2 ** 19 - 1)), -tasks]
        : [own(node), tasks];
    const branches = placement.preferences.map(({ spread }) =>
      [...this.#cluster.state.nodes()]
        .filter((each) => valueUnder(each, spread) === valueUnder(node, spread))
        .reduce((sum, each) => sum + own(each), 0),
    );
    return [...branches, this.#broken(node, sample, 'preferred'), ...last];
  }

  #broken(node: Node, sample: Task, strength: AffinityRule['strength']): number {
    const { state } = this.#cluster;
    const self = state.service(sample.serviceId)?.spec;
    if (!self) throw new Error('the service exists');
    const { affinity = [], antiAffinity = [] } = sample.spec.placement;
    let broken = 0;
    for (const each of affinity.filter((one) => one.strength === strength)) {
      const near = this.#near(node, each, true);
      const anywhere = [...state.nodes()].some(
        (other) => this.#near(other, { ...each, topology: 'node.id' }, true) > 0,
      );
      const begins = near === 0 && selects(each, self) && !anywhere;
      if (near <= 0 && !begins) broken += 1;
    }
    for (const each of antiAffinity) {
      if (each.strength === strength && this.#near(node, each, false) > 0) broken += 1;
    }
    if (strength === 'preferred') return broken;
    for (const { spec } of state.services()) {
      if (spec.name === self.name) continue;
      for (const each of spec.task.placement.antiAffinity ?? []) {
        const theirs = { ...each, service: spec.name, label: undefined };
        if (each.strength === 'required' && selects(each, self) && this.#near(node, theirs, false) > 0)
          broken += 1;
      }
    }
    return broken;
  }

  /** Tasks near to a node; -1 where it is in no place. */
  #near(node: Node, each: AffinityRule, active: boolean): number {
    const place = valueUnder(node, each.topology);
    if (place === '') return -1;
    let near = 0;
    for (const other of this.#cluster.state.nodes()) {
      if (valueUnder(other, each.topology) !== place) continue;
      for (const id of this.#on(other, active)) {
        const spec = this.#cluster.state.service(asId<ServiceId>(id))?.spec;
        if (spec && selects(each, spec)) near += 1;
      }
    }
    return near;
  }

  /** Services of the tasks on a node. */
  #on(node: Node, active: boolean): string[] {
    const tasks = [...this.#cluster.state.tasksOfNode(node.id)].filter(stands);
    const counted = tasks.filter(({ desiredState }) => !active || isMeantToRun(desiredState));
    return [...counted.map(({ serviceId }) => serviceId), ...(this.#extra.get(node.id) ?? [])];
  }

  #free(node: Node): number {
    const taken = this.#on(node, false).reduce((sum, id) => {
      const spec = this.#cluster.state.service(asId<ServiceId>(id))?.spec;
      return sum + (spec ? needsOf(spec.task).nanoCpus : 0);
    }, 0);
    return toNanoCpus(node.description.resources.cpus) - taken;
  }
}

function valueUnder(node: Node, key: string): string {
  const parsed = parseConstraintKey(key);
  return parsed === undefined ? '' : constraintValue(node, parsed);
}

describe('given any services with rules, and any history', () => {
  it('when tasks are placed, then each gets the node that a fresh look at all nodes would give it', () => {
    const round = fc.record({
      happenings: fc.array(fc.tuple(fc.nat(HAPPENINGS.length - 1), fc.nat(2 ** 20)), { maxLength: 6 }),
      asks: fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 7 })), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 8 }),
        fc.tuple(service, service, service),
        fc.array(round, { minLength: 1, maxLength: 4 }),
        (nodes, services, rounds) => {
          const cluster = aCluster();
          for (const number of nodes) cluster.withNode(nodeOf(number));
          services.forEach((asked, at) => {
            cluster.withService(specOf(asked, SERVICES[at] ?? ''));
            cluster.withTasks(SERVICES[at] ?? '', 1, { state: 'new' });
          });
          const index = PlacementIndex.of(cluster.state);
          let seen = cluster.changes.length;
          const overlay = new PlacementOverlay();
          for (const { happenings, asks } of rounds) {
            for (const [happening, pick] of happenings) HAPPENINGS[happening]?.(cluster, pick);
            for (; seen < cluster.changes.length; seen++) {
              const changes = cluster.changes[seen];
              if (changes) index.fold(changes, cluster.state);
            }
            checkRound(cluster, index, overlay, asks);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

function checkRound(
  cluster: StateBuilder,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  asks: readonly (readonly [number, number])[],
): void {
  const kinds = asks.map(([at, count]) => {
    const id = asId<ServiceId>(SERVICES[at] ?? '');
    const entry = index.services.get(id);
    const sample = [...cluster.state.tasksOfService(id)].find(({ status }) => status.state === 'new');
    if (!entry || !sample) throw new Error('the service has a task');
    return { entry, sample, count };
  });
  for (const { entry, sample } of kinds) index.requirementsOf(entry, 'test', sample, cluster.state);
  overlay.reset(index.nodes);
  const plain = new PlainPlacer(cluster);
  for (const { entry, sample, count } of kinds) {
    const requirements = index.requirementsOf(entry, 'test', sample, cluster.state);
    const request = { service: entry, specVersion: 1, requirements, count, at: cluster.at };
    const steps = schedule(request, index, overlay);
    let step = steps.next();
    while (!step.done) step = steps.next();
    const { placed, slots } = step.value;
    const nodes = [...slots.slice(0, placed)].map((slot) => index.nodes.nodes[slot]?.id);
    expect(nodes).toEqual(plain.place(sample, count));
  }
}
