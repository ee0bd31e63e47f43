/** What swarm mode's task reaper does, as data. */

import type { LoopScenario } from '../../test-support/loop-scenario.ts';

const web = { name: 'web', replicas: 1 };
const ended = (count: number) =>
  Array.from({ length: count }, () => ({
    slot: 1,
    node: 'node-1',
    is: 'failed' as const,
    wanted: 'shutdown' as const,
  }));
const live = { slot: 1, node: 'node-1', is: 'running' as const };

/** Scenarios of `orchestrator/task-reaper`. */
export const REAPER_SCENARIOS: readonly LoopScenario[] = [
  {
    name: 'more history than is kept: the oldest goes, and the live one counts',
    cluster: { taskHistoryLimit: 2 },
    services: [web],
    tasks: [...ended(3), live],
    leadsTo: ['forget web-1', 'forget web-2'],
  },
  {
    name: 'as much history as is kept',
    cluster: { taskHistoryLimit: 3 },
    services: [web],
    tasks: [...ended(2), live],
    leadsTo: [],
  },
  {
    name: 'a negative limit keeps all',
    cluster: { taskHistoryLimit: -1 },
    services: [web],
    tasks: [...ended(9), live],
    leadsTo: [],
  },
  {
    name: 'a limit of attempts keeps one more than those',
    cluster: { taskHistoryLimit: 1 },
    services: [{ ...web, task: { image: 'web', restart: { maxAttempts: 2 } } }],
    tasks: [...ended(3), live],
    leadsTo: ['forget web-1'],
  },
  {
    name: 'history of a slot that has no live task: the newest stays, whatever the limit',
    cluster: { taskHistoryLimit: 0 },
    services: [web],
    tasks: ended(2),
    leadsTo: ['forget web-1'],
  },
  {
    name: 'slots are counted each by itself',
    cluster: { taskHistoryLimit: 1 },
    services: [web],
    tasks: [...ended(1), live, { slot: 2, node: 'node-1', is: 'running' }],
    leadsTo: ['forget web-1'],
  },
  {
    name: 'one that is to be removed and runs',
    services: [web],
    tasks: [{ ...live, wanted: 'remove' }],
    leadsTo: [],
  },
  {
    name: 'one that is to be removed and has ended',
    services: [web],
    tasks: [{ ...live, wanted: 'remove' }],
    after: [{ task: 'web-1', is: 'shutdown' }],
    leadsTo: ['forget web-1'],
  },
  {
    name: 'one that is to be removed and never had a node',
    services: [web],
    tasks: [{ slot: 1, is: 'pending' }],
    after: [{ task: 'web-1', wanted: 'remove' }],
    leadsTo: ['forget web-1'],
  },
  {
    name: 'one that was given up before it had a node',
    services: [web],
    tasks: [{ slot: 1, is: 'pending' }, live],
    after: [{ task: 'web-1', wanted: 'shutdown' }],
    leadsTo: ['forget web-1'],
  },
  {
    name: 'one that was given up on a node and has not ended',
    cluster: { taskHistoryLimit: 1 },
    services: [web],
    tasks: [{ ...live, wanted: 'shutdown' }, live],
    leadsTo: [],
  },
  {
    name: 'the service is removed: its tasks go as they end',
    services: [web],
    tasks: [live, { slot: 2, node: 'node-1', is: 'running' }],
    after: [{ removed: 'web' }, { task: 'web-1', is: 'shutdown' }],
    leadsTo: ['forget web-1'],
  },
  {
    name: 'a task of a service that was removed is orphaned',
    services: [web],
    tasks: [live],
    after: [{ removed: 'web' }, { task: 'web-1', is: 'orphaned' }],
    leadsTo: ['forget web-1'],
  },
];
