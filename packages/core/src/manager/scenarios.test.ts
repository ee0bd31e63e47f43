import { describe, expect, test } from 'vitest';
import { InvalidSpecError } from '../errors.ts';
import { parseServiceSpec } from '../model/parse-spec.ts';
import { seededRandom } from '../runtime/random.ts';
import { aCluster } from '../testing/state-builder.ts';
import { createAllocator } from './allocator/allocator.ts';
import { PORT_SCENARIOS } from './allocator/test-support/port-scenarios.ts';
import { createService } from './api/service-commands.ts';
import { VALIDATION_SCENARIOS } from './api/test-support/validation-scenarios.ts';
import { createConstraintEnforcer } from './orchestrator/constraint-enforcer.ts';
import { createGlobalOrchestrator } from './orchestrator/global.ts';
import { createReplicatedOrchestrator } from './orchestrator/replicated.ts';
import { createTaskReaper } from './orchestrator/task-reaper.ts';
import { ENFORCER_SCENARIOS } from './orchestrator/test-support/enforcer-scenarios.ts';
import { GLOBAL_SCENARIOS } from './orchestrator/test-support/global-scenarios.ts';
import { REAPER_SCENARIOS } from './orchestrator/test-support/reaper-scenarios.ts';
import { REPLICATED_SCENARIOS } from './orchestrator/test-support/replicated-scenarios.ts';
import { RESTART_SCENARIOS } from './orchestrator/test-support/restart-scenarios.ts';
import { createScheduler } from './scheduler/scheduler.ts';
import { PREEMPTION_SCENARIOS } from './scheduler/test-support/preemption-scenarios.ts';
import { SCHEDULER_SCENARIOS } from './scheduler/test-support/scheduler-scenarios.ts';
import { play } from './test-support/loop-scenario.ts';

// Jobs and the updater have scenarios of their own form, beside them.
const COMPONENTS = [
  ['the replicated orchestrator', createReplicatedOrchestrator, REPLICATED_SCENARIOS],
  ['the global orchestrator', createGlobalOrchestrator, GLOBAL_SCENARIOS],
  ['the restart supervisor', createReplicatedOrchestrator, RESTART_SCENARIOS],
  ['the task reaper', createTaskReaper, REAPER_SCENARIOS],
  ['the constraint enforcer', createConstraintEnforcer, ENFORCER_SCENARIOS],
  ['the allocator', createAllocator, PORT_SCENARIOS],
  ['the scheduler', createScheduler, SCHEDULER_SCENARIOS],
  ['the scheduler, and priorities', createScheduler, PREEMPTION_SCENARIOS],
] as const;

describe.each(COMPONENTS)('given %s', (_, create, scenarios) => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    'when: %s',
    (_name, scenario) => {
      expect(play(scenario, () => create())).toEqual([...scenario.leadsTo].sort());
    },
  );
});

describe('given a service that is asked for', () => {
  test.each(VALIDATION_SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    'when it has %s, then it is refused by field and rule',
    (_, { input, field, rule }) => {
      const { state } = aCluster();
      const context = { at: 0, random: seededRandom(1) };
      const ask = () => {
        const spec = parseServiceSpec({ name: 'web', task: { image: 'web' }, ...input });
        return createService(state, { spec }, context);
      };
      let issues: InvalidSpecError['issues'] = [];
      try {
        ask();
      } catch (error) {
        if (!(error instanceof InvalidSpecError)) throw error;
        issues = error.issues;
      }
      expect(issues).toContainEqual({ field, rule: expect.stringMatching(rule) });
    },
  );
});
