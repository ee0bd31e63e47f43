import { describe, expect, test } from 'vitest';
import type { ServiceId } from '../../../model/ids.ts';
import type { Task, UpdateStatus } from '../../../model/objects.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../../model/service-spec.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import { endpointsOf } from '../../../state/endpoints.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster } from '../../../testing/state-builder.ts';
import { createAllocator } from '../../allocator/allocator.ts';
import {
  abortUpdate,
  pauseUpdate,
  promoteUpdate,
  resumeUpdate,
  rollBackService,
  type UpdateCommand,
} from '../../api/update-commands.ts';
import { createScheduler } from '../../scheduler/scheduler.ts';
import { serves } from '../drain/must-leave.ts';
import { createGlobalOrchestrator } from '../global.ts';
import { createReplicatedOrchestrator } from '../replicated.ts';
import { createTaskReaper } from '../task-reaper.ts';

const loops = () => [
  createReplicatedOrchestrator(),
  createGlobalOrchestrator(),
  createAllocator(),
  createScheduler(),
  createTaskReaper(),
];

/** A service `web` of the image `one`, that runs, and what can be done to it. */
function running(spec: Partial<ServiceSpecInput> = {}, nodes = 4) {
  const cluster = aCluster().withNodes(nodes, () => ({ cpus: 100 }));
  const task = { image: 'one', restart: { delayMs: 0 }, ...spec.task };
  cluster.withService({ name: 'web', ...(spec.mode === 'global' ? {} : { replicas: 4 }), ...spec, task });
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  const harness = new LoopHarness(cluster, loops(), {
    onTransaction: (_, state) => {
      const serving = [...state.tasksOfService('web' as ServiceId)].filter(serves).length;
      least = Math.min(least, serving);
      most = Math.max(most, serving);
    },
  });
  harness.settle();
  least = Number.POSITIVE_INFINITY;
  most = 0;
  const service = () => harness.state.serviceByName('web') ?? expect.fail('no service');
  const live = () => harness.cluster.tasks('web').filter(({ desiredState }) => isMeantToRun(desiredState));
  const images = () =>
    live()
      .filter(serves)
      .map((one) => one.spec.image)
      .sort()
      .join(' ');
  return {
    harness,
    service,
    live,
    images,
    least: () => least,
    most: () => most,
    status: (): UpdateStatus | undefined => service().updateStatus,
    update(change: Partial<ServiceSpecInput>) {
      const { spec: present, id } = service();
      const next = serviceSpecSchema.parse({
        ...present,
        ...change,
        task: { ...present.task, ...change.task },
      });
      const tasksChanged = change.task !== undefined;
      harness.apply({ type: 'service.updated', id, spec: next, tasksChanged, portsChanged: false });
    },
    command(decide: UpdateCommand) {
      const { events } = decide(service(), { at: harness.cluster.at, random: { next: () => 0.5 } as never });
      harness.apply(...events);
    },
    /** Those of an image come as far as that. */
    report(
      image: string,
      state: Parameters<LoopHarness['report']>[1],
      which: (task: Task) => boolean = () => true,
    ) {
      harness.run();
      harness.place();
      harness.report(
        live().filter((one) => one.spec.image === image && which(one)),
        state,
      );
      return harness.run();
    },
  };
}

const two = { task: { image: 'two' } };

describe('given a service whose tasks are changed', () => {
  test('when all goes well, then one slot after the other is replaced, watched, and the update completes', () => {
    const web = running();
    web.update(two);
    web.harness.settle();
    expect(web.images()).toBe('two two two two');
    expect(web.status()).toMatchObject({ state: 'updating', slots: 4, failures: 0 });
    web.harness.settleFor(4_999);
    expect(web.status()?.state).toBe('updating');
    web.harness.settleFor(1);
    expect(web.status()).toMatchObject({ state: 'completed', message: 'update completed' });
    expect(web.least()).toBe(3);
  });

  test('when the new tasks are being prepared, then nothing is stopped before they are', () => {
    const web = running();
    web.update(two);
    web.report('two', 'preparing');
    web.harness.advance(600_000);
    expect(web.images()).toBe('one one one one');
    web.report('two', 'ready');
    expect(web.live().filter(({ spec }) => spec.image === 'one')).toHaveLength(3);
  });

  test('when the new image is not to be had, then the update pauses and nothing was stopped', () => {
    const web = running();
    web.update(two);
    web.report('two', 'rejected');
    expect(web.status()).toMatchObject({
      state: 'paused',
      failures: 1,
      message: expect.stringMatching(/^update paused due to failure or early termination of task /),
    });
    expect(web.least()).toBe(4);
    web.report('two', 'rejected');
    expect(web.images()).toBe('one one one one');
  });

  test('when there is no room for two of a slot, then the old one is stopped first', () => {
    const web = running({ task: { image: 'one', resources: { reservations: { cpus: 60 } } } });
    web.update({ task: { image: 'two' } });
    web.harness.settleFor(5_000);
    expect(web.images()).toBe('two two two two');
    expect(web.status()?.state).toBe('completed');
  });

  test('when there is a delay, then the next slot waits for it, whoever leads', () => {
    const web = running({ update: { delayMs: 10_000, monitorMs: 0 } });
    web.update(two);
    web.harness.settleFor(9_999);
    expect(web.images()).toBe('one one one two');
    web.harness.changeLeader(loops());
    web.harness.settleFor(1);
    expect(web.images()).toBe('one one two two');
    web.harness.settleFor(30_000);
    expect(web.status()?.state).toBe('completed');
  });

  test('when it starts first, then never a task is missing', () => {
    const web = running({ update: { order: 'start-first', parallelism: 2 } });
    web.update(two);
    web.harness.settleFor(5_000);
    expect(web.images()).toBe('two two two two');
    expect([web.least(), web.most()]).toEqual([4, 6]);
  });

  test('when it starts first and the new task fails, then the old one stays', () => {
    const web = running({ update: { order: 'start-first' } });
    web.update(two);
    web.report('two', 'failed');
    expect(web.status()?.state).toBe('paused');
    expect(web.images()).toBe('one one one one');
  });

  const onHostPort: Partial<ServiceSpecInput> = {
    update: { order: 'start-first' },
    ports: [{ target: 80, published: 8080, mode: 'host' }],
  };

  test('when start-first is impossible, then it stops first, and says so', () => {
    const web = running({ ...onHostPort, mode: 'global' });
    web.update(two);
    web.harness.run();
    expect(web.status()?.message).toBe(
      "update in progress, stop-first: two tasks can't share the host port 8080/tcp",
    );
    web.harness.settleFor(5_000);
    expect(web.images()).toBe('two two two two');
  });

  test('when the host port is free on another node, then it starts first there', () => {
    const web = running(onHostPort, 5);
    web.update(two);
    web.harness.settleFor(5_000);
    expect(web.images()).toBe('two two two two');
    expect(web.least()).toBe(4);
  });

  test.each([
    ['a host port is free on no node', onHostPort, 'no node has the host port 8080/tcp free'],
    [
      'every node has as many tasks as it may',
      { update: { order: 'start-first' }, task: { placement: { maxReplicasPerNode: 1 } } },
      'no node may have another of its tasks',
    ],
  ] as const)('when %s, then it stops first, and says so', (_, spec, why) => {
    const web = running(spec as Partial<ServiceSpecInput>);
    web.update(two);
    web.report('two', 'running');
    web.harness.settle();
    expect(web.status()?.message).toBe(`update in progress, stop-first: ${why}`);
    expect(web.images()).toBe('two two two two');
    expect(web.least()).toBe(3);
  });

  test('when it is changed again on the way, then the newest spec wins', () => {
    const web = running();
    web.update(two);
    web.report('two', 'ready');
    web.update({ task: { image: 'three' } });
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('three three three three');
    expect(web.status()?.state).toBe('completed');
  });

  test('when it is changed back on the way, then what is as it should be stays', () => {
    const web = running({ update: { order: 'start-first' } });
    const before = web.live().map(({ id }) => id);
    web.update(two);
    web.report('two', 'starting');
    web.update({ task: { image: 'one' } });
    web.harness.settleFor(60_000);
    expect(web.live().map(({ id }) => id)).toEqual(before);
  });
});

describe('given tasks of an update that fail', () => {
  const failing = (update: ServiceSpecInput['update'], rollback?: ServiceSpecInput['rollback']) =>
    running({ update, ...(rollback ? { rollback } : {}) });

  test('when one ends while it is watched, then the update pauses; when later, then not', () => {
    const web = failing({ parallelism: 1, delayMs: 60_000 });
    web.update(two);
    web.harness.settle();
    web.harness.settleFor(4_999);
    web.report('two', 'failed');
    expect(web.status()?.state).toBe('paused');
    const other = failing({ parallelism: 1, delayMs: 60_000 });
    other.update(two);
    other.harness.settle();
    other.harness.settleFor(5_000);
    other.report('two', 'failed');
    expect(other.status()).toMatchObject({ state: 'updating', failures: 0 });
  });

  test('when so many may fail, then it goes on up to that, and each counts once', () => {
    const web = failing({ parallelism: 4, maxFailureRatio: 0.25 });
    web.update(two);
    const first = (task: Task) => task.slot === 1;
    web.report('two', 'failed', first);
    expect(web.status()).toMatchObject({ state: 'updating', failures: 1 });
    web.report('two', 'failed', first);
    expect(web.status()?.failures).toBe(1);
    web.report('two', 'failed', (task) => task.slot === 2);
    expect(web.status()).toMatchObject({ state: 'paused', failures: 2 });
  });

  test('when it is to go on, then it does', () => {
    const web = failing({ failureAction: 'continue', parallelism: 1 });
    web.update(two);
    web.report('two', 'failed');
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
    expect(web.status()).toMatchObject({
      state: 'completed',
      message: 'update completed, with 1 failed tasks',
    });
  });

  test('when it is to roll back, then it does, and the number of replicas stays what it is', () => {
    const web = failing({ failureAction: 'rollback', parallelism: 2 });
    web.update(two);
    web.harness.run();
    web.update({ replicas: 5 });
    web.report('two', 'failed');
    const rolledBack = web.harness.transactions
      .flatMap(({ events }) => events)
      .find(({ type }) => type === 'service.rolled-back');
    expect(rolledBack).toMatchObject({
      status: {
        state: 'rollback_started',
        message: expect.stringMatching(/^update rolled back due to failure or early termination of task /),
      },
    });
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('one one one one one');
    expect(web.status()).toMatchObject({ state: 'rollback_completed', message: 'rollback completed' });
  });

  test('when the rollback fails too, then it pauses and stays so', () => {
    const web = failing({ failureAction: 'rollback' });
    web.update(two);
    web.harness.settle();
    web.report('two', 'failed', (task) => task.slot === 1);
    expect(web.status()?.state).toBe('rollback_started');
    web.report('one', 'failed', (task) => task.replaces !== undefined);
    web.harness.settleFor(600_000);
    expect(web.status()?.state).toBe('rollback_paused');
  });

  test('when it was paused and the service changes, or it is resumed, then it goes on', () => {
    const web = failing({});
    web.update(two);
    web.report('two', 'failed');
    expect(web.status()?.state).toBe('paused');
    web.command(resumeUpdate);
    web.harness.settleFor(60_000);
    expect(web.status()?.state).toBe('completed');
    expect(web.images()).toBe('two two two two');
  });
});

describe('given commands on an update', () => {
  test('when it is rolled back by hand, then forward again, then each spec comes back', () => {
    const web = running();
    web.update(two);
    web.harness.settleFor(60_000);
    web.command(rollBackService);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('one one one one');
    web.command(rollBackService);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
  });

  test('when the number of replicas alone was changed, then a rollback by hand brings it back', () => {
    const web = running();
    web.update({ replicas: 2 });
    web.harness.settle();
    web.command(rollBackService);
    web.harness.settle();
    expect(web.images()).toBe('one one one one');
  });

  test('when it is paused by hand, then no further slot is replaced before it is resumed', () => {
    const web = running({ update: { delayMs: 1_000 } });
    web.update(two);
    web.harness.settle();
    web.command(pauseUpdate);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('one one one two');
    web.command(resumeUpdate);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
  });

  test.each([
    ['roll back', rollBackService, 'service web does not have a previous spec'],
    ['promote', promoteUpdate, 'no update of service web waits to be promoted'],
    ['abort', abortUpdate, 'service web has no update to abort'],
    ['pause', pauseUpdate, 'service web has no update to pause'],
    ['resume', resumeUpdate, 'service web has no update that is paused'],
  ] as const)('when there is nothing to %s, then it is refused', (_, command, message) => {
    const web = running();
    expect(() => web.command(command)).toThrow(message);
  });
});

describe('given canaries', () => {
  const canary = { canary: { tasks: 2 }, parallelism: 1 } as const;

  test('when they run, then the update waits to be promoted, whoever leads', () => {
    const web = running({ update: canary });
    web.update(two);
    web.harness.settleFor(600_000);
    expect(web.images()).toBe('one one two two');
    expect(web.status()).toMatchObject({
      state: 'waiting',
      message: '2 of 4 slots updated, waiting to be promoted or aborted',
    });
    web.harness.changeLeader(loops());
    web.harness.settleFor(600_000);
    expect(web.images()).toBe('one one two two');
    web.command(promoteUpdate);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
    expect(web.status()?.state).toBe('completed');
  });

  test('when they are aborted, then the old spec comes back', () => {
    const web = running({ update: canary });
    web.update(two);
    web.harness.settle();
    web.command(abortUpdate);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('one one one one');
    expect(web.status()?.state).toBe('rollback_completed');
  });

  test('when they were well for a time, then the update goes on by itself', () => {
    const web = running({ update: { canary: { tasks: 1, promoteAfterMs: 30_000 } } });
    web.update(two);
    web.harness.settleFor(29_999);
    expect(web.images()).toBe('one one one two');
    web.harness.settleFor(10_000);
    expect(web.images()).toBe('two two two two');
  });

  test('when one fails, however late, then the update pauses', () => {
    const web = running({ update: { canary: { tasks: 1, promoteAfterMs: 30_000 } } });
    web.update(two);
    web.harness.settleFor(29_000);
    web.report('two', 'failed');
    expect(web.status()?.state).toBe('paused');
  });
});

describe('given an update in blue and green', () => {
  const traffic = (web: ReturnType<typeof running>) =>
    endpointsOf(web.harness.state, web.service())
      .map(({ taskId }) => web.harness.state.task(taskId)?.spec.image)
      .join(' ');

  test('when all new tasks run, then traffic waits for the word, and is switched at once', () => {
    const web = running({ update: { blueGreen: {} } });
    web.update(two);
    web.harness.settleFor(600_000);
    expect(web.images()).toBe('one one one one two two two two');
    expect(web.status()?.state).toBe('waiting');
    expect(traffic(web)).toBe('one one one one');
    web.harness.changeLeader(loops());
    web.harness.settle();
    web.command(promoteUpdate);
    expect(traffic(web)).toBe('two two two two');
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
    expect(web.status()?.state).toBe('completed');
    expect(traffic(web)).toBe('two two two two');
  });

  test('when it is aborted, then the old tasks have never been without traffic, and the new ones go', () => {
    const web = running({ update: { blueGreen: {} } });
    const before = web.live().map(({ id }) => id);
    web.update(two);
    web.harness.settle();
    web.command(abortUpdate);
    expect(traffic(web)).toBe('one one one one');
    web.harness.settleFor(60_000);
    expect(web.live().map(({ id }) => id)).toEqual(before);
    expect(web.status()?.state).toBe('rollback_completed');
    expect(traffic(web)).toBe('one one one one');
  });

  test('when it needs no word, then it is switched as soon as all run', () => {
    const web = running({ update: { blueGreen: { promoteAfterMs: 0 } } });
    web.update(two);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
    expect(web.least()).toBe(4);
  });
});

describe('given a global service', () => {
  test('when its tasks are changed, then node by node, watched, paused at a failure', () => {
    const web = running({ mode: 'global' });
    web.update(two);
    web.harness.settleFor(60_000);
    expect(web.images()).toBe('two two two two');
    expect(web.status()).toMatchObject({ state: 'completed', slots: 4 });
    web.update({ task: { image: 'three' } });
    web.report('three', 'rejected');
    expect(web.status()?.state).toBe('paused');
    expect(web.images()).toBe('two two two two');
  });
});

test('given leaders that change at every step, when tasks are changed, then the update completes all the same', () => {
  const web = running({ update: { delayMs: 1_000, parallelism: 2 } });
  web.update(two);
  for (let step = 0; step < 200 && web.status()?.completedAt === undefined; step++) {
    web.harness.run();
    web.harness.changeLeader(loops());
    web.harness.place();
    web.harness.work();
    web.harness.changeLeader(loops());
    web.harness.advance(250);
  }
  expect(web.images()).toBe('two two two two');
  expect(web.status()).toMatchObject({ state: 'completed', failures: 0 });
  expect(web.least()).toBeGreaterThanOrEqual(2);
});
