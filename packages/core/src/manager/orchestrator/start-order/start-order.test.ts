import { describe, expect, test } from 'vitest';
import { asId, type ServiceId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import { type Dependency, type ServiceSpecInput, serviceSpecSchema } from '../../../model/service-spec.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../../testing/state-builder.ts';
import { createAllocator } from '../../allocator/allocator.ts';
import { createGlobalOrchestrator } from '../global.ts';
import { createJobsOrchestrator } from '../jobs/jobs.ts';
import { createReplicatedOrchestrator } from '../replicated.ts';
import { type StartWait, startWaits } from './conditions.ts';
import { createStartOrder } from './start-order.ts';

/** One slot a turn, so that services are looked at in slices. */
const loops = () => [
  createReplicatedOrchestrator(),
  createGlobalOrchestrator(),
  createJobsOrchestrator(),
  createStartOrder(1),
  createAllocator(),
];

const on = (service: string, condition: Dependency['condition']): Dependency => ({ service, condition });
const settled = (cluster: StateBuilder) => new LoopHarness(cluster, loops()).settle();

function waitsOf(cluster: StateBuilder, name = 'web'): StartWait['code'][] {
  const service = cluster.state.serviceByName(name);
  if (!service) throw new Error(`there is no service ${name}`);
  return startWaits(cluster.state, service).map(({ code }) => code);
}

const live = (cluster: StateBuilder, name = 'web'): Task[] =>
  cluster.tasks(name).filter(({ desiredState }) => isMeantToRun(desiredState));
const statesOf = (cluster: StateBuilder, name = 'web') =>
  live(cluster, name).map(({ status }) => status.state);

function change(harness: LoopHarness, name: string, more: Partial<ServiceSpecInput>): void {
  const service = harness.state.serviceByName(name);
  if (!service) throw new Error(`there is no service ${name}`);
  const spec = serviceSpecSchema.parse({ ...service.spec, ...more });
  harness.apply({ type: 'service.updated', id: service.id, spec, tasksChanged: false, portsChanged: false });
}

describe('given a service that depends on another', () => {
  const dependent = (condition: Dependency['condition'], more: Partial<ServiceSpecInput> = {}) =>
    aCluster()
      .withNodes(2)
      .withService({ name: 'web', replicas: 2, dependsOn: [on('Db', condition)], ...more });

  test.each(['replicated', 'global', 'replicated-job', 'global-job'] as const)(
    'when it is %s, then its tasks are prepared, and not started until the other is there',
    (mode) => {
      const cluster = dependent('healthy', {
        mode,
        ...(mode === 'replicated-job' ? { job: { completions: 2 } } : {}),
      });
      const harness = settled(cluster);
      expect(statesOf(cluster)).toEqual(['ready', 'ready']);
      expect(live(cluster).every(({ awaitsDependencies }) => awaitsDependencies)).toBe(true);
      expect(waitsOf(cluster)).toEqual(['dependency-missing']);
      cluster.withService({ name: 'db' });
      harness.run();
      expect(waitsOf(cluster)).toEqual(['dependency-not-healthy']);
      harness.settle();
      expect(waitsOf(cluster)).toEqual([]);
      expect(statesOf(cluster)).toEqual(['running', 'running']);
      expect(live(cluster).some(({ awaitsDependencies }) => awaitsDependencies)).toBe(false);
    },
  );

  test('when it waits for a start alone, then an unhealthy task of the other will do', () => {
    const cluster = dependent('started').withService({ name: 'db' });
    const harness = new LoopHarness(cluster, loops());
    harness.run();
    harness.place();
    harness.report(cluster.tasks('db'), 'preparing').run();
    expect(waitsOf(cluster)).toEqual(['dependency-not-started']);
    harness.report(cluster.tasks('db'), 'starting').run();
    expect(waitsOf(cluster)).toEqual([]);
    expect(live(cluster).map(({ desiredState }) => desiredState)).toEqual(['running', 'running']);
  });

  test('when the other has many tasks and loses them one by one, then the last one counts', () => {
    const cluster = aCluster().withNodes(1).withService({ name: 'db', replicas: 5 });
    cluster.withRunning(
      'db',
      Array.from({ length: 5 }, () => 'node-1'),
    );
    cluster.withService({ name: 'web', replicas: 0, dependsOn: [on('db', 'healthy')] });
    const harness = new LoopHarness(cluster, [createReplicatedOrchestrator(), createStartOrder(1)]);
    harness.run();
    for (let lost = 1; lost <= 5; lost++) {
      cluster.withDesired([`db-${lost}`], 'shutdown');
      const before = live(cluster).length;
      change(harness, 'web', { replicas: before + 1 });
      harness.run();
      expect(live(cluster).at(-1)?.awaitsDependencies).toBe(lost === 5 ? true : undefined);
    }
  });

  test('when a job is waited for, then only its completion will do, of the newest run', () => {
    const cluster = dependent('completed').withService({ name: 'db', mode: 'replicated-job' });
    const harness = settled(cluster);
    expect(waitsOf(cluster)).toEqual(['dependency-not-completed']);
    harness.report(live(cluster, 'db'), 'complete').settle();
    expect(waitsOf(cluster)).toEqual([]);
    expect(statesOf(cluster)).toEqual(['running', 'running']);
    const service = cluster.state.service(asId<ServiceId>('db'));
    if (!service) throw new Error('there is no job');
    const { id, spec } = service;
    harness.apply({
      type: 'service.updated',
      id,
      spec,
      tasksChanged: false,
      portsChanged: false,
      beginsRun: true,
    });
    expect(waitsOf(cluster)).toEqual(['dependency-not-completed']);
    harness.settle();
    expect(statesOf(cluster)).toEqual(['running', 'running']);
  });

  test('when the job fails, then that is the reason', () => {
    const task = { image: 'db', restart: { condition: 'none' as const } };
    const cluster = dependent('completed').withService({ name: 'db', mode: 'replicated-job', task });
    const harness = settled(cluster);
    harness.report(live(cluster, 'db'), 'failed', { error: 'no disk' }).settle();
    expect(waitsOf(cluster)).toEqual(['dependency-failed']);
    const [wait] = startWaits(cluster.state, cluster.state.serviceByName('web') as never);
    expect(wait?.message).toMatch(/^waits for job Db, whose run 1 failed: task .* failed: no disk/);
    expect(statesOf(cluster)).toEqual(['ready', 'ready']);
  });

  test('when a job by a schedule is waited for, then a run that goes on undoes nothing', () => {
    const schedule = { cron: '0 * * * *' };
    const cluster = dependent('completed').withService({ name: 'db', mode: 'replicated-job', schedule });
    const harness = settled(cluster);
    const id = asId<ServiceId>('db');
    harness.apply({ type: 'service.run-started', id, iteration: 1, dueAt: 1, stops: [] }).settle();
    expect(waitsOf(cluster)).toEqual(['dependency-not-completed']);
    harness.report(live(cluster, 'db'), 'complete').settle();
    harness.apply({ type: 'service.run-started', id, iteration: 2, dueAt: 2, stops: [] }).settle();
    expect(waitsOf(cluster)).toEqual([]);
  });

  test('when what it waits for never completes, then that is the reason', () => {
    const cluster = dependent('completed').withService({ name: 'db' });
    settled(cluster);
    expect(waitsOf(cluster)).toEqual(['dependency-never-completes']);
  });

  test('when it stops to depend on it, then its tasks start', () => {
    const cluster = dependent('healthy');
    const harness = settled(cluster);
    change(harness, 'web', { dependsOn: [] });
    harness.settle();
    expect(statesOf(cluster)).toEqual(['running', 'running']);
  });

  test('when it comes to depend on one, then the tasks that run go on, and only new ones wait', () => {
    const cluster = aCluster().withNodes(2).withService({ name: 'web', replicas: 1 });
    const harness = settled(cluster);
    change(harness, 'web', { dependsOn: [on('db', 'healthy')], replicas: 2 });
    harness.settle();
    expect(statesOf(cluster)).toEqual(['running', 'ready']);
  });

  test('when the other is removed and made anew, then tasks that come meanwhile wait', () => {
    const cluster = dependent('healthy').withService({ name: 'db' });
    const harness = settled(cluster);
    harness.apply({ type: 'service.removed', id: asId('db') }).settle();
    const [first] = live(cluster);
    if (!first) throw new Error('there is no task');
    harness.report([first], 'failed').settleFor(10_000);
    expect(statesOf(cluster)).toEqual(['running', 'ready']);
    cluster.withService({ name: 'DB', id: 'db-2' });
    harness.settle();
    expect(statesOf(cluster)).toEqual(['running', 'running']);
  });

  test('when leaders change while tasks wait, then the next one starts them', () => {
    const cluster = dependent('healthy', { replicas: 20 });
    const harness = settled(cluster);
    cluster.withService({ name: 'db', replicas: 3 });
    harness.changeLeader(loops()).settle();
    expect(statesOf(cluster)).toEqual(Array.from({ length: 20 }, () => 'running'));
    expect(harness.changeLeader(loops()).run()).toEqual([]);
  });

  test('when a task of it fails, then it waits for its restart, and for the other', () => {
    const cluster = dependent('healthy', { replicas: 1 }).withService({ name: 'db' });
    const harness = settled(cluster);
    harness.report(live(cluster), 'failed').settle();
    const waiting = live(cluster)[0];
    expect(waiting?.startAfter).toBe(cluster.at + 5_000);
    harness.settleFor(5_000);
    expect(statesOf(cluster)).toEqual(['running']);
  });
});
