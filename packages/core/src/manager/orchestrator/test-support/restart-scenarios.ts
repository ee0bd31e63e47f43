/** What swarm mode's restart supervisor does, as data; and the back-off that Skep adds. */

import type { ServiceSpecInput } from '../../../model/service-spec.ts';
import type { TaskState } from '../../../model/task-state.ts';
import type { LoopScenario } from '../../test-support/loop-scenario.ts';

type Restart = NonNullable<ServiceSpecInput['task']['restart']>;

const web = (restart: Restart) => [{ name: 'web', task: { image: 'web', restart } }];
const one = [{ node: 'node-1', is: 'running' as const }];
const REPLACED = ['create web.1', 'shut down web-1'];
const LATER = ['create web.1, to be started later', 'shut down web-1'];

/** Which condition restarts after which end. */
const CONDITIONS: readonly (readonly [Restart['condition'], TaskState, boolean])[] = [
  ['any', 'failed', true],
  ['any', 'complete', true],
  ['any', 'rejected', true],
  ['on-failure', 'failed', true],
  ['on-failure', 'rejected', true],
  ['on-failure', 'complete', false],
  ['none', 'failed', false],
  ['none', 'complete', false],
  ['none', 'rejected', false],
];

/** Scenarios of the restart supervisor, as the orchestrator of replicated services uses it. */
export const RESTART_SCENARIOS: readonly LoopScenario[] = [
  ...CONDITIONS.map(
    ([condition, is, restarts]): LoopScenario => ({
      name: `condition ${condition}, and it ${is === 'complete' ? 'completed' : `was ${is}`}`,
      services: web({ condition, delayMs: 0 }),
      tasks: one,
      after: [{ task: 'web-1', is }],
      leadsTo: restarts ? REPLACED : ['shut down web-1'],
    }),
  ),
  {
    name: 'by default it is started 5 s later',
    services: web({}),
    tasks: one,
    after: [{ task: 'web-1', is: 'failed' }, { passes: 4_999 }],
    leadsTo: LATER,
  },
  {
    name: 'by default it is started after 5 s',
    services: web({}),
    tasks: one,
    after: [{ task: 'web-1', is: 'failed' }, { passes: 5_000 }],
    leadsTo: [...LATER, 'start web.1'],
  },
  {
    name: 'a delay that the leader before began is waited for to its end',
    services: web({ delayMs: 10_000 }),
    tasks: [{ slot: 1, is: 'pending', wanted: 'ready', startAfter: 3_000 }],
    after: [{ passes: 2_999 }],
    leadsTo: [],
  },
  {
    name: 'a delay that the leader before began, and its end',
    services: web({ delayMs: 10_000 }),
    tasks: [{ slot: 1, is: 'pending', wanted: 'ready', startAfter: 3_000 }],
    after: [{ passes: 3_000 }],
    leadsTo: ['start web-1'],
  },
  {
    name: 'it waits for the one before it to stop',
    services: web({ delayMs: 0 }),
    nodes: [{ availability: 'drain' }, {}],
    tasks: [{ node: 'node-1', is: 'starting' }],
    after: [{ passes: 59_999 }],
    leadsTo: [],
  },
  {
    name: 'one that does not stop is waited for a minute',
    services: web({ delayMs: 0 }),
    nodes: [{ availability: 'drain' }, {}],
    tasks: [{ node: 'node-1', is: 'starting' }],
    after: [{ passes: 60_000 }],
    leadsTo: ['start web.1'],
  },
  {
    name: 'a node that is lost is no failure: there is no delay',
    services: web({ delayMs: 10_000 }),
    tasks: one,
    after: [{ node: 'node-1', becomes: { state: 'down' } }],
    leadsTo: REPLACED,
  },
];
