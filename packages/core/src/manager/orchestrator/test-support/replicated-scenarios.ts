/** What swarm mode's orchestrator of replicated services does, as data. */

import type { LoopScenario } from '../../test-support/loop-scenario.ts';

const web = (replicas: number) => ({
  name: 'web',
  replicas,
  task: { image: 'web', restart: { delayMs: 0 } },
});
const running = (...nodes: string[]) => nodes.map((node) => ({ node, is: 'running' as const }));
const image = (name: string) => ({ image: name });

/** Scenarios of `orchestrator/replicated`. */
export const REPLICATED_SCENARIOS: readonly LoopScenario[] = [
  { name: 'a new service', services: [web(2)], leadsTo: ['create web.1', 'create web.2'] },
  { name: 'a service without tasks', services: [web(0)], leadsTo: [] },
  {
    name: 'services one beside the other',
    services: [web(1), { ...web(1), name: 'api' }],
    leadsTo: ['create api.1', 'create web.1'],
  },
  {
    name: 'as many as asked for',
    services: [web(2)],
    tasks: running('node-1', 'node-2'),
    leadsTo: [],
  },
  {
    name: 'a service that comes later',
    services: [],
    after: [{ comes: web(1) }],
    leadsTo: ['create web.1'],
  },
  {
    name: 'scaled up, the lowest free numbers are used',
    services: [web(2)],
    tasks: [
      { slot: 1, node: 'node-1', is: 'running' },
      { slot: 3, node: 'node-2', is: 'running' },
    ],
    after: [{ service: 'web', becomes: { replicas: 4 } }],
    leadsTo: ['create web.2', 'create web.4'],
  },
  {
    name: 'scaled down, the highest slot of the fullest node goes',
    services: [web(3)],
    tasks: running('node-1', 'node-2', 'node-1'),
    after: [{ service: 'web', becomes: { replicas: 2 } }],
    leadsTo: ['remove web-3'],
  },
  {
    name: 'scaled down, what does not run goes before what does',
    services: [web(3)],
    tasks: [...running('node-1', 'node-2'), { node: 'node-3', is: 'starting' }],
    after: [{ service: 'web', becomes: { replicas: 2 } }],
    leadsTo: ['remove web-3'],
  },
  {
    name: 'scaled down, what has no node goes first of all',
    services: [web(3)],
    tasks: [{ is: 'pending' }, ...running('node-1', 'node-2')],
    after: [{ service: 'web', becomes: { replicas: 2 } }],
    leadsTo: ['remove web-1'],
  },
  {
    name: 'scaled to nothing',
    services: [web(2)],
    tasks: running('node-1', 'node-2'),
    after: [{ service: 'web', becomes: { replicas: 0 } }],
    leadsTo: ['remove web-1', 'remove web-2'],
  },
  {
    name: 'removed',
    services: [web(1)],
    tasks: running('node-1'),
    after: [{ removed: 'web' }],
    leadsTo: [],
  },
  {
    name: 'a task that somebody took away',
    services: [web(1)],
    tasks: running('node-1'),
    after: [{ forgotten: 'web-1' }],
    leadsTo: ['create web.1'],
  },
  {
    name: 'the first look finds a failed and a rejected one',
    services: [web(2)],
    tasks: [
      { node: 'node-1', is: 'failed' },
      { node: 'node-2', is: 'rejected' },
    ],
    leadsTo: ['create web.1', 'create web.2', 'shut down web-1', 'shut down web-2'],
  },
  {
    name: 'the first look finds a node that is down',
    services: [web(1)],
    nodes: [{ state: 'down' }, {}],
    tasks: running('node-1'),
    leadsTo: ['create web.1', 'shut down web-1'],
  },
  {
    name: 'the first look finds two tasks in one slot',
    services: [web(1)],
    tasks: [
      { slot: 1, node: 'node-1', is: 'running' },
      { slot: 1, node: 'node-2', is: 'running' },
    ],
    leadsTo: ['shut down web-1'],
  },
  {
    name: 'a node goes down',
    services: [web(2)],
    tasks: running('node-1', 'node-2'),
    after: [{ node: 'node-1', becomes: { state: 'down' } }],
    leadsTo: ['create web.1', 'shut down web-1'],
  },
  {
    name: 'a node is drained: unlike with Swarm, the successor comes first',
    services: [web(1)],
    tasks: running('node-1'),
    after: [{ node: 'node-1', becomes: { availability: 'drain' } }],
    leadsTo: ['create web.1'],
  },
  {
    name: 'a node is drained under a task that does not serve yet',
    services: [web(1)],
    tasks: [{ node: 'node-1', is: 'starting' }],
    after: [{ node: 'node-1', becomes: { availability: 'drain' } }],
    leadsTo: ['create web.1, to be started later', 'shut down web-1'],
  },
  ...(['unknown', 'suspect'] as const).map(
    (state): LoopScenario => ({
      name: `a node is ${state}: its tasks stay`,
      services: [web(1)],
      tasks: running('node-1'),
      after: [{ node: 'node-1', becomes: { state } }],
      leadsTo: [],
    }),
  ),
  {
    name: 'a node is paused: its tasks stay',
    services: [web(1)],
    tasks: running('node-1'),
    after: [{ node: 'node-1', becomes: { availability: 'pause' } }],
    leadsTo: [],
  },
  {
    name: 'a node is removed',
    services: [web(1)],
    tasks: running('node-1'),
    after: [{ task: 'web-1', is: 'orphaned' }, { leaves: 'node-1' }],
    leadsTo: ['create web.1', 'shut down web-1'],
  },
  {
    name: 'labels alone change',
    services: [web(1)],
    tasks: running('node-1'),
    after: [{ service: 'web', becomes: { labels: { tier: 'front' } } }],
    leadsTo: [],
  },
  {
    name: 'the image changes: the first slot is replaced, and unlike with Swarm the old task stays until the new one is prepared',
    services: [web(2)],
    tasks: running('node-1', 'node-2'),
    after: [{ service: 'web', becomes: { task: image('web:2') }, tasksChanged: true }],
    leadsTo: ['create web.1, to be started later', 'web is updating'],
  },
];
