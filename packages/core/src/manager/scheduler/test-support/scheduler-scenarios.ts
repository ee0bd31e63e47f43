/** What swarm mode's scheduler does with nodes and tasks that come and go, as data. */

import type { LoopScenario } from '../../test-support/loop-scenario.ts';

const web = { name: 'web' };
const pending = (count: number) => Array.from({ length: count }, () => ({ is: 'pending' as const }));
const reserving = (reservations: object) => ({
  name: 'web',
  task: { image: 'web', resources: { reservations } },
});
const placed = (placement: object) => ({ name: 'web', task: { image: 'web', placement } });
const hostPort = { name: 'web', ports: [{ target: 80, published: 80, mode: 'host' as const }] };

/** Scenarios of the scheduler. */
export const SCHEDULER_SCENARIOS: readonly LoopScenario[] = [
  {
    name: 'a task and a node',
    services: [web],
    nodes: [{}],
    tasks: pending(1),
    leadsTo: ['assign web-1 to node-1'],
  },
  {
    name: 'no node: it waits',
    services: [web],
    nodes: [],
    tasks: pending(1),
    leadsTo: ['web-1: no suitable node'],
  },
  {
    name: 'a node comes to a task that waits',
    services: [web],
    nodes: [],
    tasks: pending(1),
    after: [{ joins: {} }],
    leadsTo: ['assign web-1 to node-1'],
  },
  {
    name: 'one task for each of three nodes',
    services: [web],
    tasks: pending(3),
    leadsTo: ['assign web-1 to node-1', 'assign web-2 to node-2', 'assign web-3 to node-3'],
  },
  {
    name: 'nodes with fewer tasks of the service come first',
    services: [web],
    tasks: [{ node: 'node-1', is: 'running' }, { node: 'node-2', is: 'running' }, ...pending(1)],
    leadsTo: ['assign web-3 to node-3'],
  },
  {
    name: 'nodes that take none',
    services: [web],
    nodes: [{ state: 'down' }, { state: 'unknown' }, { availability: 'drain' }, { availability: 'pause' }],
    tasks: pending(1),
    leadsTo: [
      'web-1: no suitable node (4 nodes not available for new tasks: down on 1, unknown on 1, drained on 1, paused on 1)',
    ],
  },
  {
    name: 'a node becomes ready under a task that waits',
    services: [web],
    nodes: [{ state: 'down' }],
    tasks: pending(1),
    after: [{ node: 'node-1', becomes: { state: 'ready' } }],
    leadsTo: ['assign web-1 to node-1'],
  },
  {
    name: 'a reservation that one of the nodes has room for',
    services: [reserving({ cpus: 6 })],
    nodes: [{ cpus: 4 }, { cpus: 8 }],
    tasks: pending(1),
    leadsTo: ['assign web-1 to node-2'],
  },
  {
    name: 'a reservation that no node has room for',
    services: [reserving({ memoryBytes: 64 * 1024 ** 3 })],
    nodes: [{}, {}],
    tasks: pending(1),
    leadsTo: ['web-1: no suitable node (insufficient resources on 2 nodes: memory)'],
  },
  {
    name: 'a task ends and makes room',
    services: [reserving({ cpus: 8 })],
    nodes: [{ cpus: 8 }],
    tasks: [{ node: 'node-1', is: 'running' }, ...pending(1)],
    after: [{ task: 'web-1', is: 'complete' }],
    leadsTo: ['assign web-2 to node-1'],
  },
  {
    name: 'what had ended before reserves nothing',
    services: [reserving({ cpus: 8 })],
    nodes: [{ cpus: 8 }],
    tasks: [{ node: 'node-1', is: 'failed', wanted: 'shutdown' }, ...pending(1)],
    leadsTo: ['assign web-2 to node-1'],
  },
  {
    name: 'a generic resource',
    services: [reserving({ generic: { gpu: 1 } })],
    nodes: [{}, { generic: { gpu: 1 } }],
    tasks: pending(2),
    leadsTo: ['assign web-1 to node-2', 'web-2: no suitable node (insufficient resources on 2 nodes: gpu)'],
  },
  {
    name: 'a constraint',
    services: [placed({ constraints: ['node.labels.disk==fast'] })],
    nodes: [{}, { labels: { disk: 'fast' } }],
    tasks: pending(1),
    leadsTo: ['assign web-1 to node-2'],
  },
  {
    name: 'a constraint that no node meets, and then one does',
    services: [placed({ constraints: ['node.labels.disk==fast'] })],
    nodes: [{}],
    tasks: pending(1),
    after: [{ node: 'node-1', becomes: { labels: { disk: 'fast' } } }],
    leadsTo: ['assign web-1 to node-1'],
  },
  {
    name: 'a platform by another of its names',
    services: [placed({ platforms: [{ os: 'linux', architecture: 'amd64' }] })],
    nodes: [{ architecture: 'aarch64' }, { architecture: 'x86_64' }],
    tasks: pending(1),
    leadsTo: ['assign web-1 to node-2'],
  },
  {
    name: 'a platform that no node has',
    services: [placed({ platforms: [{ os: 'windows', architecture: '' }] })],
    nodes: [{}],
    tasks: pending(1),
    leadsTo: ['web-1: no suitable node (unsupported platform on 1 node)'],
  },
  {
    name: 'a port of the host',
    services: [hostPort],
    nodes: [{}],
    tasks: [{ node: 'node-1', is: 'running' }, ...pending(1)],
    leadsTo: ['web-2: no suitable node (host-mode port already in use on 1 node: 80/tcp)'],
  },
  {
    name: 'most tasks on a node',
    services: [placed({ maxReplicasPerNode: 1 })],
    nodes: [{}],
    tasks: pending(2),
    leadsTo: ['assign web-1 to node-1', 'web-2: no suitable node (max replicas per node limit exceed)'],
  },
  {
    name: 'a spread over racks',
    services: [placed({ preferences: [{ spread: 'node.labels.rack' }] })],
    nodes: [{ labels: { rack: 'a' } }, { labels: { rack: 'a' } }, { labels: { rack: 'b' } }],
    tasks: pending(2),
    leadsTo: ['assign web-1 to node-1', 'assign web-2 to node-3'],
  },
  {
    name: 'a task that is made for its node',
    services: [{ name: 'web', mode: 'global' }],
    tasks: [{ node: 'node-2', is: 'pending' }],
    leadsTo: ['assign web-1 to node-2'],
  },
  {
    name: 'a task that is made for a node without room',
    services: [{ ...reserving({ cpus: 8 }), mode: 'global' }],
    nodes: [{ cpus: 4 }],
    tasks: [{ node: 'node-1', is: 'pending' }],
    leadsTo: ['web-1: insufficient resources on 1 node: cpus'],
  },
  ...(['new', 'assigned', 'running', 'complete', 'failed'] as const).map(
    (is): LoopScenario => ({
      name: `a task that is ${is} is none of its business`,
      services: [web],
      nodes: [{}],
      tasks: [is === 'new' ? { is } : { is, node: 'node-1' }],
      leadsTo: [],
    }),
  ),
];
