import { describe, expect, test } from 'vitest';
import { asId } from '../model/ids.ts';
import { aCluster, type StateBuilder } from '../testing/state-builder.ts';
import { type ServiceStatus, serviceStatus } from './service-status.ts';

function statusOf(built: StateBuilder): ServiceStatus {
  const web = built.state.serviceByName('web');
  if (!web) throw new Error('there is no service web');
  return serviceStatus(built.state, web);
}

const asked = (replicas: number) => aCluster().withNodes(3).withService({ name: 'web', replicas });

describe('given a replicated service', () => {
  test('when all of its tasks run, then it has converged, with nothing in the way', () => {
    expect(statusOf(asked(2).withRunning('web', ['node-1', 'node-2']))).toEqual({
      desired: 2,
      running: 2,
      current: 2,
      converged: true,
      reasons: [],
    });
  });

  test('when none is asked for and none is there, then it has converged', () => {
    expect(statusOf(asked(0))).toMatchObject({ desired: 0, running: 0, converged: true });
  });

  test('when no task was made yet, then it says that they are being made', () => {
    expect(statusOf(asked(2))).toMatchObject({
      converged: false,
      reasons: ['its tasks are being created'],
    });
  });

  test('when tasks have no node, then it says why, the most common reason first', () => {
    const built = asked(3).withPending('web', 3);
    const explanation = (message: string) => ({ nodes: 3, rejected: [], message });
    built.apply(
      { type: 'task.unplaced', ids: [asId('web-1')], explanation: explanation('no room') },
      { type: 'task.unplaced', ids: [asId('web-2'), asId('web-3')], explanation: explanation('no licence') },
    );
    expect(statusOf(built)).toMatchObject({
      desired: 3,
      running: 0,
      converged: false,
      reasons: ['no licence (2 tasks)', 'no room'],
    });
  });

  test('when a task failed and its successor waits, then the successor is told of', () => {
    const built = asked(1)
      .withRunning('web', ['node-1'])
      .withStatus(['web-1'], 'failed', { error: 'exit code 1' })
      .withDesired(['web-1'], 'shutdown')
      .withTasks('web', 1, { slot: 1, nodes: ['node-1'], state: 'preparing' });
    expect(statusOf(built)).toMatchObject({ running: 0, converged: false, reasons: ['task preparing'] });
  });

  test('when a task ended and nothing follows, then it says how it ended', () => {
    const built = asked(1)
      .withRunning('web', ['node-1'])
      .withStatus(['web-1'], 'failed', { error: 'exit code 1' });
    expect(statusOf(built).reasons).toEqual(['task failed: exit code 1']);
  });

  test('when a task that should stop still runs, then it has not converged', () => {
    const built = asked(1).withRunning('web', ['node-1', 'node-2']).withDesired(['web-2'], 'remove');
    expect(statusOf(built)).toMatchObject({ desired: 1, running: 1, current: 1, converged: false });
    expect(statusOf(built.withStatus(['web-2'], 'shutdown')).converged).toBe(true);
  });

  test('when its tasks are of an older spec, then they run but are not current', () => {
    const built = asked(1).withRunning('web', ['node-1']);
    const web = built.state.serviceByName('web');
    if (!web) throw new Error('there is no service web');
    const spec = { ...web.spec, task: { ...web.spec.task, image: 'other' } };
    built.apply({ type: 'service.updated', id: web.id, spec, tasksChanged: true, portsChanged: false });
    expect(statusOf(built)).toMatchObject({ desired: 1, running: 1, current: 0, converged: false });
  });

  test('when a port of it can not be had, then that stands in the way', () => {
    const built = asked(1).withRunning('web', ['node-1']);
    built.apply({ type: 'service.unallocated', id: asId('web'), error: 'port 80 is taken' });
    expect(statusOf(built)).toMatchObject({ converged: false, reasons: ['port 80 is taken'] });
  });

  test('when there are many reasons, then the five most common are told', () => {
    const built = asked(7).withPending('web', 7);
    for (let n = 1; n <= 7; n++) {
      const explanation = { nodes: 3, rejected: [], message: `reason ${n}` };
      built.apply({ type: 'task.unplaced', ids: [asId(`web-${n}`)], explanation });
    }
    expect(statusOf(built).reasons).toHaveLength(5);
  });
});

describe('given a global service', () => {
  const global = () => aCluster().withNodes(2).withService({ name: 'web', mode: 'global' });

  test('when it has a running task on each node, then it has converged on so many', () => {
    expect(statusOf(global().withRunning('web', ['node-1', 'node-2']))).toMatchObject({
      desired: 2,
      running: 2,
      converged: true,
    });
  });

  test('when a task of it waits on its node, then it has not converged', () => {
    const built = global()
      .withRunning('web', ['node-1'])
      .withTasks('web', 1, { nodes: ['node-2'], state: 'starting' });
    expect(statusOf(built)).toMatchObject({
      desired: 2,
      running: 1,
      converged: false,
      reasons: ['task starting'],
    });
  });
});
