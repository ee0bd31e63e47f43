/** Whom the scheduler makes leave for tasks of higher priority, and for whom it keeps the room, as data. */

import type { GivenTask, LoopScenario } from '../../test-support/loop-scenario.ts';

const GIB = 1024 ** 3;
const reserving = (reservations: object, more: object = {}) => ({
  task: { image: 'image', resources: { reservations }, ...more },
});
const low = (cpus = 4) => ({ name: 'low', ...reserving({ cpus }) });
const mid = (cpus = 4) => ({ name: 'mid', priority: 5, ...reserving({ cpus }) });
const high = (cpus = 4) => ({ name: 'high', priority: 10, ...reserving({ cpus }) });
const on = (of: string, ...nodes: readonly string[]): GivenTask[] =>
  nodes.map((node) => ({ of, node, is: 'running' as const }));
const waits = (of: string, count = 1): GivenTask[] =>
  Array.from({ length: count }, () => ({ of, is: 'pending' as const }));
const FULL = 'no suitable node (insufficient resources on 1 node: cpus)';

/** Scenarios of preemption. Nodes have 8 processors, of which two tasks take all. */
export const PREEMPTION_SCENARIOS: readonly LoopScenario[] = [
  {
    name: 'it fits beside the others: nobody leaves',
    services: [low(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1'), ...waits('high')],
    leadsTo: ['assign high-1 to node-1'],
  },
  {
    name: 'the node is full of a lower priority: the youngest leaves',
    services: [low(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of low-2', 'preempt low-2 for high-1'],
  },
  {
    name: 'the node is full of the same priority: it waits',
    services: [{ ...low(), priority: 10 }, high(), { name: 'lower', priority: -1 }],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high')],
    leadsTo: [`high-1: ${FULL}; no task of a lower priority can make room`],
  },
  {
    name: 'nobody has another priority: nothing is told of any',
    services: [low()],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('low')],
    leadsTo: [`low-3: ${FULL}`],
  },
  {
    name: 'two priorities that are lower: the lowest leaves',
    services: [low(), mid(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1'), ...on('mid', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of low-1', 'preempt low-1 for high-1'],
  },
  {
    name: 'two of the lowest priority instead of one of a higher',
    services: [low(2), mid(), high()],
    nodes: [{}],
    tasks: [...on('mid', 'node-1'), ...on('low', 'node-1', 'node-1'), ...waits('high')],
    leadsTo: [
      'keep node-1 for high-1, in place of low-2, low-1',
      'preempt low-1 for high-1',
      'preempt low-2 for high-1',
    ],
  },
  {
    name: 'one large task instead of two small ones of its priority, though it is older',
    services: [{ name: 'big', ...reserving({ cpus: 4 }) }, low(2), high()],
    nodes: [{}],
    tasks: [...on('big', 'node-1'), ...on('low', 'node-1', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of big-1', 'preempt big-1 for high-1'],
  },
  {
    name: 'the node on which fewest have to leave',
    services: [low(2), { name: 'big', ...reserving({ cpus: 8 }) }, high(8)],
    nodes: [{}, {}],
    tasks: [...on('low', 'node-1', 'node-1', 'node-1', 'node-1'), ...on('big', 'node-2'), ...waits('high')],
    leadsTo: ['keep node-2 for high-1, in place of big-1', 'preempt big-1 for high-1'],
  },
  {
    name: 'the node on which a lower priority has to leave, though more of them',
    services: [mid(8), low(2), high(8)],
    nodes: [{}, {}],
    tasks: [...on('mid', 'node-1'), ...on('low', 'node-2', 'node-2', 'node-2', 'node-2'), ...waits('high')],
    leadsTo: [
      'keep node-2 for high-1, in place of low-4, low-3, low-2, low-1',
      ...[1, 2, 3, 4].map((slot) => `preempt low-${slot} for high-1`),
    ],
  },
  {
    name: 'a task is leaving anyway: the room is kept, and nobody else leaves',
    services: [low(), high()],
    nodes: [{}],
    tasks: [
      ...on('low', 'node-1'),
      { of: 'low', node: 'node-1', is: 'running', wanted: 'shutdown' },
      ...waits('high'),
    ],
    leadsTo: ['keep node-1 for high-1'],
  },
  {
    name: 'the room is there: it is given to the one that it was kept for',
    services: [low(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high'), ...waits('low')],
    after: [
      { task: 'low-2', wanted: 'shutdown' },
      { task: 'low-2', is: 'shutdown' },
    ],
    leadsTo: ['assign high-1 to node-1'],
  },
  {
    name: 'room for two is there at once: both have it',
    services: [low(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high', 2)],
    after: [
      { task: 'low-1', wanted: 'shutdown' },
      { task: 'low-2', wanted: 'shutdown' },
      { node: 'node-1', becomes: { state: 'suspect' } },
      { task: 'low-1', is: 'shutdown' },
      { task: 'low-2', is: 'shutdown' },
      { node: 'node-1', becomes: { state: 'ready' } },
    ],
    leadsTo: ['assign high-1 to node-1', 'assign high-2 to node-1'],
  },
  {
    name: 'another that waits is smaller, and fits what is free before all have left: it does not slip in',
    services: [low(), high(8), { ...high(2), name: 'other' }],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high'), ...waits('other')],
    after: [
      { task: 'low-2', wanted: 'shutdown' },
      { task: 'low-2', is: 'shutdown' },
    ],
    leadsTo: [],
  },
  {
    name: 'several tasks wait: each has others leave, as far as there are any',
    services: [low(), high()],
    nodes: [{}, {}],
    tasks: [...on('low', 'node-1', 'node-1', 'node-2'), ...on('high', 'node-2'), ...waits('high', 4)],
    leadsTo: [
      'keep node-1 for high-3, in place of low-2',
      'keep node-1 for high-4, in place of low-1',
      'keep node-2 for high-2, in place of low-3',
      'preempt low-1 for high-4',
      'preempt low-2 for high-3',
      'preempt low-3 for high-2',
      'high-5: no suitable node (insufficient resources on 2 nodes: cpus); no task of a lower priority can make room',
    ],
  },
  {
    name: 'the highest priority is looked at first, whichever came first',
    services: [low(), mid(), high()],
    nodes: [{}],
    tasks: [...waits('low'), ...waits('mid'), ...waits('high')],
    leadsTo: ['assign high-1 to node-1', 'assign mid-1 to node-1', `low-1: ${FULL}`],
  },
  {
    name: 'constraints are not met where room could be made',
    services: [
      low(),
      {
        name: 'high',
        priority: 10,
        ...reserving({ cpus: 4 }, { placement: { constraints: ['node.labels.a==1'] } }),
      },
    ],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high')],
    leadsTo: [
      'high-1: no suitable node (insufficient resources on 1 node: cpus); no task of a lower priority can make room',
    ],
  },
  {
    name: 'a port of the host is held by a lower priority: its task leaves',
    services: [
      { name: 'low', ports: [{ target: 80, published: 80, mode: 'host' }] },
      { name: 'high', priority: 1, ports: [{ target: 80, published: 80, mode: 'host' }] },
    ],
    nodes: [{}],
    tasks: [...on('low', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of low-1', 'preempt low-1 for high-1'],
  },
  {
    name: 'a named resource is held by a lower priority',
    services: [
      { name: 'low', ...reserving({ generic: { gpu: 2 } }) },
      { name: 'high', priority: 1, ...reserving({ generic: { gpu: 2 } }) },
    ],
    nodes: [{ generic: { gpu: 2 } }],
    tasks: [...on('low', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of low-1', 'preempt low-1 for high-1'],
  },
  {
    name: 'memory, of which only one node has enough at all',
    services: [low(1), { name: 'high', priority: 1, ...reserving({ memoryBytes: 20 * GIB }) }],
    nodes: [{}, { memoryBytes: 32 * GIB }],
    tasks: [...on('low', 'node-1', 'node-2'), ...waits('high')],
    leadsTo: ['assign high-1 to node-2'],
  },
  {
    name: 'a service says that it can spare one task: one leaves, and the other stays',
    services: [{ ...low(), replicas: 2, disruption: { maxUnavailable: 1 } }, high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high', 2)],
    leadsTo: [
      'keep node-1 for high-1, in place of low-2',
      'preempt low-2 for high-1',
      `high-2: ${FULL}; services of lower priorities can spare no task`,
    ],
  },
  {
    name: 'a service says that it can spare none, and then more of it serve',
    services: [{ ...low(), replicas: 2, disruption: { maxUnavailable: 0 } }, high()],
    nodes: [{}, { cpus: 4, availability: 'pause' }],
    tasks: [
      ...on('low', 'node-1', 'node-1'),
      { of: 'low', node: 'node-2', is: 'starting' },
      ...waits('high'),
    ],
    after: [{ task: 'low-3', is: 'running' }, { passes: 1_000 }],
    leadsTo: ['keep node-1 for high-1, in place of low-2', 'preempt low-2 for high-1'],
  },
  {
    name: 'a task with a lease and one without: the one without leaves, though its priority is higher',
    services: [{ ...low(), maxOne: {} }, mid(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1'), ...on('mid', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of mid-1', 'preempt mid-1 for high-1'],
  },
  {
    name: 'nobody but a task with a lease',
    services: [{ ...low(8), maxOne: {} }, high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1'), ...waits('high')],
    leadsTo: ['keep node-1 for high-1, in place of low-1', 'preempt low-1 for high-1'],
  },
  {
    name: 'a task that is made for its node has others leave there, and nowhere else',
    services: [low(), { ...high(), mode: 'global' }],
    nodes: [{}, {}],
    tasks: [
      ...on('low', 'node-1', 'node-1', 'node-2', 'node-2'),
      { of: 'high', node: 'node-2', is: 'pending' },
    ],
    leadsTo: ['keep node-2 for high-1, in place of low-4', 'preempt low-4 for high-1'],
  },
  {
    name: 'the node for which it waits goes down: it is to have another',
    services: [low(), high()],
    nodes: [{}, {}],
    tasks: [...on('low', 'node-1', 'node-1', 'node-2', 'node-2'), ...waits('high')],
    after: [{ node: 'node-2', becomes: { state: 'down' } }],
    leadsTo: [
      'keep nothing for high-1',
      'keep node-1 for high-1, in place of low-2',
      'preempt low-2 for high-1',
    ],
  },
  {
    name: 'the node for which it waits is silent for a moment: it waits on',
    services: [low(), high()],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('high')],
    after: [{ node: 'node-1', becomes: { state: 'suspect' } }],
    leadsTo: [],
  },
  {
    name: 'a still higher priority waits for the room that is made: it takes it, and the other finds none',
    services: [low(), mid(8), { ...high(8), priority: 0 }],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('mid'), ...waits('high')],
    after: [
      { service: 'high', becomes: { priority: 10 } },
      { task: 'low-1', wanted: 'shutdown' },
      { task: 'low-2', wanted: 'shutdown' },
      { task: 'low-1', is: 'shutdown' },
      { task: 'low-2', is: 'shutdown' },
    ],
    leadsTo: [
      'keep node-1 for high-1',
      'keep nothing for mid-1',
      'assign high-1 to node-1',
      `mid-1: ${FULL}; no task of a lower priority can make room`,
    ],
  },
  {
    name: 'it gets a higher priority while it waits',
    services: [low(), { ...mid(), priority: 0 }],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('mid')],
    after: [{ service: 'mid', becomes: { priority: 1 } }],
    leadsTo: ['keep node-1 for mid-1, in place of low-2', 'preempt low-2 for mid-1'],
  },
  {
    name: 'those that stand get a lower priority while it waits',
    services: [low(), { ...mid(), priority: 0 }],
    nodes: [{}],
    tasks: [...on('low', 'node-1', 'node-1'), ...waits('mid')],
    after: [{ service: 'low', becomes: { priority: -1 } }],
    leadsTo: ['keep node-1 for mid-1, in place of low-2', 'preempt low-2 for mid-1'],
  },
  ...(
    [
      ['at most so many of it on a node, the one that it waits for included', { maxReplicasPerNode: 1 }],
      [
        'it keeps away from its own, those that wait for room included',
        { antiAffinity: [{ service: 'high' }] },
      ],
    ] as const
  ).map(
    ([name, placement]): LoopScenario => ({
      name,
      services: [low(2), { name: 'high', priority: 10, ...reserving({ cpus: 2 }, { placement }) }],
      nodes: [{ cpus: 4 }, { cpus: 4 }],
      tasks: [...on('low', 'node-1', 'node-1', 'node-2', 'node-2'), ...waits('high', 2)],
      leadsTo: [
        'keep node-1 for high-2, in place of low-2',
        'keep node-2 for high-1, in place of low-4',
        'preempt low-2 for high-2',
        'preempt low-4 for high-1',
      ],
    }),
  ),
];
