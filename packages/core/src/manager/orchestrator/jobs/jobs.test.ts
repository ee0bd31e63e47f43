import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../../events/event.ts';
import { asId, type NodeId, type ServiceId, type TaskId } from '../../../model/ids.ts';
import type { Service, Task } from '../../../model/objects.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../../model/service-spec.ts';
import { isTerminal } from '../../../model/task-state.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../../testing/state-builder.ts';
import { createAllocator } from '../../allocator/allocator.ts';
import { createTaskReaper } from '../task-reaper.ts';
import { createJobsOrchestrator } from './jobs.ts';
import {
  GLOBAL_JOB_SCENARIOS,
  type JobScenario,
  REPLICATED_JOB_SCENARIOS,
} from './test-support/job-scenarios.ts';

const ID = asId<ServiceId>('batch');

function serviceOf(cluster: StateBuilder): Service {
  const service = cluster.state.service(ID);
  if (!service) throw new Error('there is no service batch');
  return service;
}

/** Another run begins, as by a force update. */
function beginRun(cluster: StateBuilder, change: Partial<ServiceSpecInput> = {}): void {
  const { spec } = serviceOf(cluster);
  const task = { ...spec.task, forceUpdate: spec.task.forceUpdate + 1 };
  cluster.apply({
    type: 'service.updated',
    id: ID,
    spec: serviceSpecSchema.parse({ ...spec, task, ...change }),
    tasksChanged: true,
    portsChanged: false,
    beginsRun: true,
  });
}

function build({ spec, nodes = [{}, {}, {}], tasks = [], iteration = 1 }: JobScenario): StateBuilder {
  const cluster = aCluster();
  for (const node of nodes) cluster.withNode(node);
  const { task, ...others } = spec;
  cluster.withService({
    name: 'batch',
    ...others,
    ...(task === undefined ? {} : { task: { image: 'image', ...task } }),
  });
  for (let run = 1; run < iteration; run++) beginRun(cluster);
  for (const each of tasks) {
    const isPlaced = each.state !== 'new' && each.state !== 'pending';
    cluster.withTasks('batch', 1, {
      ...(isPlaced || each.node !== undefined ? { nodes: [each.node ?? 'node-1'] } : {}),
      ...(each.slot === undefined ? {} : { slot: each.slot }),
      ...(each.desired === undefined ? {} : { desired: each.desired }),
      state: each.state,
      jobIteration: each.iteration ?? iteration,
    });
  }
  return cluster;
}

/** What events say, in the words of a scenario. */
function outcomeOf(events: readonly ClusterEvent[]): JobScenario['leadsTo'] {
  const created: (number | string)[] = [];
  const numbers = (ids: readonly TaskId[]) => ids.map((id) => Number(id.replace('batch-', '')));
  let found: JobScenario['leadsTo'] = {};
  for (const event of events) {
    switch (event.type) {
      case 'task.created':
        for (const row of event.rows) created.push(row.nodeId ?? row.slot);
        break;
      case 'task.desired':
        if (event.state === 'shutdown') found = { ...found, shutdown: numbers(event.ids) };
        else if (event.state === 'remove') found = { ...found, removed: numbers(event.ids) };
        else throw new Error(`unexpected ${event.state}`);
        break;
      case 'service.run-ended':
        found = { ...found, ended: event.outcome };
        break;
      default:
        throw new Error(`unexpected ${event.type}`);
    }
  }
  return created.length > 0 ? { ...found, created } : found;
}

describe.each([
  ['replicated', REPLICATED_JOB_SCENARIOS],
  ['global', GLOBAL_JOB_SCENARIOS],
] as const)('given a %s job', (_, scenarios) => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    'when it is %s',
    (_name, scenario) => {
      const harness = new LoopHarness(build(scenario), [createJobsOrchestrator()]);
      expect(outcomeOf(harness.run())).toEqual(scenario.leadsTo);
      expect(harness.run()).toEqual([]);
    },
  );

  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    'when it is %s, and every slot is looked at in a turn of its own, then the same comes of it',
    (_name, scenario) => {
      const harness = new LoopHarness(build(scenario), [createJobsOrchestrator(1)]);
      const { created = [], ...rest } = outcomeOf(harness.run());
      const wanted = scenario.leadsTo;
      expect([...created].sort()).toEqual([...(wanted.created ?? [])].sort());
      expect({ ...rest, ...(wanted.created ? { created: wanted.created } : {}) }).toEqual(wanted);
    },
  );
});

const replicated = (completions: number, concurrency: number, more: Partial<ServiceSpecInput> = {}) => ({
  name: 'batch',
  mode: 'replicated-job' as const,
  job: { completions, concurrency },
  task: { image: 'image', restart: { delayMs: 1_000 } },
  ...more,
});
const started = (cluster: StateBuilder) =>
  new LoopHarness(cluster, [createJobsOrchestrator(), createAllocator(), createTaskReaper()]).settle();
const atWork = (cluster: StateBuilder): Task[] =>
  cluster.tasks('batch').filter(({ status }) => status.state === 'running');
const completeAll = (harness: LoopHarness) => {
  harness.report(atWork(harness.cluster), 'complete', { exitCode: 0 });
  return harness.settle();
};

describe('given a job at work', () => {
  test('when its tasks complete, then no more are at work than may be, until all have completed', () => {
    const harness = started(aCluster().withNodes(3).withService(replicated(7, 3)));
    const counts: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      counts.push(atWork(harness.cluster).length);
      completeAll(harness);
    }
    expect(counts).toEqual([3, 3, 1, 0, 0]);
    const tasks = harness.cluster.tasks('batch');
    expect(tasks.map(({ slot }) => slot)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const task of tasks) {
      expect(task).toMatchObject({
        desiredState: 'complete',
        status: { state: 'complete' },
        jobIteration: 1,
      });
    }
    expect(serviceOf(harness.cluster).jobStatus).toMatchObject({
      iteration: 1,
      active: [],
      ended: [{ iteration: 1, outcome: 'completed' }],
    });
  });

  test('when a task fails, then its slot gets another after the delay, which doubles, and the others go on', () => {
    const harness = started(aCluster().withNodes(2).withService(replicated(2, 2)));
    const begun = harness.cluster.at;
    for (const delayMs of [1_000, 2_000, 4_000]) {
      const first = atWork(harness.cluster).find(({ slot }) => slot === 1);
      if (!first) throw new Error('nothing is at work');
      harness.report([first], 'failed', { error: 'exit code 1', exitCode: 1 }).settle();
      const newest = harness.cluster.tasks('batch').at(-1);
      expect(newest).toMatchObject({ slot: first.slot, desiredState: 'ready', replaces: first.id });
      expect(newest?.startAfter).toBe(harness.cluster.at + delayMs);
      harness.settleFor(delayMs);
    }
    expect(harness.cluster.at - begun).toBe(7_000);
    expect(atWork(harness.cluster)).toHaveLength(2);
    completeAll(harness);
    expect(serviceOf(harness.cluster).jobStatus?.ended[0]?.outcome).toBe('completed');
  });

  test.each(['replicated-job', 'global-job'] as const)(
    'when the tasks of a %s fail more often than they may, then its run fails, and says why',
    (mode) => {
      const task = { image: 'image', restart: { delayMs: 0, maxAttempts: 2 } };
      const harness = started(aCluster().withNodes(1).withService({ name: 'batch', mode, task }));
      let failures = 0;
      for (; atWork(harness.cluster).length > 0 && failures < 10; failures++) {
        harness.report(atWork(harness.cluster), 'failed', { error: 'no disk' }).settle();
      }
      expect(failures).toBe(3);
      const [run] = serviceOf(harness.cluster).jobStatus?.ended ?? [];
      expect(run).toMatchObject({ outcome: 'failed' });
      expect(run?.message).toMatch(/failed: no disk; its restart policy allows no more/);
    },
  );

  test('when its condition is any, then a task that completed is not started again', () => {
    const task = { image: 'image', restart: { condition: 'any' as const, delayMs: 0 } };
    const harness = started(
      aCluster()
        .withNodes(1)
        .withService(replicated(1, 1, { task })),
    );
    completeAll(harness);
    expect(harness.settleFor(3_600_000).cluster.tasks('batch')).toHaveLength(1);
  });

  test('when another run begins, then its tasks come once those of the one before have stopped', () => {
    const harness = started(aCluster().withNodes(2).withService(replicated(2, 2)));
    const before = atWork(harness.cluster);
    beginRun(harness.cluster);
    harness.run();
    for (const { id } of before) expect(harness.state.task(id)?.desiredState).toBe('remove');
    expect(harness.cluster.tasks('batch')).toHaveLength(2);
    harness.settle();
    expect(harness.cluster.tasks('batch').map(({ slot, jobIteration }) => [slot, jobIteration])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(serviceOf(harness.cluster).jobStatus).toMatchObject({
      iteration: 2,
      active: [{ iteration: 2 }],
      ended: [{ iteration: 1, outcome: 'stopped' }],
    });
  });

  test('when the tasks of the run before do not stop, then they are waited for a minute', () => {
    const harness = started(aCluster().withNodes(1).withService(replicated(1, 1)));
    beginRun(harness.cluster);
    harness.advance(59_999);
    expect(harness.cluster.tasks('batch')).toHaveLength(1);
    harness.advance(1);
    expect(harness.cluster.tasks('batch').map(({ jobIteration }) => jobIteration)).toEqual([1, 2]);
  });

  test('when the node of a task of the run before goes down, then nothing is waited for', () => {
    const harness = started(aCluster().withNodes(2).withService(replicated(1, 1)));
    const [first] = atWork(harness.cluster);
    beginRun(harness.cluster);
    harness.run();
    harness.cluster.withNodeState(first?.nodeId ?? '', 'down');
    harness.settle();
    expect(atWork(harness.cluster).filter(({ jobIteration }) => jobIteration === 2)).toHaveLength(1);
  });

  test('when runs may overlap, then each has its own tasks, and ends by itself', () => {
    const schedule = { cron: '0 0 1 1 *', overlap: 'allow' as const };
    const harness = started(
      aCluster()
        .withNodes(2)
        .withService(replicated(1, 1, { schedule })),
    );
    expect(harness.cluster.tasks('batch')).toEqual([]);
    for (const iteration of [1, 2]) {
      harness.apply({ type: 'service.run-started', id: ID, iteration, dueAt: iteration, stops: [] });
      harness.settle();
    }
    const [first, second] = atWork(harness.cluster);
    expect([first?.jobIteration, second?.jobIteration]).toEqual([1, 2]);
    if (!first || !second) throw new Error('two tasks should be at work');
    harness.report([second], 'complete').settle();
    expect(serviceOf(harness.cluster).jobStatus?.active).toMatchObject([{ iteration: 1 }]);
    harness.report([first], 'failed').settleFor(1_000);
    expect(atWork(harness.cluster)).toMatchObject([{ jobIteration: 1, slot: 1 }]);
    completeAll(harness);
    expect(serviceOf(harness.cluster).jobStatus).toMatchObject({
      active: [],
      ended: [{ iteration: 2 }, { iteration: 1 }],
    });
  });

  test('when it is removed, then its tasks are, and nothing is made any more', () => {
    const harness = started(aCluster().withNodes(2).withService(replicated(9, 2)));
    harness.apply({ type: 'service.removed', id: ID }).settleFor(60_000);
    expect(harness.cluster.tasks('batch')).toEqual([]);
  });

  test('when other services change, then it is left alone', () => {
    const harness = started(aCluster().withNodes(2).withService(replicated(2, 1)));
    harness.cluster.withService({ name: 'web', replicas: 2 }).withRunning('web', ['node-1', 'node-2']);
    harness.cluster.withStatus(['web-1'], 'failed');
    expect(harness.run()).toEqual([]);
  });

  test.each([1, 2, 3, 5])(
    'when leaders change after %i turns, then what comes of it is the same',
    (turns) => {
      const harness = started(aCluster().withNodes(3).withService(replicated(6, 2)));
      for (let turn = 0; turn < 9; turn++) {
        if (turn % turns === 0) {
          harness.changeLeader([createJobsOrchestrator(), createAllocator(), createTaskReaper()]).settle();
        }
        completeAll(harness);
      }
      expect(harness.cluster.tasks('batch').map(({ slot }) => slot)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(serviceOf(harness.cluster).jobStatus?.ended).toMatchObject([
        { iteration: 1, outcome: 'completed' },
      ]);
    },
  );

  test('when a job is of 20,000 tasks, then each that completes costs a look at its slot alone', () => {
    const harness = new LoopHarness(aCluster().withNodes(1).withService(replicated(20_000, 1)), [
      createJobsOrchestrator(),
    ]);
    harness.run();
    const one = harness.cluster.tasks('batch')[0];
    if (!one) throw new Error('there is no task');
    harness.apply({
      type: 'task.status',
      rows: [{ id: one.id, status: { state: 'complete', at: 0, message: '' } }],
    });
    expect(outcomeOf(harness.run())).toEqual({ created: [2] });
  });
});

describe('given a global job at work', () => {
  const everywhere = { name: 'batch', mode: 'global-job' as const };

  test('when a node joins, then it gets its task, also after the run has completed', () => {
    const harness = started(aCluster().withNodes(2).withService(everywhere));
    completeAll(harness);
    expect(serviceOf(harness.cluster).jobStatus?.ended).toMatchObject([{ outcome: 'completed' }]);
    harness.cluster.withNode({ id: 'late' });
    harness.settle();
    expect(atWork(harness.cluster)).toMatchObject([{ nodeId: 'late', jobIteration: 1 }]);
    completeAll(harness);
    expect(harness.cluster.tasks('batch').every(({ status }) => isTerminal(status.state))).toBe(true);
  });

  test('when a node is not heard of as the run begins, then it gets its task when it is', () => {
    const harness = started(aCluster().withNode().withNode({ state: 'unknown' }).withService(everywhere));
    completeAll(harness);
    expect(serviceOf(harness.cluster).jobStatus?.active).toHaveLength(1);
    harness.cluster.withNodeState('node-2', 'ready');
    completeAll(harness.settle());
    expect(serviceOf(harness.cluster).jobStatus?.active).toEqual([]);
  });

  test('when a node is removed, then the run does not wait for it', () => {
    const harness = started(aCluster().withNodes(2).withService(everywhere));
    const [first, second] = atWork(harness.cluster);
    if (!first || !second) throw new Error('two tasks should be at work');
    harness.report([first], 'complete');
    harness.apply(
      { type: 'task.removed', ids: [second.id] },
      { type: 'node.removed', id: second.nodeId as NodeId },
    );
    harness.settle();
    expect(serviceOf(harness.cluster).jobStatus?.ended).toMatchObject([{ outcome: 'completed' }]);
  });

  test('when runs follow each other, then each node gets a task of each', () => {
    const harness = started(aCluster().withNodes(2).withService(everywhere));
    for (const iteration of [1, 2, 3]) {
      expect(atWork(harness.cluster).map(({ nodeId, jobIteration }) => [nodeId, jobIteration])).toEqual([
        ['node-1', iteration],
        ['node-2', iteration],
      ]);
      completeAll(harness);
      beginRun(harness.cluster);
      harness.settle();
    }
  });
});

describe('given a job that has run often', () => {
  test.each(['replicated-job', 'global-job'] as const)(
    'then a %s keeps as many tasks in a slot as the cluster says',
    (mode) => {
      const harness = started(
        aCluster({ taskHistoryLimit: 3 }).withNodes(1).withService({ name: 'batch', mode }),
      );
      for (let run = 1; run <= 6; run++) {
        completeAll(harness);
        beginRun(harness.cluster);
        harness.settle();
      }
      expect(harness.cluster.tasks('batch').map(({ jobIteration }) => jobIteration)).toEqual([5, 6, 7]);
    },
  );

  test('then what the run that goes on has completed is kept, whatever the limit', () => {
    const schedule = { cron: '0 0 1 1 *', overlap: 'allow' as const };
    const cluster = aCluster({ taskHistoryLimit: 1 })
      .withNodes(1)
      .withService(replicated(2, 1, { schedule }));
    const harness = started(cluster);
    for (const iteration of [1, 2, 3]) {
      harness.apply({ type: 'service.run-started', id: ID, iteration, dueAt: iteration, stops: [] });
      harness.settle();
    }
    harness.report(atWork(cluster), 'complete').settle();
    expect(cluster.tasks('batch').filter(({ slot }) => slot === 1)).toHaveLength(3);
    completeAll(harness);
    expect(serviceOf(cluster).jobStatus?.ended).toHaveLength(3);
    expect(
      cluster.tasks('batch').filter(({ slot, status }) => slot === 1 && status.state === 'running'),
    ).toEqual([]);
  });
});
