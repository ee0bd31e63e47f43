/**
 * Arbitrary transactions for property tests: every kind of event, with names, texts and numbers as odd as a user or a
 * driver could make them. They are well formed one by one, not one after the other: for histories that a cluster
 * could have had, see `histories.ts`. Needs fast-check, so it is no part of the published entries.
 */

import fc from 'fast-check';
import type { Actor, ClusterEvent, EventType, Transaction } from '../events/event.ts';
import { asId, type CommandId } from '../model/ids.ts';
import type { NodeDescription, TaskStatus, UpdateStatus } from '../model/objects.ts';
import { clusterSpecSchema, nodeSpecSchema } from '../model/other-specs.ts';
import type { PlacementCandidate, PlacementFinding, Rejection } from '../model/placement.ts';
import { type PortSpec, type ServiceSpec, serviceSpecSchema } from '../model/service-spec.ts';
import { DESIRED_STATES, TASK_STATES } from '../model/task-state.ts';
import { anyAttachments, anyNetworkAllocation, anyNetworkSpec } from './arbitrary-networks.ts';
import {
  anyId,
  anyLabels,
  anyNumber,
  anyText,
  bytes,
  listOf,
  natural,
  record,
  shape,
} from './arbitrary-values.ts';

const anyPort: fc.Arbitrary<PortSpec> = shape<PortSpec>(
  {
    target: fc.integer({ min: 1, max: 65_535 }),
    published: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    mode: fc.constantFrom('ingress', 'host'),
    proxyProtocol: fc.constantFrom('v1', 'v2'),
  },
  ['target', 'protocol', 'mode'],
);

const plainService = serviceSpecSchema.parse({ name: 'web', task: { image: 'image' } });

/** Any service spec, with odd values wherever users give names and texts. */
export const anyServiceSpec: fc.Arbitrary<ServiceSpec> = record({
  name: anyText,
  labels: anyLabels,
  replicas: natural,
  ports: listOf(anyPort),
  env: anyLabels,
  command: listOf(anyText),
  constraints: listOf(anyText),
  spread: anyText,
  cpus: anyNumber,
  generic: fc.dictionary(anyText, natural, { maxKeys: 3, noNullPrototype: true }),
  registryAuth: fc.option(anyText, { nil: undefined }),
}).map(({ env, command, constraints, spread, cpus, generic, registryAuth, ...service }) => ({
  ...plainService,
  ...service,
  task: {
    ...plainService.task,
    env,
    command,
    placement: { ...plainService.task.placement, constraints, preferences: [{ spread }] },
    resources: { reservations: { cpus, generic }, limits: {} },
    ...(registryAuth === undefined ? {} : { registryAuth }),
  },
}));

/** Anything that an agent may tell of its node. */
export const anyDescription: fc.Arbitrary<NodeDescription> = record({
  hostname: anyText,
  platform: record({ os: anyText, architecture: anyText }),
  resources: record({
    cpus: anyNumber,
    memoryBytes: natural,
    generic: fc.dictionary(anyText, fc.oneof(natural, listOf(anyText)), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  }),
  engine: shape<NodeDescription['engine']>(
    { driver: anyText, version: anyText, labels: anyLabels, plugins: listOf(anyText) },
    ['driver', 'version', 'labels'],
  ),
  capabilities: shape<NodeDescription['capabilities']>(
    {
      exec: fc.boolean(),
      interactive: fc.constantFrom('pipes', 'terminal'),
      stats: fc.boolean(),
      limits: record({ cpus: fc.boolean(), memory: fc.boolean(), pids: fc.boolean() }),
    },
    ['exec', 'stats', 'limits'],
  ),
});

/** Any report of a task. */
export const anyTaskStatus: fc.Arbitrary<TaskStatus> = shape<TaskStatus>(
  {
    state: fc.constantFrom(...TASK_STATES),
    at: natural,
    message: anyText,
    error: anyText,
    exitCode: fc.integer(),
    about: fc.constantFrom('image' as const, 'addresses' as const),
    retryAt: natural,
    runtime: record({
      id: anyText,
      ports: listOf(
        record({
          target: fc.nat(65_535),
          protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
          port: fc.nat(65_535),
        }),
      ),
    }),
    cause: fc.constant('constraint'),
  },
  ['state', 'at', 'message'],
);

const anyRejection: fc.Arbitrary<Rejection> = shape<Rejection>(
  {
    filter: anyText,
    nodes: natural,
    by: listOf(
      shape<NonNullable<Rejection['by']>[number]>(
        { what: anyText, nodes: natural, asked: anyNumber, freeAtBest: anyNumber },
        ['what', 'nodes'],
      ),
    ),
  },
  ['filter', 'nodes'],
);

const anyFinding: fc.Arbitrary<PlacementFinding> = record({
  nodes: natural,
  rejected: listOf(anyRejection),
  message: anyText,
});

const nodeSpec = anyLabels.map((labels) => ({ ...nodeSpecSchema.parse({}), labels }));
const clusterSpec = anyLabels.map((labels) => ({ ...clusterSpecSchema.parse({}), labels }));
const fileSpec = record({ name: anyText, labels: anyLabels });
const ids = listOf(anyId<never>());
const id = anyId<never>();

const anyUpdateStatus = shape<UpdateStatus>(
  {
    state: fc.constantFrom(
      'updating',
      'waiting',
      'paused',
      'completed',
      'rollback_started',
      'rollback_paused',
    ),
    startedAt: natural,
    completedAt: natural,
    message: anyText,
    slots: natural,
    failures: natural,
    waitingSince: natural,
    promoted: fc.constant<true>(true),
    holdsBack: natural,
    heldUntil: natural,
    uncounted: fc.constant<true>(true),
    servesOnly: natural,
  },
  ['state', 'startedAt', 'message', 'slots', 'failures'],
);

type BodyOf<T extends EventType> = Omit<Extract<ClusterEvent, { type: T }>, 'type'>;

const BODIES: { readonly [T in EventType]: fc.Arbitrary<BodyOf<T>> } = {
  'cluster.created': record({ id, spec: clusterSpec, digestKey: bytes }),
  'cluster.updated': record({ spec: clusterSpec }),
  'cluster.rebalancing': record({
    rebalance: record({
      since: natural,
      automatic: fc.boolean(),
      movesAtOnce: natural,
      tasks: ids,
      kept: natural,
    }),
  }),
  'cluster.rebalanced': shape({ moved: natural, kept: natural, stopped: fc.constant<true>(true) }, [
    'moved',
    'kept',
  ]),
  'node.joined': record({ id, spec: nodeSpec, description: anyDescription, address: anyText }),
  'node.updated': record({ id, spec: nodeSpec }),
  'node.described': record({ id, description: anyDescription, address: anyText }),
  'node.attached': record({ rows: listOf(record({ nodeId: id, attachments: anyAttachments })) }),
  'node.status': record({
    state: fc.constantFrom('unknown', 'ready', 'suspect', 'leaving', 'down'),
    message: anyText,
    ids,
  }),
  'node.removed': record({ id }),
  'service.created': record({ id, spec: anyServiceSpec }),
  'service.updated': shape(
    {
      id,
      spec: anyServiceSpec,
      tasksChanged: fc.boolean(),
      portsChanged: fc.boolean(),
      beginsRun: fc.constant<true>(true),
    },
    ['id', 'spec', 'tasksChanged', 'portsChanged'],
  ),
  'service.update-status': record({ id, status: anyUpdateStatus }),
  'service.rolled-back': record({
    id,
    status: anyUpdateStatus,
    spec: anyServiceSpec,
    portsChanged: fc.boolean(),
  }),
  'service.removed': shape({ id, tasksFollow: fc.constant<true>(true) }, ['id']),
  'service.allocated': shape<BodyOf<'service.allocated'>>(
    { id, endpoint: record({ ports: listOf(anyPort) }), vips: anyAttachments },
    ['id', 'endpoint'],
  ),
  'service.unallocated': shape<BodyOf<'service.unallocated'>>(
    { id, error: anyText, about: fc.constant<'addresses'>('addresses') },
    ['id', 'error'],
  ),
  'service.run-started': record({ id, iteration: natural, dueAt: natural, stops: fc.array(natural) }),
  'service.run-ended': shape(
    {
      id,
      iteration: natural,
      outcome: fc.constantFrom('completed' as const, 'failed' as const),
      message: anyText,
    },
    ['id', 'iteration', 'outcome'],
  ),
  'service.run-missed': record({
    id,
    missed: record({
      dueAt: natural,
      count: natural,
      reason: fc.constantFrom('late' as const, 'overlap' as const),
    }),
  }),
  'service.autoscaled': record({ id, from: natural, to: natural, value: natural, reason: anyText }),
  'service.metric-lost': record({ id, reason: anyText }),
  'service.metric-found': record({ id }),
  'task.created': shape<BodyOf<'task.created'>>(
    {
      serviceId: id,
      previous: fc.constant<true>(true),
      rows: listOf(
        shape<BodyOf<'task.created'>['rows'][number]>(
          {
            id,
            slot: natural,
            nodeId: id,
            replaces: id,
            startAfter: natural,
            restarts: record({ failures: natural, times: listOf(natural) }),
            jobIteration: natural,
          },
          ['id', 'slot'],
        ),
      ),
    },
    ['serviceId', 'rows'],
  ),
  'task.allocated': shape<BodyOf<'task.allocated'>>(
    { ids, attachments: fc.dictionary(anyText, anyAttachments, { maxKeys: 2, noNullPrototype: true }) },
    ['ids'],
  ),
  'task.unallocated': record({ ids, error: anyText }),
  'task.assigned': shape<BodyOf<'task.assigned'>>(
    {
      rows: listOf(
        shape<BodyOf<'task.assigned'>['rows'][number]>(
          {
            nodeId: id,
            tasks: ids,
            generic: fc.dictionary(
              anyText,
              fc.dictionary(anyText, listOf(anyText), { maxKeys: 2, noNullPrototype: true }),
              { maxKeys: 2, noNullPrototype: true },
            ),
          },
          ['nodeId', 'tasks'],
        ),
      ),
      choices: listOf(
        record({
          serviceId: id,
          specVersion: natural,
          placed: natural,
          nodes: natural,
          rejected: listOf(anyRejection),
          candidates: listOf(
            shape<PlacementCandidate>(
              {
                nodeId: id,
                spread: listOf(natural),
                broken: natural,
                free: anyNumber,
                failures: natural,
                serviceTasks: natural,
                tasks: natural,
              },
              ['nodeId', 'failures', 'serviceTasks', 'tasks'],
            ),
          ),
        }),
      ),
    },
    ['rows'],
  ),
  'task.unplaced': record({ ids, explanation: anyFinding }),
  'task.status': record({ rows: listOf(record({ id, status: anyTaskStatus })) }),
  'task.desired': record({ state: fc.constantFrom(...DESIRED_STATES), ids }),
  'task.kept': record({ ids }),
  'task.evicted': record({ cause: fc.constantFrom('constraint' as const, 'rebalance' as const), ids }),
  'task.preempted': record({
    rows: listOf(
      record({ id, by: record({ task: id, service: id, priority: fc.integer(), over: fc.integer() }) }),
    ),
  }),
  'task.nominated': record({ rows: listOf(record({ id, nodeId: id, victims: ids })) }),
  'task.unnominated': record({ ids }),
  'task.released': shape({ ids, unconfirmed: ids }, ['ids']),
  'task.dependencies-met': record({ ids }),
  'task.removed': record({ ids }),
  'volume.forgotten': record({ names: listOf(anyText) }),
  'network.created': record({ id, spec: anyNetworkSpec }),
  'network.updated': record({ id, spec: anyNetworkSpec }),
  'network.removed': record({ id }),
  'network.allocated': record({ id, allocation: anyNetworkAllocation }),
  'network.unallocated': record({ id, error: anyText }),
  'secret.created': record({ id, spec: fileSpec, digest: anyText, sizeBytes: natural }),
  'secret.updated': record({ id, spec: fileSpec }),
  'secret.rotated': record({ id, revision: natural, digest: anyText, sizeBytes: natural }),
  'secret.pruned': record({ id, revisions: fc.array(natural) }),
  'secret.removed': record({ id }),
  'config.created': record({ id, spec: fileSpec, data: bytes }),
  'config.updated': record({ id, spec: fileSpec }),
  'config.rotated': record({ id, revision: natural, data: bytes }),
  'config.pruned': record({ id, revisions: fc.array(natural) }),
  'config.removed': record({ id }),
  'vault.stored': record({ digest: anyText, data: bytes }),
  'vault.removed': record({ digests: listOf(anyText) }),
};

/** The name of every event. */
export const EVENT_TYPES = Object.keys(BODIES) as readonly EventType[];

/** Any event of one name. */
export function anyEventOf(type: EventType): fc.Arbitrary<ClusterEvent> {
  const body: fc.Arbitrary<object> = BODIES[type];
  return body.map((fields) => ({ type, ...fields }) as ClusterEvent);
}

/** Any event. */
export const anyEvent: fc.Arbitrary<ClusterEvent> = fc.constantFrom(...EVENT_TYPES).chain(anyEventOf);

const anyActor: fc.Arbitrary<Actor> = fc.oneof(
  fc.constant<Actor>({ kind: 'user' }),
  anyText.map((name): Actor => ({ kind: 'user', name })),
  anyText.map((name): Actor => ({ kind: 'loop', name })),
  anyText.map((text): Actor => ({ kind: 'node', id: asId(text) })),
);

/** Any transaction, of any events or of those given. */
export function anyTransaction(event: fc.Arbitrary<ClusterEvent> = anyEvent): fc.Arbitrary<Transaction> {
  return shape<Transaction>(
    {
      index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      at: natural,
      actor: anyActor,
      cause: natural,
      commandId: anyText.map((text) => asId<CommandId>(text)),
      answer: record({
        id: anyText,
        action: fc.constantFrom(
          'created' as const,
          'updated' as const,
          'unchanged' as const,
          'removed' as const,
        ),
        what: anyText,
      }),
      events: listOf(event),
    },
    ['index', 'at', 'actor', 'events'],
  );
}
