import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { asId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../model/service-spec.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import { seededRandom } from '../../runtime/random.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { createAllocator } from '../allocator/allocator.ts';
import { type DecideContext, ROWS_PER_TRANSACTION } from '../control-loop.ts';
import { createReplicatedOrchestrator } from './replicated.ts';

type Restart = NonNullable<ServiceSpecInput['task']['restart']>;

const loopOn = (cluster: StateBuilder) => new LoopHarness(cluster, [createReplicatedOrchestrator()]);
const clusterOn = (cluster: StateBuilder) =>
  new LoopHarness(cluster, [createReplicatedOrchestrator(), createAllocator()]);
const live = (tasks: readonly Task[]) => tasks.filter((task) => isMeantToRun(task.desiredState));
const slots = (tasks: readonly Task[]) => tasks.map((task) => task.slot).sort((a, b) => a - b);
const newest = (tasks: readonly Task[]): Task => newestOf(tasks);
const update = (
  cluster: StateBuilder,
  name: string,
  change: Partial<ServiceSpecInput>,
  tasksChanged = false,
) => {
  const service = cluster.state.serviceByName(name);
  if (!service) throw new Error(`there is no service ${name}`);
  const spec = serviceSpecSchema.parse({ ...service.spec, ...change });
  cluster.apply({ type: 'service.updated', id: service.id, spec, tasksChanged, portsChanged: false });
};
const newestOf = <T>(list: readonly T[]): T => {
  const last = list.at(-1);
  if (last === undefined) throw new Error('there is none');
  return last;
};
const types = (events: readonly ClusterEvent[]) => events.map((event) => event.type);

describe('given a replicated service', () => {
  test('when it is created, then it gets its tasks in slots from 1', () => {
    const harness = loopOn(aCluster().withService({ name: 'web', replicas: 3 }));
    const events = harness.run();
    expect(types(events)).toEqual(['task.created']);
    expect(slots(harness.cluster.tasks('web'))).toEqual([1, 2, 3]);
    expect(harness.cluster.tasks('web').map((task) => task.desiredState)).toEqual([
      'running',
      'running',
      'running',
    ]);
  });

  test('when no count is given, then it has one task', () => {
    const harness = loopOn(aCluster().withService({ name: 'web' }));
    harness.run();
    expect(harness.cluster.tasks('web')).toHaveLength(1);
  });

  test('when it is created while the loop is at work, then it gets its tasks, and nothing happens twice', () => {
    const harness = loopOn(aCluster());
    expect(harness.run()).toEqual([]);
    harness.cluster.withService({ name: 'web', replicas: 2 });
    harness.run();
    expect(harness.cluster.tasks('web')).toHaveLength(2);
    expect(harness.run()).toEqual([]);
  });

  test('when it asks for more than one transaction holds, then it comes in bulk events', () => {
    const replicas = ROWS_PER_TRANSACTION * 2 + 5;
    const harness = loopOn(aCluster().withService({ name: 'web', replicas }));
    harness.run();
    const sizes = harness.transactions.map(({ events }) =>
      events.map((event) => (event.type === 'task.created' ? event.rows.length : 0)),
    );
    expect(sizes).toEqual([[ROWS_PER_TRANSACTION], [ROWS_PER_TRANSACTION], [5]]);
    expect(slots(harness.cluster.tasks('web')).at(-1)).toBe(replicas);
    update(harness.cluster, 'web', { replicas: 0 });
    harness.run();
    expect(live(harness.cluster.tasks('web'))).toEqual([]);
  });

  test('when it is scaled up, then the lowest free numbers are used', () => {
    const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas: 4 });
    cluster
      .withTasks('web', 1, { slot: 2, nodes: ['node-1'] })
      .withTasks('web', 1, { slot: 5, nodes: ['node-1'] });
    const harness = loopOn(cluster);
    harness.run();
    expect(slots(cluster.tasks('web'))).toEqual([1, 2, 3, 5]);
  });

  test('when it is removed, then nothing is made in its place', () => {
    const harness = clusterOn(aCluster().withNodes(2).withService({ name: 'web', replicas: 2 })).settle();
    harness.apply({ type: 'service.removed', id: asId<ServiceId>('web') });
    expect(harness.run()).toEqual([]);
    expect(harness.cluster.tasks('web').map((task) => task.desiredState)).toEqual(['remove', 'remove']);
  });

  test('when a task is removed from outside, then its slot is filled again', () => {
    const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas: 3 });
    cluster.withRunning('web', ['node-1', 'node-1', 'node-1']);
    const harness = loopOn(cluster);
    expect(harness.run()).toEqual([]);
    harness.apply({ type: 'task.removed', ids: [asId<TaskId>('web-2')] });
    harness.run();
    expect(slots(cluster.tasks('web'))).toEqual([1, 2, 3]);
  });

  test('when a task is told to shut down from outside, then its slot is filled again once it has stopped', () => {
    const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas: 2 });
    cluster.withRunning('web', ['node-1', 'node-1']);
    const harness = clusterOn(cluster).settle();
    cluster.withDesired(['web-2'], 'shutdown');
    harness.run();
    expect(newest(cluster.tasks('web'))).toMatchObject({ slot: 2, desiredState: 'ready', replaces: 'web-2' });
    harness.settle();
    expect(newest(cluster.tasks('web'))).toMatchObject({
      desiredState: 'running',
      status: { state: 'running' },
    });
  });
});

describe('given a replicated service that is scaled down', () => {
  const scaled = (cluster: StateBuilder, replicas: number) => {
    const harness = loopOn(cluster);
    harness.run();
    update(cluster, 'web', { replicas });
    harness.run();
    return cluster
      .tasks('web')
      .filter((task) => task.desiredState === 'remove')
      .map((task) => task.slot);
  };
  const web = (nodes: readonly string[]) => {
    const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas: nodes.length });
    return cluster.withRunning('web', nodes);
  };

  test.each<[string, readonly string[], number, readonly number[]]>([
    ['on one node', ['node-1', 'node-1', 'node-1'], 2, [3]],
    ['evenly spread', ['node-1', 'node-2', 'node-3'], 2, [3]],
    ['crowded on node-1', ['node-1', 'node-1', 'node-1', 'node-2', 'node-3'], 3, [2, 3]],
    ['crowded twice', ['node-1', 'node-1', 'node-2', 'node-2'], 2, [2, 4]],
    ['to nothing', ['node-1', 'node-2'], 0, [1, 2]],
  ])(
    'when its tasks are %s, then the most crowded nodes lose theirs first',
    (_, nodes, replicas, expected) => {
      expect(scaled(web(nodes), replicas)).toEqual(expected);
    },
  );

  test('when a task is not running, then it goes before those that run', () => {
    const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas: 3 });
    cluster.withTasks('web', 1, { nodes: ['node-1'], state: 'starting' });
    cluster.withTasks('web', 2, { nodes: ['node-1', 'node-2'] });
    expect(scaled(cluster, 2)).toEqual([1]);
  });

  test('when a task has no node yet, then it goes first', () => {
    const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas: 3 });
    cluster.withPending('web', 1).withRunning('web', ['node-1', 'node-1']);
    expect(scaled(cluster, 2)).toEqual([1]);
  });

  test('when a slot goes, then its history goes with it', () => {
    const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas: 2 });
    cluster.withRunning('web', ['node-1', 'node-2']);
    cluster.withStatus(['web-2'], 'failed');
    const harness = clusterOn(cluster).settleFor(10_000);
    expect(cluster.tasks('web')).toHaveLength(3);
    update(cluster, 'web', { replicas: 1 });
    harness.run();
    const going = cluster.tasks('web').filter((task) => task.slot === 2);
    expect(going.map((task) => task.desiredState)).toEqual(['remove', 'remove']);
  });
});

describe('given a task that ended', () => {
  const service = (restart: Restart, replicas = 1) => {
    const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas, task: { restart } });
    return cluster.withRunning(
      'web',
      Array.from({ length: replicas }, (_, n) => `node-${(n % 3) + 1}`),
    );
  };

  test.each<[Restart['condition'], 'complete' | 'failed' | 'rejected' | 'shutdown', boolean]>([
    ['any', 'complete', true],
    ['any', 'failed', true],
    ['any', 'rejected', true],
    ['any', 'shutdown', true],
    ['on-failure', 'complete', false],
    ['on-failure', 'failed', true],
    ['on-failure', 'rejected', true],
    ['none', 'complete', false],
    ['none', 'failed', false],
  ])('when its condition is %s and it is %s, then being replaced is %s', (condition, state, replaced) => {
    const cluster = service({ condition });
    const harness = loopOn(cluster);
    harness.run();
    cluster.withStatus(['web-1'], state);
    harness.run();
    expect(cluster.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('shutdown');
    expect(live(cluster.tasks('web'))).toHaveLength(replaced ? 1 : 0);
    update(cluster, 'web', { labels: { looked: 'again' } });
    harness.advance(600_000);
    expect(cluster.tasks('web')).toHaveLength(replaced ? 2 : 1);
  });

  test('when it is replaced, then the new one is ready at first and runs when the delay is over', () => {
    const cluster = service({ delayMs: 5_000 });
    const harness = loopOn(cluster);
    harness.run();
    cluster.withStatus(['web-1'], 'failed');
    const ended = cluster.at;
    harness.run();
    expect(newest(cluster.tasks('web'))).toMatchObject({
      slot: 1,
      desiredState: 'ready',
      replaces: 'web-1',
      startAfter: ended + 5_000,
      restarts: { failures: 1 },
    });
    expect(harness.advance(4_999)).toEqual([]);
    expect(types(harness.advance(1))).toEqual(['task.desired']);
    expect(newest(cluster.tasks('web')).desiredState).toBe('running');
  });

  test('when another leads before the delay is over, then what is left of it is waited for', () => {
    const cluster = service({ delayMs: 5_000 });
    const harness = loopOn(cluster);
    cluster.withStatus(['web-1'], 'failed');
    harness.advance(3_000);
    harness.changeLeader([createReplicatedOrchestrator()]);
    expect(harness.advance(1_999)).toEqual([]);
    harness.advance(1);
    expect(newest(cluster.tasks('web')).desiredState).toBe('running');
  });

  test('when it fails again and again, then the delay doubles up to its most, and starts anew after a long run', () => {
    const cluster = service({ delayMs: 1_000, maxDelayMs: 6_000, resetAfterMs: 60_000 });
    const harness = clusterOn(cluster).settle();
    const fail = () => {
      harness.report([newest(cluster.tasks('web'))], 'failed').run();
      return newest(cluster.tasks('web')).startAfter - cluster.at;
    };
    const delays = [0, 0, 0, 0, 0].map(() => {
      const delay = fail();
      harness.settleFor(delay);
      return delay;
    });
    expect(delays).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
    harness.settleFor(60_000);
    expect(fail()).toBe(1_000);
  });

  test('when it waited for long but never ran, then the row of failures goes on', () => {
    const cluster = service({ delayMs: 1_000, resetAfterMs: 60_000 });
    const harness = clusterOn(cluster);
    const fail = (waitedMs: number) => {
      harness.run();
      harness.advance(waitedMs);
      harness.report([newest(cluster.tasks('web'))], 'failed').run();
      return newest(cluster.tasks('web')).startAfter - cluster.at;
    };
    expect([fail(0), fail(60_000), fail(600_000)]).toEqual([1_000, 2_000, 4_000]);
  });

  test('when it ran long enough in all but waited first, then only the time that it ran counts', () => {
    const cluster = service({ delayMs: 1_000, resetAfterMs: 60_000 });
    const harness = clusterOn(cluster);
    harness.report([newest(cluster.tasks('web'))], 'failed').run();
    harness.advance(59_000);
    const task = () => newest(cluster.tasks('web'));
    harness.place().report([task()], 'running');
    expect(task().runningSince).toBe(cluster.at);
    harness.advance(59_999);
    harness.report([task()], 'running', { message: 'still' }).report([task()], 'failed').run();
    expect(task().startAfter - cluster.at).toBe(2_000);
  });

  test.each(['any', 'on-failure', 'none'] as const)(
    'when its node leaves in order and the condition is %s, then it is replaced at once and uses up no attempt',
    (condition) => {
      const cluster = service({ condition, delayMs: 60_000, maxAttempts: 1 });
      const harness = clusterOn(cluster).settle();
      for (const state of ['shutdown', 'failed', 'shutdown'] as const) {
        harness.report([newest(cluster.tasks('web'))], state, { cause: 'node-left' }).run();
        expect(newest(cluster.tasks('web')).startAfter).toBeLessThanOrEqual(cluster.at);
        expect(newest(cluster.tasks('web')).restarts?.failures ?? 0).toBe(0);
        harness.settle();
      }
      expect(cluster.tasks('web')).toHaveLength(4);
    },
  );

  test('when its node is relabelled again and again, then that is no failure and uses up no attempt', () => {
    const cluster = service({ delayMs: 1_000, maxAttempts: 1 });
    const harness = clusterOn(cluster).settle();
    for (let time = 0; time < 4; time++) {
      harness.report([newest(cluster.tasks('web'))], 'rejected', { cause: 'constraint' }).run();
      const after = newest(cluster.tasks('web'));
      expect([after.startAfter - cluster.at, after.restarts]).toEqual([1_000, undefined]);
      harness.settleFor(1_000);
    }
    expect(live(cluster.tasks('web'))).toHaveLength(1);
  });

  test('when it asks for a fixed delay, then it is always the same', () => {
    const cluster = service({ delayMs: 1_000, backoff: 'fixed' });
    const harness = clusterOn(cluster).settle();
    for (let time = 0; time < 4; time++) {
      harness.report([newest(cluster.tasks('web'))], 'failed').run();
      expect(newest(cluster.tasks('web')).startAfter - cluster.at).toBe(1_000);
      harness.settleFor(1_000);
    }
  });

  test('when it completes, then that is no failure and the delay does not grow', () => {
    const cluster = service({ delayMs: 1_000 });
    const harness = clusterOn(cluster).settle();
    for (let time = 0; time < 3; time++) {
      harness.report([newest(cluster.tasks('web'))], 'complete').run();
      expect(newest(cluster.tasks('web')).startAfter - cluster.at).toBe(1_000);
      harness.settleFor(1_000);
    }
  });

  test('when its attempts are used up, then the slot stays filled with what ended', () => {
    const cluster = service({ maxAttempts: 2, delayMs: 1_000 }, 2);
    const harness = clusterOn(cluster).settle();
    const inSlot1 = () => cluster.tasks('web').filter((task) => task.slot === 1);
    for (let time = 0; time < 3; time++) {
      harness.report([newest(inSlot1())], 'failed').settleFor(10_000);
    }
    expect(inSlot1()).toHaveLength(3);
    expect(live(inSlot1())).toEqual([]);
    update(cluster, 'web', { replicas: 3 });
    harness.settle();
    harness.changeLeader([createReplicatedOrchestrator(), createAllocator()]).settle();
    expect(slots(live(cluster.tasks('web')))).toEqual([2, 3]);
  });

  test('when its attempts fall out of the window, then it may go on', () => {
    const cluster = service({ maxAttempts: 1, windowMs: 60_000, delayMs: 1_000, backoff: 'fixed' });
    const harness = clusterOn(cluster).settle();
    harness.report([newest(cluster.tasks('web'))], 'failed').settleFor(60_000);
    harness.report([newest(cluster.tasks('web'))], 'failed').settleFor(10_000);
    expect(live(cluster.tasks('web'))).toHaveLength(1);
    harness.report([newest(cluster.tasks('web'))], 'failed').settleFor(100_000);
    expect(live(cluster.tasks('web'))).toHaveLength(0);
  });

  test('when it was rejected before its own delay was over, then it is replaced only after it', () => {
    const cluster = service({ delayMs: 5_000 });
    const harness = clusterOn(cluster).settle();
    harness.report([newest(cluster.tasks('web'))], 'failed').settle();
    harness.report([newest(cluster.tasks('web'))], 'rejected');
    harness.settle();
    expect(cluster.tasks('web')).toHaveLength(2);
    expect(harness.wakeAt).toBe(cluster.at + 5_000);
    harness.settleFor(5_000);
    expect(cluster.tasks('web')).toHaveLength(3);
    expect(newest(cluster.tasks('web')).startAfter).toBe(cluster.at + 10_000);
  });

  test('when one of very many failed, then only its slot is looked at', () => {
    const replicas = 10_000;
    const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas });
    cluster.withTasks('web', replicas, { nodes: ['node-1'] });
    const harness = loopOn(cluster);
    harness.run();
    let reads = 0;
    cluster.withStatus(['web-77'], 'failed');
    const after = cluster.state;
    const slot = after.slot.bind(after);
    after.slot = (id, key) => {
      reads++;
      return slot(id, key);
    };
    after.slots = () => {
      throw new Error('all slots were looked at');
    };
    after.tasksOfService = () => {
      throw new Error('all tasks were looked at');
    };
    expect(harness.run()).toHaveLength(2);
    expect(reads).toBeLessThan(5);
  });
});

describe('given tasks on a node', () => {
  const spread = (restart: Restart = {}, more: Partial<ServiceSpecInput> = {}) => {
    const cluster = aCluster().withNodes(3);
    cluster.withService({ name: 'web', replicas: 3, task: { restart }, ...more });
    cluster.withRunning('web', ['node-1', 'node-2', 'node-3']);
    const harness = clusterOn(cluster);
    expect(harness.run()).toEqual([]);
    return harness;
  };

  test.each(['unknown', 'ready', 'suspect'] as const)('when the node is %s, then they stay', (state) => {
    const harness = spread();
    harness.cluster.withNodeState('node-1', state);
    expect(harness.run()).toEqual([]);
  });

  test('when the node is paused, then they stay', () => {
    const harness = spread();
    harness.cluster.withAvailability('node-1', 'pause');
    expect(harness.run()).toEqual([]);
  });

  test('when the node goes down, then they are replaced at once and without a failure', () => {
    const harness = spread();
    harness.cluster.withNodeState('node-1', 'down');
    harness.run();
    expect(newest(harness.cluster.tasks('web'))).toMatchObject({
      slot: 1,
      desiredState: 'running',
      startAfter: 0,
      replaces: 'web-1',
    });
    expect(newest(harness.cluster.tasks('web')).restarts).toBeUndefined();
    expect(harness.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('shutdown');
  });

  test('when the node goes down while many do, then they stay until their turn has come', () => {
    const harness = spread();
    const ids = [asId<NodeId>('node-1')];
    harness.apply({ type: 'node.status', state: 'down', message: 'waits', ids, tasksKept: true });
    expect(harness.run()).toEqual([]);
    harness.apply({ type: 'node.status', state: 'down', message: 'is lost', ids });
    harness.run();
    expect(newest(harness.cluster.tasks('web'))).toMatchObject({ slot: 1, replaces: 'web-1' });
  });

  test('when the service waits for lost nodes, then they are replaced only after that, and not if the node is back', () => {
    const harness = spread();
    update(harness.cluster, 'web', { evictAfterMs: 60_000 });
    harness.run();
    harness.cluster.withNodeState('node-1', 'down');
    expect(harness.advance(59_999)).toEqual([]);
    harness.cluster.withNodeState('node-1', 'ready');
    expect(harness.advance(120_000)).toEqual([]);
    harness.cluster.withNodeState('node-1', 'down');
    expect(harness.advance(59_999)).toEqual([]);
    harness.advance(1);
    expect(newest(harness.cluster.tasks('web'))).toMatchObject({ slot: 1, replaces: 'web-1' });
  });

  const stopFirst = { disruption: { order: 'stop-first' } } as const;

  test('when the node is drained and they stop first, then the new ones wait for the old ones to stop, and not for a delay', () => {
    const harness = spread({}, stopFirst);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    const replacement = newest(harness.cluster.tasks('web'));
    expect(replacement.desiredState).toBe('ready');
    expect(harness.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('running');
    harness.report([replacement], 'ready').run();
    expect(harness.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('shutdown');
    expect(harness.state.task(replacement.id)?.desiredState).toBe('ready');
    harness.report(harness.cluster.tasks('web').slice(0, 1), 'shutdown').run();
    expect(harness.state.task(replacement.id)?.desiredState).toBe('running');
  });

  test('when an old one does not stop within a minute, then the new one starts all the same', () => {
    const harness = spread({}, stopFirst);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.report([newest(harness.cluster.tasks('web'))], 'ready');
    harness.advance(59_999);
    expect(newest(harness.cluster.tasks('web')).desiredState).toBe('ready');
    harness.advance(1);
    expect(newest(harness.cluster.tasks('web')).desiredState).toBe('running');
  });

  test('when the node of an old one is lost while it is waited for, then the new one starts', () => {
    const harness = spread({}, stopFirst);
    harness.cluster.withAvailability('node-1', 'drain');
    harness.run();
    harness.cluster.withNodeState('node-1', 'down');
    harness.run();
    expect(newest(harness.cluster.tasks('web')).desiredState).toBe('running');
  });

  test('when the node is removed, then they are replaced', () => {
    const harness = spread();
    harness.apply({ type: 'node.removed', id: asId<NodeId>('node-2') });
    harness.settle();
    expect(live(harness.cluster.tasks('web')).map((task) => task.slot)).toEqual([1, 3, 2]);
  });

  test('when they may never be restarted, then they are not moved either', () => {
    const harness = spread({ condition: 'none' });
    harness.cluster.withNodeState('node-1', 'down');
    harness.run();
    expect(live(harness.cluster.tasks('web'))).toHaveLength(2);
    expect(harness.cluster.tasks('web')).toHaveLength(3);
  });

  test('when the leader begins with ended tasks and lost nodes, then both are seen to', () => {
    const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas: 3 });
    cluster.withRunning('web', ['node-1', 'node-2', 'node-3']).withStatus(['web-2'], 'failed');
    cluster.withNodeState('node-3', 'down');
    const harness = loopOn(cluster);
    harness.run();
    expect(
      cluster
        .tasks('web')
        .slice(3)
        .map((task) => [task.slot, task.desiredState]),
    ).toEqual([
      [2, 'ready'],
      [3, 'running'],
    ]);
  });
});

describe('given an update of the tasks of a service', () => {
  const web = (parallelism: number, replicas = 4) => {
    const cluster = aCluster().withNodes(2).withService({ name: 'web', replicas, update: { parallelism } });
    cluster.withRunning(
      'web',
      Array.from({ length: replicas }, (_, n) => `node-${(n % 2) + 1}`),
    );
    const harness = clusterOn(cluster);
    expect(harness.run()).toEqual([]);
    return harness;
  };
  const image = (harness: LoopHarness) => live(harness.cluster.tasks('web')).map((task) => task.spec.image);
  const count = (harness: LoopHarness, text: string) => image(harness).filter((each) => each === text).length;
  const updateTo = (harness: LoopHarness, text: string, more: Partial<ServiceSpecInput> = {}) =>
    update(harness.cluster, 'web', { task: { image: text }, ...more }, true);

  test.each([
    [1, 1],
    [2, 2],
    [0, 4],
  ])('when its parallelism is %i, then %i slots are replaced at a time', (parallelism, expected) => {
    const harness = web(parallelism);
    updateTo(harness, 'second');
    harness.run();
    expect(count(harness, 'second')).toBe(expected);
    harness.place().run();
    expect(count(harness, 'second')).toBe(expected);
    harness.settle();
    expect(image(harness)).toEqual(['second', 'second', 'second', 'second']);
    expect(slots(live(harness.cluster.tasks('web')))).toEqual([1, 2, 3, 4]);
  });

  test('when a slot is replaced, then the new task is prepared first, and starts once the old one has stopped', () => {
    const harness = web(1);
    updateTo(harness, 'second');
    harness.run();
    const replacement = newest(harness.cluster.tasks('web'));
    expect(replacement).toMatchObject({ slot: 1, replaces: 'web-1', desiredState: 'ready' });
    expect(harness.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('running');
    harness.report([replacement], 'ready').run();
    expect(harness.state.task(asId<TaskId>('web-1'))?.desiredState).toBe('shutdown');
    expect(harness.state.task(replacement.id)?.desiredState).toBe('ready');
    harness.report(harness.cluster.tasks('web').slice(0, 1), 'shutdown').run();
    expect(harness.state.task(replacement.id)?.desiredState).toBe('running');
  });

  test('when the new tasks fail, then the update waits and the rest goes on running', () => {
    const harness = web(1);
    updateTo(harness, 'broken');
    harness.run();
    for (let time = 0; time < 4; time++) {
      harness.place().run();
      harness.report(harness.cluster.tasks('web').slice(0, 1), 'shutdown');
      harness.report([newest(harness.cluster.tasks('web'))], 'rejected');
      harness.advance(400_000);
    }
    expect(count(harness, 'broken')).toBe(1);
    expect(count(harness, 'image')).toBe(3);
  });

  test('when another update comes, then it supersedes the one that hangs', () => {
    const harness = web(1);
    updateTo(harness, 'broken');
    harness.run();
    harness.report([newest(harness.cluster.tasks('web'))], 'rejected').run();
    updateTo(harness, 'third');
    harness.settleFor(60_000);
    expect(image(harness)).toEqual(['third', 'third', 'third', 'third']);
  });

  test('when it is taken back, then slots not yet replaced are left alone', () => {
    const harness = web(1);
    updateTo(harness, 'second');
    harness.run();
    updateTo(harness, 'image');
    harness.settle();
    expect(slots(live(harness.cluster.tasks('web')))).toEqual([1, 2, 3, 4]);
    expect(harness.cluster.tasks('web').filter((task) => task.slot > 1)).toHaveLength(3);
  });

  test('when the count grows at once, then the new slots come at once too', () => {
    const harness = web(1);
    updateTo(harness, 'second', { replicas: 6 });
    harness.run();
    expect(count(harness, 'second')).toBe(3);
    harness.settle();
    expect(count(harness, 'second')).toBe(6);
  });

  test('when the count shrinks at once, then only what stays is replaced', () => {
    const harness = web(0);
    updateTo(harness, 'second', { replicas: 2 });
    harness.settle();
    expect(image(harness)).toEqual(['second', 'second']);
    expect(harness.cluster.tasks('web').filter((task) => task.spec.image === 'second')).toHaveLength(2);
  });

  test('when another leads in the middle, then it goes on where it was', () => {
    const harness = web(1);
    updateTo(harness, 'second');
    harness.run();
    harness.changeLeader([createReplicatedOrchestrator(), createAllocator()]);
    harness.run();
    expect(count(harness, 'second')).toBe(1);
    harness.settle();
    expect(count(harness, 'second')).toBe(4);
  });

  test('when only the placement changes and the nodes still fit, then nothing is replaced', () => {
    const harness = web(1);
    update(
      harness.cluster,
      'web',
      { task: { image: 'image', placement: { constraints: ['node.role==worker'] } } },
      true,
    );
    expect(harness.run()).toEqual([]);
  });

  test('when only the placement changes and a node does not fit, then what is there is replaced', () => {
    const harness = web(0);
    const placement = { constraints: ['node.hostname==node-1'] };
    update(harness.cluster, 'web', { task: { image: 'image', placement } }, true);
    harness.run();
    expect(slots(harness.cluster.tasks('web').slice(4))).toEqual([2, 4]);
  });

  test('when a slot is filled by what ended for good, then it is replaced too', () => {
    const cluster = aCluster()
      .withNodes(1)
      .withService({ name: 'web', task: { restart: { condition: 'none' } } });
    cluster.withRunning('web', ['node-1']).withStatus(['web-1'], 'complete');
    const harness = clusterOn(cluster).settle();
    expect(live(cluster.tasks('web'))).toEqual([]);
    update(cluster, 'web', { task: { image: 'second', restart: { condition: 'none' } } }, true);
    harness.run();
    expect(live(cluster.tasks('web'))).toMatchObject([
      { slot: 1, desiredState: 'running', replaces: 'web-1' },
    ]);
  });
});

describe('given a service with more slots than one turn looks at', () => {
  const SLOTS = 40;
  const context: DecideContext = { at: 1_800_000_000_000, random: seededRandom(5) };
  const large = (replicas = SLOTS) => {
    const cluster = aCluster().withNodes(2).withService({ name: 'web', replicas });
    return cluster.withTasks('web', SLOTS, { nodes: ['node-1', 'node-2'] });
  };
  const inSlices = (cluster: StateBuilder) => new LoopHarness(cluster, [createReplicatedOrchestrator(8)]);

  /** A loop in the middle of its look: what is done now comes between two slices. */
  function betweenSlices(cluster: StateBuilder, change: () => void) {
    const harness = inSlices(cluster);
    const loop = createReplicatedOrchestrator(8);
    harness.changeLeader([loop]);
    for (let slice = 0; slice < 2; slice++) {
      expect(loop.decide(cluster.state, context)).toEqual({ events: [], more: true });
    }
    change();
    harness.run();
    return harness;
  }

  test('when all is as it should be, then each turn looks at no more, and nothing is wanted', () => {
    const cluster = large();
    const loop = createReplicatedOrchestrator(8);
    loop.begin(cluster.state);
    const more: boolean[] = [];
    for (let turn = 0; turn < 5; turn++) more.push(loop.decide(cluster.state, context).more);
    expect(more).toEqual([true, true, true, true, false]);
  });

  test('when tasks fail between two slices, looked at already or not, then all of them are replaced', () => {
    const cluster = large();
    betweenSlices(cluster, () => cluster.withStatus(['web-3', 'web-30'], 'failed'));
    expect(slots(cluster.tasks('web').slice(SLOTS))).toEqual([3, 30]);
  });

  test('when tasks are lost between two slices, then their slots are filled again', () => {
    const cluster = large();
    betweenSlices(cluster, () => cluster.withDesired(['web-2', 'web-35'], 'remove'));
    expect(slots(cluster.tasks('web').slice(SLOTS))).toEqual([2, 35]);
  });

  test('when a node goes between two slices, then what stood on it is replaced', () => {
    const cluster = large();
    betweenSlices(cluster, () => cluster.withNodeState('node-1', 'down'));
    expect(live(cluster.tasks('web'))).toHaveLength(SLOTS);
    expect(cluster.tasks('web').slice(SLOTS)).toHaveLength(SLOTS / 2);
  });

  test('when another number is asked for between two slices, then that one holds', () => {
    const cluster = large();
    betweenSlices(cluster, () => update(cluster, 'web', { replicas: 3 }));
    expect(live(cluster.tasks('web'))).toHaveLength(3);
    const more = large(SLOTS);
    betweenSlices(more, () => update(more, 'web', { replicas: SLOTS + 2 }));
    expect(slots(more.tasks('web').slice(SLOTS))).toEqual([SLOTS + 1, SLOTS + 2]);
  });

  test('when its tasks are to be others between two slices, then every one is replaced', () => {
    const cluster = large();
    betweenSlices(cluster, () =>
      update(cluster, 'web', { task: { image: 'second' }, update: { parallelism: 0 } }, true),
    );
    const made = live(cluster.tasks('web')).filter((task) => task.spec.image === 'second');
    expect(made.map(({ slot }) => slot)).toEqual(Array.from({ length: SLOTS }, (_, at) => at + 1));
  });

  test('when it is updated faster than it can be looked at, then its number is come to all the same', () => {
    const cluster = large(SLOTS + 5);
    const loop = createReplicatedOrchestrator(8);
    const harness = inSlices(cluster).changeLeader([loop]);
    for (let turn = 0; turn < 10 && cluster.tasks('web').length === SLOTS; turn++) {
      update(cluster, 'web', { task: { image: `image-${turn}` }, update: { parallelism: 1 } }, true);
      loop.observe(newestOf(cluster.changes), cluster.state);
      const { events } = loop.decide(cluster.state, { ...context, at: cluster.at });
      cluster.commit(events, { actor: { kind: 'loop', name: loop.name } });
    }
    expect(live(cluster.tasks('web'))).toHaveLength(SLOTS + 5);
    harness.run();
  });

  test('when only its labels change, then no slot is looked at', () => {
    const cluster = large();
    const harness = inSlices(cluster);
    harness.run();
    update(cluster, 'web', { labels: { team: 'a' } });
    const { state } = cluster;
    state.slots = () => {
      throw new Error('all slots were looked at');
    };
    expect(harness.run()).toEqual([]);
  });

  test('when the pace of an update is raised, then it goes on at once', () => {
    const cluster = large();
    const harness = new LoopHarness(cluster, [createReplicatedOrchestrator()]);
    harness.run();
    update(cluster, 'web', { task: { image: 'second' } }, true);
    harness.run();
    const second = () => live(cluster.tasks('web')).filter((task) => task.spec.image === 'second');
    expect(second()).toHaveLength(1);
    update(cluster, 'web', { update: { parallelism: 5 } });
    harness.run();
    expect(second()).toHaveLength(5);
  });
});
