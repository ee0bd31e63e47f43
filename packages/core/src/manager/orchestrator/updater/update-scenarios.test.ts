import { describe, expect, test } from 'vitest';
import {
  abortUpdate,
  pauseUpdate,
  promoteUpdate,
  resumeUpdate,
  rollBackService,
} from '../../api/update-commands.ts';
import { type StageParts, UpdateStage } from './test-support/update-stage.ts';

/**
 * What the field's leader does, and what is better here, as data: a spec, what happens, and after each step how the
 * update stands and which images serve, slot by slot.
 */
interface Scenario {
  readonly title: string;
  readonly spec?: StageParts['spec'];
  readonly slots?: number;
  readonly steps: readonly (readonly [
    what: string,
    step: (stage: UpdateStage) => unknown,
    update: string,
    serving: string,
  ])[];
}

const MONITOR_MS = 5_000;

const SCENARIOS: readonly Scenario[] = [
  {
    title: 'an update one slot after the other',
    spec: { update: { parallelism: 1 } },
    steps: [
      ['it is asked for', (on) => on.to('v2').settle(), 'updating', 'v2 v2 v2 v2'],
      ['almost monitored', (on) => on.for(MONITOR_MS - 1), 'updating', 'v2 v2 v2 v2'],
      ['monitored', (on) => on.for(1), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'a delay between slots',
    spec: { update: { parallelism: 1, delayMs: 1_000, monitorMs: 0 } },
    steps: [
      ['it is asked for', (on) => on.to('v2').settle(), 'updating', 'v2 v1 v1 v1'],
      ['before the delay', (on) => on.for(999), 'updating', 'v2 v1 v1 v1'],
      ['the delay is over', (on) => on.for(1), 'updating', 'v2 v2 v1 v1'],
      ['all delays are over', (on) => on.for(3_000), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'a delay between pairs of slots',
    spec: { update: { parallelism: 2, delayMs: 1_000, monitorMs: 0 } },
    steps: [
      ['it is asked for', (on) => on.to('v2').settle(), 'updating', 'v2 v2 v1 v1'],
      ['the delay is over', (on) => on.for(1_000), 'updating', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'an image that is not there',
    steps: [
      ['it is asked for', (on) => on.to('missing').settle(), 'paused', 'v1 v1 v1 v1'],
      ['time passes', (on) => on.for(600_000), 'paused', 'v1 v1 v1 v1'],
      ['a better one is asked for', (on) => on.to('v2').settle(), 'updating', 'v2 v2 v2 v2'],
      ['monitored', (on) => on.for(MONITOR_MS), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'an image that is never fetched',
    steps: [['it is asked for', (on) => on.to('slow').for(600_000), 'updating', 'v1 v1 v1 v1']],
  },
  {
    title: 'tasks that end as soon as they run',
    spec: { update: { parallelism: 1, delayMs: 1_000 } },
    steps: [
      ['it is asked for', (on) => on.to('crash').settle(), 'paused', '- v1 v1 v1'],
      ['it is taken back', (on) => on.command(rollBackService).settle(), 'rollback_started', 'v1 v1 v1 v1'],
      ['monitored', (on) => on.for(MONITOR_MS), 'rollback_completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'tasks that end while they are monitored',
    spec: { update: { parallelism: 1, delayMs: 10_000 } },
    steps: [
      ['it is asked for', (on) => on.to('late-crash').settle(), 'updating', 'late-crash v1 v1 v1'],
      ['the first one ends', (on) => on.for(3_000), 'paused', '- v1 v1 v1'],
    ],
  },
  {
    title: 'tasks that end when they are not monitored any more',
    spec: { update: { parallelism: 0, monitorMs: 2_000 } },
    steps: [
      [
        'they are monitored',
        (on) => on.to('late-crash').for(2_000),
        'completed',
        'late-crash '.repeat(4).trim(),
      ],
      ['they end', (on) => on.for(1_000), 'completed', '- - - -'],
    ],
  },
  {
    title: 'fewer failures than may be',
    spec: { update: { parallelism: 1, maxFailureRatio: 0.25 } },
    steps: [
      ['it begins', (on) => on.to('v2').settle().end(1).settle(), 'updating', '- v2 v2 v2'],
      ['the failed one is back', (on) => on.for(1_000), 'updating', 'v2 v2 v2 v2'],
      ['monitored', (on) => on.for(MONITOR_MS), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'more failures than may be',
    spec: { update: { parallelism: 0, maxFailureRatio: 0.25 } },
    steps: [
      ['one failed', (on) => on.to('v2').settle().end(1).settle(), 'updating', '- v2 v2 v2'],
      ['another one failed', (on) => on.end(2).settle(), 'paused', '- - v2 v2'],
    ],
  },
  {
    title: 'a slot that fails again and again, which counts once',
    spec: { update: { parallelism: 0, maxFailureRatio: 0.25 } },
    steps: [
      ['it failed', (on) => on.to('v2').settle().end(1).for(1_000), 'updating', 'v2 v2 v2 v2'],
      ['once more', (on) => on.end(1).for(1_000), 'updating', 'v2 v2 v2 v2'],
      ['once more', (on) => on.end(1).for(1_000), 'updating', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'failures that are to be passed by',
    spec: { update: { parallelism: 1, failureAction: 'continue', monitorMs: 0 } },
    steps: [['it is asked for', (on) => on.to('crash').settle(), 'completed', '- - - -']],
  },
  {
    title: 'failures that take the update back',
    spec: { update: { parallelism: 1, delayMs: 1_000, failureAction: 'rollback' } },
    steps: [
      ['it is asked for', (on) => on.to('crash').settle(), 'rollback_started', 'v1 v1 v1 v1'],
      ['monitored', (on) => on.for(MONITOR_MS), 'rollback_completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'a rollback by its own settings',
    spec: {
      update: { parallelism: 0, monitorMs: 0 },
      rollback: { parallelism: 1, delayMs: 1_000, monitorMs: 2_000 },
    },
    steps: [
      ['it was updated', (on) => on.to('v2').settle(), 'completed', 'v2 v2 v2 v2'],
      ['it is taken back', (on) => on.command(rollBackService).settle(), 'rollback_started', 'v1 v2 v2 v2'],
      ['one more', (on) => on.for(1_000), 'rollback_started', 'v1 v1 v2 v2'],
      ['all', (on) => on.for(2_000), 'rollback_started', 'v1 v1 v1 v1'],
      ['monitored', (on) => on.for(2_000), 'rollback_completed', 'v1 v1 v1 v1'],
      ['forward again', (on) => on.command(rollBackService).for(10_000), 'rollback_completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'a rollback that fails, which is never taken for completed',
    spec: { update: { parallelism: 0, monitorMs: 0 }, rollback: { parallelism: 1 } },
    steps: [
      ['it was updated', (on) => on.to('v2').settle(), 'completed', 'v2 v2 v2 v2'],
      [
        'it is taken back and fails',
        (on) => on.command(rollBackService).settle().end(1).settle(),
        'rollback_paused',
        '- v1 v1 v1',
      ],
      ['time passes', (on) => on.for(60_000), 'rollback_paused', 'v1 v1 v1 v1'],
      ['it is resumed', (on) => on.command(resumeUpdate).for(0), 'rollback_completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'an update that is changed on its way',
    spec: { update: { parallelism: 1, delayMs: 1_000, monitorMs: 0 } },
    steps: [
      ['it begins', (on) => on.to('v2').settle(), 'updating', 'v2 v1 v1 v1'],
      ['another one', (on) => on.to('v3').settle(), 'updating', 'v3 v1 v1 v1'],
      ['it goes on', (on) => on.for(4_000), 'completed', 'v3 v3 v3 v3'],
      [
        'it is taken back',
        (on) => on.command(rollBackService).for(60_000),
        'rollback_completed',
        'v1 v1 v1 v1',
      ],
    ],
  },
  {
    title: 'an update that is undone on its way',
    spec: { update: { parallelism: 1, delayMs: 1_000, monitorMs: 0 } },
    steps: [
      ['it begins', (on) => on.to('v2').settle(), 'updating', 'v2 v1 v1 v1'],
      ['the first one again', (on) => on.to('v1').settle(), 'updating', 'v1 v1 v1 v1'],
      ['the delay is over', (on) => on.for(1_000), 'completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'an update that is paused and resumed by hand',
    spec: { update: { parallelism: 1, delayMs: 1_000, monitorMs: 0 } },
    steps: [
      ['it begins', (on) => on.to('v2').settle(), 'updating', 'v2 v1 v1 v1'],
      ['it is paused', (on) => on.command(pauseUpdate).for(60_000), 'paused', 'v2 v1 v1 v1'],
      ['a task of the old spec ends', (on) => on.end(3).for(1_000), 'paused', 'v2 v1 v1 v1'],
      ['it is resumed', (on) => on.command(resumeUpdate).for(10_000), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'start-first',
    spec: { update: { parallelism: 1, order: 'start-first', monitorMs: 0, delayMs: 1_000 } },
    steps: [
      ['it begins', (on) => on.to('v2').settle(), 'updating', 'v2 v1 v1 v1'],
      ['it goes on', (on) => on.for(4_000), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'start-first with tasks that fail, where nothing is ever missing',
    spec: { update: { parallelism: 1, order: 'start-first', failureAction: 'rollback' } },
    steps: [['it begins', (on) => on.to('missing').settle(), 'rollback_completed', 'v1 v1 v1 v1']],
  },
  {
    title: 'a canary that is promoted by hand',
    spec: { update: { parallelism: 1, canary: { tasks: 2 }, monitorMs: 0 } },
    steps: [
      ['it stands', (on) => on.to('v2').for(60_000), 'waiting', 'v2 v2 v1 v1'],
      ['a task of the old spec ends', (on) => on.end(4).for(1_000), 'waiting', 'v2 v2 v1 v1'],
      ['it is promoted', (on) => on.command(promoteUpdate).settle(), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'a canary that is promoted by itself',
    spec: { update: { parallelism: 1, canary: { tasks: 1, promoteAfterMs: 30_000 }, monitorMs: 0 } },
    steps: [
      ['it stands', (on) => on.to('v2').for(29_999), 'waiting', 'v2 v1 v1 v1'],
      ['it was healthy', (on) => on.for(1), 'completed', 'v2 v2 v2 v2'],
    ],
  },
  {
    title: 'a canary that fails long after it was monitored',
    spec: {
      update: { parallelism: 1, canary: { tasks: 1 }, monitorMs: 0, failureAction: 'rollback' },
      rollback: { monitorMs: 0 },
    },
    steps: [
      ['it stands', (on) => on.to('v2').for(60_000), 'waiting', 'v2 v1 v1 v1'],
      ['it ends', (on) => on.end(1).settle(), 'rollback_completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'a canary that is aborted',
    spec: { update: { parallelism: 1, canary: { tasks: 1 }, monitorMs: 0 }, rollback: { monitorMs: 0 } },
    steps: [
      ['it stands', (on) => on.to('v2').settle(), 'waiting', 'v2 v1 v1 v1'],
      ['it is aborted', (on) => on.command(abortUpdate).settle(), 'rollback_completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'blue and green',
    spec: { update: { blueGreen: {}, monitorMs: 0 } },
    steps: [
      ['green stands', (on) => on.to('v2').for(60_000), 'waiting', 'v1+v2 '.repeat(4).trim()],
      ['it is promoted', (on) => on.command(promoteUpdate).settle(), 'completed', 'v2 v2 v2 v2'],
      [
        'it is taken back',
        (on) => on.command(rollBackService).for(60_000),
        'rollback_completed',
        'v1 v1 v1 v1',
      ],
    ],
  },
  {
    title: 'green that is aborted',
    spec: { update: { blueGreen: {} }, rollback: { monitorMs: 0 } },
    steps: [
      ['green stands', (on) => on.to('v2').settle(), 'waiting', 'v1+v2 '.repeat(4).trim()],
      ['it is aborted', (on) => on.command(abortUpdate).settle(), 'rollback_completed', 'v1 v1 v1 v1'],
    ],
  },
  {
    title: 'green that is overtaken by another green',
    spec: { update: { blueGreen: { promoteAfterMs: 1_000 }, monitorMs: 0 } },
    steps: [
      ['green stands', (on) => on.to('v2').settle(), 'waiting', 'v1+v2 '.repeat(4).trim()],
      ['another green stands', (on) => on.to('v3').settle(), 'waiting', 'v1+v3 '.repeat(4).trim()],
      ['it was healthy', (on) => on.for(1_000), 'completed', 'v3 v3 v3 v3'],
    ],
  },
  {
    title: 'a change that tasks do not notice',
    steps: [['labels change', (on) => on.change({ labels: { a: 'b' } }).settle(), 'none', 'v1 v1 v1 v1']],
  },
  {
    title: 'a forced update',
    spec: { update: { parallelism: 0, monitorMs: 0 } },
    steps: [
      [
        'it is forced',
        (on) => on.change({ task: { ...on.service.spec.task, forceUpdate: 1 } }).settle(),
        'completed',
        'v1 v1 v1 v1',
      ],
      ['all tasks are new', (on) => expect(on.tasks).toHaveLength(8), 'completed', 'v1 v1 v1 v1'],
    ],
  },
];

describe.each(['replicated', 'global'] as const)('given a %s service', (mode) => {
  describe.each(['stay', 'change'] as const)('whose leaders %s', (leaders) => {
    test.each(SCENARIOS)('when there is $title, then every step comes out as it should', (scenario) => {
      const { spec = {}, slots = 4 } = scenario;
      const stage = new UpdateStage({ mode, spec, slots, leaders });
      for (const [what, step, update, serving] of scenario.steps) {
        step(stage);
        expect(`${what}: ${stage.update}, ${stage.serving}`).toBe(`${what}: ${update}, ${serving}`);
      }
    });
  });
});
