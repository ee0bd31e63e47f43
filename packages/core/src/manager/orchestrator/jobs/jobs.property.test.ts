/**
 * What must hold of jobs whatever happens: random histories of users, failures, nodes that come and go, changes of
 * leader and time, with every control loop at work, and afterwards a quiet spell in which every run must come to its end.
 */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asId, type ServiceId } from '../../../model/ids.ts';
import type { Service } from '../../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster } from '../../../testing/state-builder.ts';
import { CONTROL_LOOPS } from '../../manager.ts';
import { type CommonStep, commonSteps, takeCommonStep } from '../test-support/common-steps.ts';
import { isJob } from './job-runs.ts';

const loops = () => CONTROL_LOOPS.map((create) => create());
const NODES = ['node-1', 'node-2', 'node-3'] as const;
const JOBS = ['some', 'each', 'hourly', 'beside'] as const;

type Step = { readonly do: 'force'; readonly job: (typeof JOBS)[number] } | CommonStep;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('force' as const), job: fc.constantFrom(...JOBS) }),
  ...commonSteps(NODES, [1, 900, 5_000, 60_000, 3_700_000], ['failed', 'rejected', 'complete', 'complete']),
);

function aTestCluster() {
  const hourly = { cron: '0 * * * *' };
  return aCluster({ taskHistoryLimit: 2 })
    .withNodes(NODES.length)
    .withService({ name: 'some', mode: 'replicated-job', job: { completions: 4, concurrency: 2 } })
    .withService({
      name: 'each',
      mode: 'global-job',
      dependsOn: [{ service: 'some', condition: 'completed' }],
    })
    .withService({ name: 'hourly', mode: 'global-job', schedule: { ...hourly, overlap: 'replace' } })
    .withService({
      name: 'beside',
      mode: 'replicated-job',
      job: { completions: 2 },
      schedule: { ...hourly, overlap: 'allow' },
      task: { restart: { maxAttempts: 2, delayMs: 100 } },
    });
}

function take(harness: LoopHarness, each: Step): void {
  if (each.do !== 'force') {
    takeCommonStep(harness, each, loops);
    return;
  }
  const { id, spec } = serviceOf(harness.state, each.job);
  harness.apply({
    type: 'service.updated',
    id,
    spec,
    tasksChanged: true,
    portsChanged: false,
    beginsRun: true,
  });
}

function serviceOf(state: ClusterState, name: string): Service {
  const service = state.serviceByName(name);
  if (!service) throw new Error(`there is no service ${name}`);
  return service;
}

/** After every single transaction: no run has more at work than it may, and no slot of a run two at once. */
function checkTransaction(changes: ChangeSet, state: ClusterState): void {
  const services = new Set(
    changes.changes.flatMap(({ kind, after }) => (kind === 'task' && after ? [after.serviceId] : [])),
  );
  for (const id of services) {
    const service = state.service(asId<ServiceId>(id));
    if (!service || !isJob(service)) continue;
    const slots = new Map<string, number>();
    const runs = new Map<number, number>();
    for (const task of state.tasksOfService(service.id)) {
      const { jobIteration = 0, desiredState, status } = task;
      expect(jobIteration).toBeGreaterThan(0);
      if (!isMeantToRun(desiredState) || isTerminal(status.state)) continue;
      const slot = `${state.slotKey(task)} in run ${jobIteration}`;
      slots.set(slot, (slots.get(slot) ?? 0) + 1);
      runs.set(jobIteration, (runs.get(jobIteration) ?? 0) + 1);
    }
    for (const [slot, count] of slots) expect(count, `tasks in slot ${slot}`).toBeLessThanOrEqual(1);
    const { job } = service.spec;
    if (job)
      for (const [run, count] of runs)
        expect(count, `in run ${run}`).toBeLessThanOrEqual(job.concurrency ?? job.completions ?? 1);
  }
}

/** All faults end; whatever is at work completes, hour by hour, until no run goes on. */
function calmDown(harness: LoopHarness): void {
  for (const id of NODES) harness.cluster.withNodeState(id, 'ready').withAvailability(id, 'active');
  for (let turn = 0; turn < 20; turn++) {
    harness.settleFor(80_000);
    harness.report(
      [...harness.state.tasks()].filter(({ status }) => status.state === 'running'),
      'complete',
    );
    harness.settle();
    const isOver = JOBS.every((name) => serviceOf(harness.state, name).jobStatus?.active.length === 0);
    if (isOver && [...harness.state.tasks()].every(({ status }) => isTerminal(status.state))) return;
  }
}

describe('given any history of users, failures, nodes, leaders and time', () => {
  test('when faults stop, then every run comes to its end, with as many completed as it asked for', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer(), (steps, seed) => {
        const harness = new LoopHarness(aTestCluster(), loops(), {
          seed,
          onTransaction: checkTransaction,
          decisionsMax: 100_000,
        });
        for (const each of steps) take(harness, each);
        calmDown(harness);
        for (const name of JOBS) {
          const { id, jobStatus, spec } = serviceOf(harness.state, name);
          expect(jobStatus?.active, `${name} has ended`).toEqual([]);
          const last = jobStatus?.ended.at(-1);
          if (!last) continue;
          if (spec.task.restart.maxAttempts === 0) expect(last.outcome, name).toBe('completed');
          const tasks = harness.cluster.tasks(name);
          const completed = new Set(
            tasks
              .filter(
                (task) => task.jobIteration === jobStatus?.iteration && task.status.state === 'complete',
              )
              .map((task) => harness.state.slotKey(task)),
          );
          const isOfNow = last.outcome === 'completed' && last.iteration === jobStatus?.iteration;
          // A run by a schedule does not wait for nodes that were down or drained, and is over then.
          const wanted = { some: 4, each: NODES.length, hourly: undefined, beside: 2 }[name];
          if (isOfNow && wanted !== undefined) expect(completed.size, name).toBe(wanted);
          expect(
            tasks.every(({ status }) => isTerminal(status.state)),
            name,
          ).toBe(true);
          // Runs that go on beside each other keep their tasks until the next one makes its own.
          if (spec.schedule?.overlap === 'allow') continue;
          for (const [key, kept] of harness.state.slots(id)) {
            expect(kept.length, `history of ${name} in slot ${key}`).toBeLessThanOrEqual(2);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('when another leads at the end of it, then it wants nothing that the first did not do', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.integer(), (steps, seed) => {
        const harness = new LoopHarness(aTestCluster(), loops(), { seed, decisionsMax: 100_000 });
        for (const each of steps) take(harness, each);
        harness.run();
        // The scheduler may tell anew why a task waits for a node, with the nodes as they are now.
        const wanted = harness
          .changeLeader(loops())
          .run()
          .filter(({ type }) => type !== 'task.unplaced');
        expect(wanted).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
