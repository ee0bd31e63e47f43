import { describe, expect, test } from 'vitest';
import { asId, type TaskId } from '../../../model/ids.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../../model/service-spec.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster } from '../../../testing/state-builder.ts';
import { createJobsOrchestrator } from '../jobs/jobs.ts';
import { serviceLoops } from '../test-support/service-loops.ts';
import { leaveReason } from './leave-reason.ts';
import { isUp, serves } from './must-leave.ts';

const MOUNT = { type: 'volume' as const, source: 'data', target: '/data' };
const VOLUME = { mounts: [MOUNT] };

/** Three tasks of `web`, one on each of the nodes named, in a cluster of as many nodes and two more. */
function withWeb(
  spec: Partial<ServiceSpecInput> = {},
  nodes: readonly string[] = ['node-1', 'node-1', 'node-2'],
) {
  const cluster = aCluster().withNodes(4, (n) => (n === 1 ? { labels: { disk: 'fast' } } : {}));
  const service = { name: 'web', replicas: nodes.length, ...spec, task: { image: 'a', ...spec.task } };
  cluster.withService(service).withRunning('web', nodes);
  let least = nodes.length;
  const harness = new LoopHarness(cluster, serviceLoops(), {
    onTransaction: (_, state) => {
      const serving = [...state.tasksOfService(asId('web'))].filter(serves).length;
      least = Math.min(least, serving);
    },
  });
  expect(harness.run()).toEqual([]);
  const of = (id: string) => harness.state.task(asId<TaskId>(id));
  const live = () => harness.cluster.tasks('web').filter(({ desiredState }) => isMeantToRun(desiredState));
  return {
    harness,
    of,
    live,
    /** Fewest tasks that served at any time. */
    least: () => least,
    /** Where the tasks are that serve. */
    serving: () =>
      live()
        .filter(serves)
        .map(({ nodeId }) => nodeId),
    update: (change: Partial<ServiceSpecInput>) => {
      const web = harness.state.serviceByName('web') ?? expect.fail('no service');
      const next = serviceSpecSchema.parse({ ...web.spec, ...change });
      harness.apply({
        type: 'service.updated',
        id: web.id,
        spec: next,
        tasksChanged: false,
        portsChanged: false,
      });
    },
  };
}

describe('given tasks that serve on a node', () => {
  test('when it is drained, then others serve elsewhere before they are stopped, and never a task is missing', () => {
    const { harness, of, live, least, serving } = withWeb();
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    expect(of('web-1')?.desiredState).toBe('running');
    expect(live()).toHaveLength(5);
    harness.settle();
    expect(serving().sort()).not.toContain('node-1');
    expect(of('web-1')).toMatchObject({ desiredState: 'shutdown', status: { state: 'shutdown' } });
    expect(live()).toHaveLength(3);
    expect(least()).toBe(3);
  });

  test('when there is no room elsewhere, then they serve on, and move as soon as there is', () => {
    const { harness, of, live, least } = withWeb(
      { task: { placement: { constraints: ['node.labels.disk==fast'] } } },
      ['node-1', 'node-1'],
    );
    harness.cluster.withAvailability('node-1', 'drain');
    harness.settleFor(3_600_000);
    expect(of('web-1')).toMatchObject({ desiredState: 'running', status: { state: 'running' } });
    expect(live().flatMap(({ explanation }) => explanation?.message ?? [])).toEqual([
      expect.stringContaining('no suitable node'),
      expect.stringContaining('no suitable node'),
    ]);
    const node = harness.state.node(asId('node-3')) ?? expect.fail('no node');
    harness.apply({ type: 'node.updated', id: node.id, spec: { ...node.spec, labels: { disk: 'fast' } } });
    harness.settle();
    expect(of('web-1')?.desiredState).toBe('shutdown');
    expect(least()).toBe(2);
  });

  test('when the drain has a deadline, then they are stopped by then, wherever their successors are', () => {
    const task = { placement: { constraints: ['node.labels.disk==fast'] } };
    const { harness, of } = withWeb({ task }, ['node-1', 'node-1']);
    harness.cluster.withAvailability('node-1', 'drain', harness.cluster.at + 60_000);
    harness.settleFor(59_999);
    expect(of('web-1')?.desiredState).toBe('running');
    harness.settleFor(1);
    expect(of('web-1')?.desiredState).toBe('shutdown');
    expect(of('web-2')?.desiredState).toBe('shutdown');
  });

  test('when the node is made active again meanwhile, then they stay and their successors are called off', () => {
    const { harness, of, live } = withWeb();
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.cluster.withAvailability('node-1', 'active');
    harness.settle();
    expect(of('web-1')?.desiredState).toBe('running');
    expect(live().map(({ id }) => id)).toEqual(['web-1', 'web-2', 'web-3']);
  });

  test('when a successor fails, then it is tried again with the back-off of its policy, and the old one serves on', () => {
    const { harness, of, live, least } = withWeb({ task: { restart: { delayMs: 5_000 } } }, ['node-1']);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    const successor = live().at(-1) ?? expect.fail('none');
    harness.place().report([successor], 'failed').run();
    const next = live().at(-1);
    expect(next).toMatchObject({ desiredState: 'ready', replaces: successor.id });
    harness.advance(4_999);
    expect(next && of(next.id)?.desiredState).toBe('ready');
    harness.advance(1);
    expect(next && of(next.id)?.desiredState).toBe('running');
    expect(of('web-1')?.desiredState).toBe('running');
    harness.settle();
    expect(of('web-1')?.desiredState).toBe('shutdown');
    expect(least()).toBe(1);
  });

  test('when a successor fails and its policy wants no other, then the old one stays, and nothing spins', () => {
    const { harness, of, live } = withWeb({ task: { restart: { condition: 'none' } } }, ['node-1']);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.place().report(live().slice(-1), 'failed');
    harness.run();
    expect(harness.advance(3_600_000)).toEqual([]);
    expect(of('web-1')).toMatchObject({ desiredState: 'running', status: { state: 'running' } });
  });

  test('when the node goes down while they are moved, then no more than their successors are wanted', () => {
    const { harness, live, serving } = withWeb();
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.cluster.withNodeState('node-1', 'down');
    harness.settle();
    expect(live()).toHaveLength(3);
    expect(serving()).toHaveLength(3);
  });

  test('when the service is scaled down meanwhile, then slots that go take both with them', () => {
    const { harness, live, update } = withWeb();
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    update({ replicas: 0 });
    harness.settle();
    expect(live()).toEqual([]);
  });

  test('when the leader changes in the middle, then the next one goes on with it', () => {
    const { harness, live, least, serving } = withWeb();
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.changeLeader(serviceLoops());
    expect(harness.run()).toEqual([]);
    harness.settle();
    expect(live()).toHaveLength(3);
    expect(serving()).not.toContain('node-1');
    expect(least()).toBe(3);
  });

  test('when a change of their node makes them unfit, then others serve elsewhere before they are stopped', () => {
    const { harness, of, least, serving } = withWeb({
      task: { placement: { constraints: ['node.labels.disk!=slow'] } },
    });
    const node = harness.state.node(asId('node-1')) ?? expect.fail('no node');
    harness.apply({ type: 'node.updated', id: node.id, spec: { ...node.spec, labels: { disk: 'slow' } } });
    harness.settle();
    expect(of('web-1')).toMatchObject({ desiredState: 'shutdown', status: { state: 'shutdown' } });
    expect(serving()).not.toContain('node-1');
    expect(least()).toBe(3);
  });

  test('when they may not stay and there is no other place, then they are stopped after a minute', () => {
    const { harness, of, live } = withWeb(
      {
        task: { placement: { constraints: ['node.hostname==node-1', 'node.labels.disk!=slow'] } },
      },
      ['node-1'],
    );
    const node = harness.state.node(asId('node-1')) ?? expect.fail('no node');
    harness.apply({ type: 'node.updated', id: node.id, spec: { ...node.spec, labels: { disk: 'slow' } } });
    harness.settleFor(59_999);
    expect(of('web-1')?.desiredState).toBe('running');
    harness.settleFor(1);
    expect(of('web-1')?.desiredState).toBe('shutdown');
    expect(live()).toHaveLength(1);
  });

  test('when they have not come to serve yet, then they are replaced at once', () => {
    const cluster = aCluster().withNodes(2).withService({ name: 'web', replicas: 1 });
    cluster.withTasks('web', 1, { nodes: ['node-1'], state: 'preparing' });
    const harness = new LoopHarness(cluster, serviceLoops());
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    expect(harness.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('shutdown');
  });
});

describe('given tasks of which two may not run at once', () => {
  const nodes = ['node-1', 'node-1', 'node-1', 'node-2'];

  test.each<[string, Partial<ServiceSpecInput>, number]>([
    ['they write to a volume', { task: VOLUME }, 3],
    ['the service says so', { disruption: { order: 'stop-first' } }, 3],
    ['more may be missing', { disruption: { order: 'stop-first', maxUnavailable: 2 } }, 2],
    ['all may be missing', { task: VOLUME, disruption: { maxUnavailable: 4 } }, 1],
    ['their volume is only read', { task: { mounts: [{ ...MOUNT, readOnly: true }] } }, 4],
    ['they write to a volume that may be shared', { task: VOLUME, disruption: { order: 'start-first' } }, 4],
  ])('when their node is drained and %s, then no more are missing than may be', (_, spec, expected) => {
    const { harness, least, serving } = withWeb(spec, nodes);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.settle();
    expect(serving()).toHaveLength(4);
    expect(serving()).not.toContain('node-1');
    expect(least()).toBe(expected);
  });

  test('when none may be missing, then they stay, until the budget or the deadline says otherwise', () => {
    const spec = { disruption: { order: 'stop-first', maxUnavailable: 0 } } as const;
    const { harness, serving, update } = withWeb(spec, nodes);
    harness.cluster.withAvailability('node-1', 'drain');
    expect(harness.advance(3_600_000)).toEqual([]);
    update({ disruption: { order: 'stop-first', maxUnavailable: 1 } });
    harness.settle();
    expect(serving()).not.toContain('node-1');
  });

  test('when there is no room elsewhere, then they serve on, their successors tell why, and the deadline ends it', () => {
    const task = { ...VOLUME, placement: { constraints: ['node.labels.disk==fast'] } };
    const { harness, of, live, least } = withWeb({ task }, ['node-1', 'node-1']);
    harness.cluster.withAvailability('node-1', 'drain', harness.cluster.at + 3_600_000);
    harness.settleFor(3_599_999);
    expect(of('web-1')).toMatchObject({ desiredState: 'running', status: { state: 'running' } });
    expect(live().filter(({ explanation }) => explanation !== undefined)).toHaveLength(2);
    expect(leaveReason(harness.state, of('web-1') ?? expect.fail('none'))).toMatchObject({
      code: 'successor-waits',
      message: expect.stringMatching(/no suitable node/),
    });
    expect(least()).toBe(2);
    harness.settleFor(1);
    expect(['web-1', 'web-2'].map((id) => of(id)?.desiredState)).toEqual(['shutdown', 'shutdown']);
  });

  test('when they are prepared and the service can spare none, then they wait, and a minute counts from the stop', () => {
    const { harness, of, live } = withWeb({ task: VOLUME }, nodes);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.place().report(
      live().filter(({ desiredState }) => desiredState === 'ready'),
      'ready',
    );
    harness.run();
    const stopped = () => ['web-1', 'web-2', 'web-3'].filter((id) => of(id)?.desiredState === 'shutdown');
    expect(stopped()).toHaveLength(1);
    const waiting = of('web-3') ?? expect.fail('none');
    expect(leaveReason(harness.state, waiting)).toMatchObject({ code: 'disruption-budget' });
    harness.advance(59_999);
    const [first] = stopped();
    const successor = () => live().find(({ replaces }) => replaces === first);
    expect(successor()?.desiredState).toBe('ready');
    harness.advance(1);
    expect(successor()?.desiredState).toBe('running');
    const up = successor();
    if (up) harness.report([up], 'running').run();
    const second = stopped().find((id) => id !== first);
    const next = live().find(({ replaces }) => replaces === second);
    expect(next?.desiredState).toBe('ready');
    harness.advance(59_999);
    expect(next && of(next.id)?.desiredState).toBe('ready');
    harness.advance(1);
    expect(next && of(next.id)?.desiredState).toBe('running');
  });

  test('when one is missing already, then none of them is stopped before it is back', () => {
    const { harness, of, serving } = withWeb({ task: VOLUME }, nodes);
    harness.report([of('web-4') ?? expect.fail('none')], 'failed');
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    expect(['web-1', 'web-2', 'web-3'].map((id) => of(id)?.desiredState)).toEqual([
      'running',
      'running',
      'running',
    ]);
    harness.settleFor(60_000);
    expect(serving()).toHaveLength(4);
    expect(serving()).not.toContain('node-1');
  });

  test('when a node of theirs is lost at that moment, then that one counts as missing', () => {
    const { harness, of } = withWeb({ task: VOLUME }, nodes);
    harness.cluster.withAvailability('node-1', 'drain').withNodeState('node-2', 'down');
    harness.run();
    expect(['web-1', 'web-2', 'web-3'].map((id) => of(id)?.desiredState)).toEqual([
      'running',
      'running',
      'running',
    ]);
  });

  test('when two nodes are drained together, then both count against one budget', () => {
    const { harness, least, serving } = withWeb({ task: VOLUME }, ['node-1', 'node-2', 'node-1', 'node-2']);
    harness.cluster.withAvailability('node-1', 'drain').withAvailability('node-2', 'drain');
    harness.settle();
    expect(new Set(serving())).toEqual(new Set(['node-3', 'node-4']));
    expect(least()).toBe(3);
  });
});

/** Tasks of a service whose tasks are on each node, or that is a job, on nodes that are drained together. */
function drained(spec: Partial<ServiceSpecInput>, deadline?: number) {
  const cluster = aCluster().withNodes(6);
  const service = { name: 'web', ...spec, task: { image: 'a', ...spec.task } };
  const at = cluster.at;
  cluster.withService(service);
  let least = Number.POSITIVE_INFINITY;
  const up = () => [...cluster.state.tasksOfService(asId('web'))].filter(isUp);
  const loops = () => [...serviceLoops(), createJobsOrchestrator()];
  const harness = new LoopHarness(cluster, loops(), {
    onTransaction: () => {
      least = Math.min(least, up().length);
    },
  });
  harness.settle();
  least = up().length;
  const stopping = () =>
    cluster.tasks('web').filter((task) => !isMeantToRun(task.desiredState) && !isTerminal(task.status.state));
  for (const node of ['node-1', 'node-2', 'node-3'])
    cluster.withAvailability(node, 'drain', deadline === undefined ? undefined : at + deadline);
  harness.run();
  return { harness, up, stopping, least: () => least };
}

describe('given tasks that have no other to take their place first, on nodes that are drained together', () => {
  const job = { mode: 'replicated-job', job: { completions: 6 } } as const;

  test.each<[string, Partial<ServiceSpecInput>, number]>([
    ['run on each node', { mode: 'global' }, 3],
    ['run on each node, and one may be missing', { mode: 'global', disruption: {} }, 1],
    ['run on each node, and two may be missing', { mode: 'global', disruption: { maxUnavailable: 2 } }, 2],
    ['run on each node, and none may be missing', { mode: 'global', disruption: { maxUnavailable: 0 } }, 0],
    ['are of a job', job, 1],
    ['are of a job, and two may be missing', { ...job, disruption: { maxUnavailable: 2 } }, 2],
    ['are of a job, and none may be missing', { ...job, disruption: { maxUnavailable: 0 } }, 0],
    ['are of a global job', { mode: 'global-job' }, 3],
    ['are of a global job, and one may be missing', { mode: 'global-job', disruption: {} }, 1],
  ])('when they %s, then no more than so many are stopped at once', (_, spec, atOnce) => {
    const { harness, stopping, up } = drained(spec);
    expect(stopping()).toHaveLength(atOnce);
    const waits = up().find(
      ({ nodeId }) => nodeId === 'node-1' || nodeId === 'node-2' || nodeId === 'node-3',
    );
    const reason = waits && leaveReason(harness.state, waits);
    if (atOnce < 3) expect(reason).toMatchObject({ code: 'disruption-budget' });
    harness.changeLeader([...serviceLoops(), createJobsOrchestrator()]);
    expect(harness.run()).toEqual([]);
  });

  test.each<[string, Partial<ServiceSpecInput>, number, number]>([
    ['run on each node', { mode: 'global', disruption: {} }, 3, 3],
    ['are of a job', job, 6, 5],
  ])('when they %s, then one after the other goes', (_, spec, left, least) => {
    const found = drained(spec);
    found.harness.settle();
    expect(found.up()).toHaveLength(left);
    expect(found.up().every(({ nodeId }) => nodeId && nodeId > 'node-3')).toBe(true);
    expect(found.least()).toBe(least);
    expect(found.stopping()).toEqual([]);
  });

  test.each<[string, Partial<ServiceSpecInput>]>([
    ['run on each node', { mode: 'global', disruption: { maxUnavailable: 0 } }],
    ['are of a job', { ...job, disruption: { maxUnavailable: 0 } }],
    ['are of a global job', { mode: 'global-job', disruption: { maxUnavailable: 0 } }],
  ])('when they %s and none may be missing, then they stay until the deadline', (_, spec) => {
    const { harness, stopping, up } = drained(spec, 60_000);
    harness.advance(59_999);
    expect(stopping()).toEqual([]);
    expect(up()).toHaveLength(6);
    harness.advance(1);
    expect(stopping()).toHaveLength(3);
  });
});

test('given thousands of tasks on a node, when it is drained, then all move and each costs a look or two', () => {
  const cluster = aCluster().withNodes(3, () => ({ cpus: 10_000 }));
  cluster.withService({ name: 'web', replicas: 3_000 });
  cluster.withRunning(
    'web',
    Array.from({ length: 3_000 }, (_, n) => `node-${(n % 3) + 1}`),
  );
  const harness = new LoopHarness(cluster, serviceLoops());
  harness.run();
  harness.cluster.withAvailability('node-1', 'drain');
  harness.settle();
  const live = harness.cluster.tasks('web').filter(serves);
  expect(live).toHaveLength(3_000);
  expect(live.every(({ nodeId }) => nodeId !== 'node-1')).toBe(true);
});
