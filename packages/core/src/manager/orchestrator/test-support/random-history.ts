/**
 * Random histories of users, failures, nodes that come and go, changes of leader and time, with every loop that decides
 * about tasks at work: what properties of the orchestrator, and of what is told of it, are tested on.
 */

import * as fc from 'fast-check';
import { asId, type NodeId } from '../../../model/ids.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../../model/service-spec.ts';
import { seededRandom } from '../../../runtime/random.ts';
import { isPaused } from '../../../state/update-standing.ts';
import type { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster } from '../../../testing/state-builder.ts';
import { createAllocator } from '../../allocator/allocator.ts';
import { resumeUpdate } from '../../api/update-commands.ts';
import { createScheduler } from '../../scheduler/scheduler.ts';
import { createConstraintEnforcer } from '../constraint-enforcer.ts';
import { createGlobalOrchestrator } from '../global.ts';
import { createJobsOrchestrator } from '../jobs/jobs.ts';
import { createOrphanKeeper } from '../orphan-keeper.ts';
import { createReplicatedOrchestrator } from '../replicated.ts';
import { createStartOrder } from '../start-order/start-order.ts';
import { createTaskReaper } from '../task-reaper.ts';
import { type CommonStep, commonSteps, takeCommonStep } from './common-steps.ts';

/** Two slots or so in a turn, so that whole services are looked at in slices here too. */
const SLOTS_PER_TURN = 2;

/** The loops that decide about tasks, in new instances. */
export const loops = () => [
  createReplicatedOrchestrator(SLOTS_PER_TURN),
  createGlobalOrchestrator(),
  createJobsOrchestrator(SLOTS_PER_TURN),
  createStartOrder(SLOTS_PER_TURN),
  createConstraintEnforcer(),
  createAllocator(SLOTS_PER_TURN),
  createScheduler(),
  createOrphanKeeper(),
  createTaskReaper(),
];

/** The nodes of the test clusters. */
export const NODES = ['node-1', 'node-2', 'node-3', 'node-4'] as const;
/** The services of {@link aTestCluster}. */
export const SERVICES = ['web', 'job', 'store', 'agent'] as const;
/** Those, and what {@link aClusterThatRests} adds. */
const UPDATED = [...SERVICES, 'once', 'tries', 'each'] as const;

/** One thing that happens. */
export type Step =
  | { readonly do: 'scale'; readonly service: 'web' | 'job'; readonly replicas: number }
  | {
      readonly do: 'update';
      readonly service: (typeof UPDATED)[number];
      readonly image: string;
      readonly at: number;
    }
  | { readonly do: 'label'; readonly node: (typeof NODES)[number]; readonly fit: boolean }
  | CommonStep;

/** Anything that may happen. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
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
  fc.record({ do: fc.constant('label' as const), node: fc.constantFrom(...NODES), fit: fc.boolean() }),
  ...commonSteps(NODES, [1, 900, 5_000, 60_000, 90_000_000]),
);

/** Four nodes, and services of all kinds that run on. */
export function aTestCluster() {
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

/** The same, with services whose slots may come to rest with nothing running in them. */
export function aClusterThatRests() {
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

/** It happens. */
export function take(harness: LoopHarness, each: Step): void {
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
    case 'label': {
      const node = harness.state.node(asId<NodeId>(each.node));
      if (!node) return;
      const spec = { ...node.spec, labels: { fit: each.fit ? 'yes' : 'no' } };
      harness.apply({ type: 'node.updated', id: node.id, spec });
      return;
    }
    default:
      takeCommonStep(harness, each, loops);
  }
}

/** Faults stop: every node is there and fit, what was paused is resumed, and time passes. */
export function calmDown(harness: LoopHarness): void {
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
