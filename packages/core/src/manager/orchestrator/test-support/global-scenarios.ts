/** What swarm mode's orchestrator of global services does, as data. */

import type { LoopScenario } from '../../test-support/loop-scenario.ts';

const agent = { name: 'agent', mode: 'global' as const, task: { image: 'agent', restart: { delayMs: 0 } } };
const fast = { ...agent, task: { ...agent.task, placement: { constraints: ['node.labels.disk==fast'] } } };
const never = { ...agent, task: { ...agent.task, restart: { condition: 'none' as const } } };
const everywhere = ['node-1', 'node-2', 'node-3'].map((node) => ({ node, is: 'running' as const }));
const [first] = everywhere;
const onFirst = first ? [first] : [];

/** Scenarios of `orchestrator/global`. */
export const GLOBAL_SCENARIOS: readonly LoopScenario[] = [
  {
    name: 'a new service',
    services: [agent],
    leadsTo: ['create agent@node-1', 'create agent@node-2', 'create agent@node-3'],
  },
  {
    name: 'a second service comes',
    services: [agent],
    nodes: [{}],
    tasks: onFirst,
    after: [{ comes: { ...agent, name: 'logs' } }],
    leadsTo: ['create logs@node-1'],
  },
  { name: 'all is there', services: [agent], tasks: everywhere, leadsTo: [] },
  {
    name: 'a node joins',
    services: [agent],
    tasks: everywhere,
    after: [{ joins: {} }],
    leadsTo: ['create agent@node-4'],
  },
  {
    name: 'a node joins that does not meet the constraints',
    services: [fast],
    nodes: [{ labels: { disk: 'fast' } }],
    tasks: onFirst,
    after: [{ joins: {} }],
    leadsTo: [],
  },
  {
    name: 'nodes that can have none',
    services: [agent],
    nodes: [{ availability: 'drain' }, { availability: 'pause' }, { state: 'down' }],
    leadsTo: [],
  },
  ...(['drain', 'pause'] as const).map(
    (availability): LoopScenario => ({
      name: `a node is made ${availability}`,
      services: [agent],
      tasks: everywhere,
      after: [{ node: 'node-1', becomes: { availability } }],
      leadsTo: availability === 'drain' ? ['shut down agent-1'] : [],
    }),
  ),
  {
    name: 'a node goes down',
    services: [agent],
    tasks: everywhere,
    after: [{ node: 'node-1', becomes: { state: 'down' } }],
    leadsTo: ['shut down agent-1'],
  },
  {
    name: 'a node is drained, and active again',
    services: [agent],
    nodes: [{}],
    tasks: onFirst,
    after: [
      { node: 'node-1', becomes: { availability: 'drain' } },
      { task: 'agent-1', is: 'shutdown' },
      { node: 'node-1', becomes: { availability: 'active' } },
    ],
    leadsTo: ['create agent@node-1', 'shut down agent-1'],
  },
  {
    name: 'a node comes to meet the constraints',
    services: [fast],
    nodes: [{}],
    after: [{ node: 'node-1', becomes: { labels: { disk: 'fast' } } }],
    leadsTo: ['create agent@node-1'],
  },
  {
    name: 'a node does not meet the constraints any more',
    services: [fast],
    nodes: [{ labels: { disk: 'fast' } }],
    tasks: onFirst,
    after: [{ node: 'node-1', becomes: { labels: { disk: 'slow' } } }],
    leadsTo: ['shut down agent-1'],
  },
  {
    name: 'a task fails',
    services: [agent],
    tasks: everywhere,
    after: [{ task: 'agent-2', is: 'failed' }],
    leadsTo: ['create agent@node-2', 'shut down agent-2'],
  },
  {
    name: 'a task fails, and none may take its place',
    services: [never],
    tasks: everywhere,
    after: [{ task: 'agent-2', is: 'failed' }],
    leadsTo: ['shut down agent-2'],
  },
  {
    name: 'a task that somebody took away',
    services: [agent],
    tasks: everywhere,
    after: [{ forgotten: 'agent-3' }],
    leadsTo: ['create agent@node-3'],
  },
  {
    name: 'a task goes, and then its node',
    services: [agent],
    tasks: everywhere,
    after: [{ forgotten: 'agent-1' }, { leaves: 'node-1' }],
    leadsTo: ['create agent@node-1', 'remove agent@node-1'],
  },
  {
    name: 'the first look finds a failed one, and a node without one',
    services: [agent],
    nodes: [{}, {}],
    tasks: [{ node: 'node-1', is: 'failed' }],
    leadsTo: ['create agent@node-1', 'create agent@node-2', 'shut down agent-1'],
  },
  {
    name: 'the first look finds one on a node that is drained',
    services: [agent],
    nodes: [{ availability: 'drain' }],
    tasks: onFirst,
    leadsTo: ['shut down agent-1'],
  },
  {
    name: 'the first look finds what ended for good',
    services: [never],
    nodes: [{}],
    tasks: [{ node: 'node-1', is: 'failed', wanted: 'shutdown' }],
    leadsTo: [],
  },
  { name: 'removed', services: [agent], tasks: everywhere, after: [{ removed: 'agent' }], leadsTo: [] },
];
