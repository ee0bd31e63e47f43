/** What swarm mode's constraint enforcer does, as data. Where Swarm rejects a task that serves, Skep evicts it in order. */

import type { LoopScenario } from '../../test-support/loop-scenario.ts';

const fast = {
  name: 'web',
  replicas: 2,
  task: { image: 'web', placement: { constraints: ['node.labels.disk==fast'] } },
};
const hungry = (cpus: number) => ({
  name: 'web',
  replicas: 2,
  task: { image: 'web', resources: { reservations: { cpus } } },
});
const nodes = [{ labels: { disk: 'fast' } }, { labels: { disk: 'fast' } }];
const tasks = ['node-1', 'node-2'].map((node) => ({ node, is: 'running' as const }));
const slow = { node: 'node-1', becomes: { labels: { disk: 'slow' } } };

/** Scenarios of `orchestrator/constraint-enforcer`. */
export const ENFORCER_SCENARIOS: readonly LoopScenario[] = [
  { name: 'all is as asked for', services: [fast], nodes, tasks, leadsTo: [] },
  { name: 'a label changes', services: [fast], nodes, tasks, after: [slow], leadsTo: ['evict web-1'] },
  {
    name: 'a label changes under a task that does not serve yet',
    services: [fast],
    nodes,
    tasks: [{ node: 'node-1', is: 'preparing' }],
    after: [slow],
    leadsTo: ['rejected web-1'],
  },
  {
    name: 'a label changes and changes back',
    services: [fast],
    nodes,
    tasks,
    after: [slow, { node: 'node-1', becomes: { labels: { disk: 'fast' } } }],
    leadsTo: ['evict web-1', 'keep web-1'],
  },
  {
    name: 'a label changes that no constraint names',
    services: [fast],
    nodes,
    tasks,
    after: [{ node: 'node-1', becomes: { labels: { disk: 'fast', rack: 'a' } } }],
    leadsTo: [],
  },
  ...(['pause', 'drain'] as const).map(
    (availability): LoopScenario => ({
      name: `the node is made ${availability}, too: others see to that`,
      services: [fast],
      nodes,
      tasks,
      after: [{ node: 'node-1', becomes: { labels: { disk: 'slow' }, availability } }],
      leadsTo: [],
    }),
  ),
  {
    name: 'a task that is to stop anyway',
    services: [fast],
    nodes,
    tasks: [{ node: 'node-1', is: 'running', wanted: 'shutdown' }],
    after: [slow],
    leadsTo: [],
  },
  {
    name: 'the service does not ask for it any more: the task made from its older spec stays',
    services: [fast],
    nodes,
    tasks,
    after: [{ service: 'web', becomes: { task: { image: 'web', placement: {} } }, tasksChanged: true }, slow],
    leadsTo: [],
  },
  {
    name: 'a node comes to offer less than is reserved: the newest task goes',
    services: [hungry(3)],
    nodes: [{ cpus: 8 }],
    tasks: tasks.map((task) => ({ ...task, node: 'node-1' })),
    after: [{ node: 'node-1', becomes: { cpus: 4 } }],
    leadsTo: ['evict web-2'],
  },
  {
    name: 'a node comes to offer less, and it is enough',
    services: [hungry(2)],
    nodes: [{ cpus: 8 }],
    tasks: tasks.map((task) => ({ ...task, node: 'node-1' })),
    after: [{ node: 'node-1', becomes: { cpus: 4 } }],
    leadsTo: [],
  },
  {
    name: 'what has completed reserves nothing',
    services: [
      { ...hungry(3), replicas: undefined, mode: 'replicated-job' as const, job: { completions: 2 } },
    ],
    nodes: [{ cpus: 8 }],
    tasks: [
      { slot: 1, node: 'node-1', is: 'complete', wanted: 'complete' },
      { slot: 2, node: 'node-1', is: 'running', wanted: 'complete' },
    ],
    after: [{ node: 'node-1', becomes: { cpus: 4 } }],
    leadsTo: [],
  },
];
