/**
 * Never a silent stall: whatever happens, each task that is not where it should be has a reason, as long as its service
 * is not what was asked for; and once all is as asked for, nothing has.
 */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { diagnoseService } from '../manager/diagnosis/diagnose-service.ts';
import type { ServiceDiagnosis } from '../manager/diagnosis/diagnosis.ts';
import {
  aClusterThatRests,
  anyStep,
  calmDown,
  loops,
  take,
} from '../manager/orchestrator/test-support/random-history.ts';
import { FINDING_CODES } from '../model/finding.ts';
import type { ServiceId } from '../model/ids.ts';
import type { Task } from '../model/objects.ts';
import { isMeantToRun, isTerminal } from '../model/task-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { LoopHarness } from '../testing/loop-harness.ts';
import { serviceStatus } from './service-status.ts';

function diagnose(state: ClusterState, id: ServiceId): ServiceDiagnosis {
  const work = diagnoseService(state, id);
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** It does what it is wanted to do. */
function isInPlace({ desiredState, status: { state } }: Task): boolean {
  if (!isMeantToRun(desiredState)) return isTerminal(state);
  if (desiredState === 'complete') return state === 'running' || state === 'complete';
  return desiredState === state;
}

/** Services of all kinds, those that depend on others, and jobs. */
const anyCluster = () =>
  aClusterThatRests()
    .withService({
      name: 'after',
      replicas: 2,
      dependsOn: [
        { service: 'web', condition: 'healthy' },
        { service: 'batch', condition: 'completed' },
      ],
    })
    .withService({
      name: 'batch',
      mode: 'replicated-job',
      job: { completions: 5, concurrency: 2 },
      task: { restart: { maxAttempts: 1, delayMs: 100 } },
    })
    .withService({ name: 'sweep', mode: 'global-job' })
    .withService({ name: 'ports', ports: [{ target: 80, published: 8_080 }] }, { allocated: false })
    .withService({ name: 'same-ports', ports: [{ target: 80, published: 8_080 }] }, { allocated: false })
    .withService({
      name: 'nowhere',
      replicas: 2,
      task: { placement: { constraints: ['node.labels.moon==yes'] } },
    });

function check(state: ClusterState): void {
  for (const service of state.services()) {
    const { spec, id } = service;
    const diagnosis = diagnose(state, id);
    const { converged, reasons } = serviceStatus(state, service);
    if (converged) continue;
    expect(diagnosis.settled, `${spec.name} is not as asked for: ${reasons.join('; ')}`).toBe(false);
    const told = new Map(diagnosis.tasks.map((finding) => [finding.task, finding]));
    for (const task of state.tasksOfService(id)) {
      const finding = told.get(task.id);
      const how = `${task.id} is ${task.status.state}, and is to be ${task.desiredState}`;
      if (!isInPlace(task)) expect(finding, how).toBeDefined();
    }
    for (const { code, message, remedy } of [...diagnosis.findings, ...diagnosis.tasks]) {
      expect(FINDING_CODES).toContain(code);
      expect(message).not.toBe('');
      expect(remedy).not.toBe('');
    }
  }
}

test('given any history, when a task is not where it should be, then there is a reason', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30 }), fc.integer(), (steps, seed) => {
      const harness = new LoopHarness(anyCluster(), loops(), {
        seed,
        onTransaction: (_, state) => check(state),
      });
      for (const each of steps) take(harness, each);
      for (const { id } of harness.state.services())
        for (const code of Object.keys(diagnose(harness.state, id).counts)) seen.add(code);
    }),
    { numRuns: 100 },
  );
  // The histories come to places where much can be told.
  expect(seen.size).toBeGreaterThan(10);
});

test('given any history, when faults stop and all is as asked for, then there is nothing to tell', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20 }), fc.integer(), (steps, seed) => {
      const harness = new LoopHarness(anyCluster(), loops(), { seed });
      for (const each of steps) take(harness, each);
      calmDown(harness);
      for (const name of ['web', 'job', 'store', 'agent', 'ports']) {
        const service = harness.state.serviceByName(name);
        if (!service) throw new Error(`there is no service ${name}`);
        expect(diagnose(harness.state, service.id)).toMatchObject({ settled: true, findings: [], tasks: [] });
      }
      const stuck = (name: string) =>
        diagnose(harness.state, harness.state.serviceByName(name)?.id ?? expect.fail(name));
      expect(stuck('nowhere')).toMatchObject({ stalled: true, counts: { 'no-suitable-node': 2 } });
      expect(stuck('same-ports').findings).toMatchObject([{ code: 'ports-unavailable' }]);
    }),
    { numRuns: 50 },
  );
});
