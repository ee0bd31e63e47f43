import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../../events/event.ts';
import { nextDue } from '../../../model/cron-line.ts';
import { asId, type ServiceId } from '../../../model/ids.ts';
import type { JobStatus } from '../../../model/objects.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../../model/service-spec.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster, BUILT_CLUSTER_EPOCH_MS, type StateBuilder } from '../../../testing/state-builder.ts';
import { createAllocator } from '../../allocator/allocator.ts';
import { createJobsOrchestrator } from '../jobs/jobs.ts';
import { createCron } from './cron.ts';

const ID = asId<ServiceId>('batch');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Schedule = NonNullable<ServiceSpecInput['schedule']>;

function scheduled(schedule: Schedule, more: Partial<ServiceSpecInput> = {}): StateBuilder {
  // Built clusters begin at 22:13:20; these at full hours.
  const untilFullHour = HOUR - (BUILT_CLUSTER_EPOCH_MS % HOUR);
  return aCluster()
    .withNode()
    .after(untilFullHour)
    .withService({ name: 'batch', mode: 'replicated-job', schedule, ...more });
}

const cronAlone = (cluster: StateBuilder) => new LoopHarness(cluster, [createCron()]);
const loops = () => [createCron(), createJobsOrchestrator(), createAllocator()];

function runsOf(cluster: StateBuilder): JobStatus {
  const runs = cluster.state.service(ID)?.jobStatus;
  if (!runs) throw new Error('there is no job');
  return runs;
}

/** What was decided, in short: `run 2 at 60`, minutes since the job was created. */
function told(events: readonly ClusterEvent[], from: number): string[] {
  const minutes = (time: number) => (time - from) / MINUTE;
  return events.map((event) => {
    if (event.type === 'service.run-started') {
      const stops = event.stops.length > 0 ? `, stops ${event.stops.join()}` : '';
      return `run ${event.iteration} at ${minutes(event.dueAt)}${stops}`;
    }
    if (event.type !== 'service.run-missed') throw new Error(`unexpected ${event.type}`);
    const { count, reason, dueAt } = event.missed;
    return `${count} missed up to ${minutes(dueAt)}: ${reason}`;
  });
}

describe('given a job on a schedule', () => {
  test('when it is created, then no run begins but at the times of its clock', () => {
    const cluster = scheduled({ cron: '*/20 * * * *' });
    const from = cluster.at;
    const harness = cronAlone(cluster);
    expect(harness.run()).toEqual([]);
    expect(told(harness.advance(20 * MINUTE - 1), from)).toEqual([]);
    expect(told(harness.advance(1), from)).toEqual(['run 1 at 20']);
    expect(runsOf(cluster)).toMatchObject({ iteration: 1, lastExecution: from + 20 * MINUTE });
  });

  test.each<[Schedule['overlap'], string[]]>([
    ['forbid', ['run 1 at 20', '1 missed up to 40: overlap', '1 missed up to 60: overlap']],
    ['replace', ['run 1 at 20', 'run 2 at 40, stops 1', 'run 3 at 60, stops 2']],
    ['allow', ['run 1 at 20', 'run 2 at 40', 'run 3 at 60']],
  ])('when a run goes on as the next is due, and overlap is %s, then so it is', (overlap, expected) => {
    const cluster = scheduled({ cron: '*/20 * * * *', overlap });
    const from = cluster.at;
    expect(told(cronAlone(cluster).advance(HOUR), from)).toEqual(expected);
  });

  test.each<[string, Partial<Schedule>, number, string[]]>([
    ['a little later', {}, 30_000, ['run 1 at 20']],
    ['a little later, and missed ones are skipped', { missed: 'skip' }, 30_000, ['run 1 at 20']],
    ['much later', {}, 10 * MINUTE, ['run 1 at 20']],
    ['much later, and missed ones are skipped', { missed: 'skip' }, 10 * MINUTE, ['1 missed up to 20: late']],
    ['three due times later', {}, 45 * MINUTE, ['2 missed up to 60: late', 'run 1 at 60']],
    ['within the deadline', { deadlineMs: 10 * MINUTE }, 10 * MINUTE, ['run 1 at 20']],
    ['after the deadline', { deadlineMs: 10 * MINUTE }, 11 * MINUTE, ['1 missed up to 20: late']],
    ['three due times later, skipped', { missed: 'skip' }, 45 * MINUTE, ['3 missed up to 60: late']],
  ])(
    'when nobody leads as it is due, and somebody does %s, then it is made up for or told',
    (_, schedule, lateMs, expected) => {
      const cluster = scheduled({ cron: '*/20 * * * *', ...schedule });
      const from = cluster.at;
      cluster.after(20 * MINUTE + lateMs);
      expect(told(cronAlone(cluster).run(), from)).toEqual(expected);
    },
  );

  test('when a run is missed, then the job tells of it', () => {
    const cluster = scheduled({ cron: '*/20 * * * *', missed: 'skip' });
    cluster.after(50 * MINUTE);
    cronAlone(cluster).run();
    expect(runsOf(cluster)).toMatchObject({ iteration: 0, missed: { count: 2, reason: 'late' } });
  });

  test('when its schedule changes, then the new one has no past', () => {
    const cluster = scheduled({ cron: '0 0 * * *' });
    const from = cluster.at;
    const harness = cronAlone(cluster);
    harness.advance(30 * MINUTE + 1);
    const spec = serviceSpecSchema.parse({
      ...cluster.state.service(ID)?.spec,
      schedule: { cron: '*/20 * * * *' },
    });
    cluster.apply({ type: 'service.updated', id: ID, spec, tasksChanged: false, portsChanged: false });
    expect(told(harness.advance(30 * MINUTE), from)).toEqual(['run 1 at 40', '1 missed up to 60: overlap']);
  });

  test('when it is removed, or made one without a schedule, then it is not due any more', () => {
    const cluster = scheduled({ cron: '*/20 * * * *' });
    const harness = cronAlone(cluster);
    const { schedule: _schedule, ...spec } = cluster.state.service(ID)?.spec ?? serviceSpecSchema.parse({});
    cluster.apply({ type: 'service.updated', id: ID, spec, tasksChanged: false, portsChanged: false });
    expect(harness.advance(HOUR)).toEqual([]);
    cluster.apply({ type: 'service.removed', id: ID });
    expect(harness.advance(HOUR)).toEqual([]);
    expect(harness.wakeAt).toBeUndefined();
  });

  test('when the wall clock is set forward, then what is due by then begins within a minute', () => {
    const cluster = scheduled({ cron: '0 0 * * *' });
    const harness = cronAlone(cluster);
    harness.run();
    expect((harness.wakeAt ?? 0) - cluster.at).toBeLessThanOrEqual(MINUTE);
  });

  test('when there are many of them, then each fires', () => {
    const cluster = aCluster();
    for (let n = 0; n < 100; n++) {
      cluster.withService({ name: `batch-${n}`, mode: 'replicated-job', schedule: { cron: '0 * * * *' } });
    }
    expect(cronAlone(cluster).advance(HOUR)).toHaveLength(100);
  });

  test('when runs complete in time, then each is run, over weeks, and the last ones are kept in sight', () => {
    const cluster = scheduled({ cron: '0 */6 * * *' });
    const harness = new LoopHarness(cluster, loops());
    for (let hour = 0; hour < 24 * 14; hour += 6) {
      harness.settleFor(6 * HOUR);
      harness
        .report(
          cluster.tasks('batch').filter(({ status }) => status.state === 'running'),
          'complete',
        )
        .settle();
    }
    expect(runsOf(cluster)).toMatchObject({ iteration: 56, active: [] });
    expect(runsOf(cluster).ended.map(({ iteration, outcome }) => `${iteration} ${outcome}`)).toEqual(
      Array.from({ length: 10 }, (_, n) => `${47 + n} completed`),
    );
  });
});

describe('given any schedule and any changes of leader', () => {
  const CRONS = ['* * * * *', '*/7 * * * *', '0 * * * *', '*/20 * * * * *', '30 2 * * *'] as const;
  const step = fc.oneof(
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 25 * MINUTE }) }),
    fc.record({ do: fc.constant('leaderless' as const), ms: fc.integer({ min: 1, max: 25 * MINUTE }) }),
    fc.record({ do: fc.constant('newLeader' as const) }),
    fc.record({ do: fc.constant('complete' as const) }),
  );

  test('when time passes, then no due time fires twice, and none is forgotten', () => {
    const schedules = fc.record({
      cron: fc.constantFrom(...CRONS),
      timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
      overlap: fc.constantFrom('allow' as const, 'forbid' as const, 'replace' as const),
      missed: fc.constantFrom('run-once' as const, 'skip' as const),
    });
    fc.assert(
      fc.property(schedules, fc.array(step, { maxLength: 10 }), (schedule, steps) => {
        const cluster = scheduled(schedule);
        const from = cluster.at;
        const harness = new LoopHarness(cluster, [createCron()], { decisionsMax: 100_000 });
        for (const each of steps) {
          if (each.do === 'wait') harness.advance(each.ms);
          if (each.do === 'leaderless') cluster.after(each.ms);
          if (each.do === 'complete') completeRuns(cluster);
          if (each.do !== 'wait') harness.changeLeader([createCron()]);
        }
        harness.run();
        checkDecided(harness, schedule, from);
      }),
      { numRuns: 50 },
    );
  });
});

function completeRuns(cluster: StateBuilder): void {
  for (const { iteration } of runsOf(cluster).active) {
    cluster.apply({ type: 'service.run-ended', id: ID, iteration, outcome: 'completed' });
  }
}

/** Every due time is in exactly one event: it began a run, or was told as missed. */
function checkDecided(
  harness: LoopHarness,
  schedule: { cron: string; timeZone: string },
  from: number,
): void {
  const events = harness.transactions.flatMap((transaction) => transaction.events);
  const fired: number[] = [];
  let decided = from;
  let missed = 0;
  for (const event of events) {
    if (event.type === 'service.run-started') {
      fired.push(event.dueAt);
      decided = event.dueAt;
    } else if (event.type === 'service.run-missed') {
      missed += event.missed.count;
      expect(event.missed.dueAt).toBeGreaterThan(decided);
    }
  }
  expect(new Set(fired).size).toBe(fired.length);
  expect(runsOf(harness.cluster).iteration).toBe(fired.length);
  const iterations = events.flatMap((event) =>
    event.type === 'service.run-started' ? [event.iteration] : [],
  );
  expect(iterations).toEqual(fired.map((_, index) => index + 1));
  let due = 0;
  const exact = new Set<number>();
  for (
    let next = nextDue(schedule, from);
    next !== undefined && next <= harness.cluster.at;
    next = nextDue(schedule, next)
  ) {
    due += 1;
    exact.add(next);
  }
  for (const time of fired) expect(exact.has(time)).toBe(true);
  // Of a long stretch a hundred are counted, so what is told may be less than what there was, and never more.
  const isCounted = events.every((event) => event.type !== 'service.run-missed' || event.missed.count < 99);
  if (isCounted) expect(fired.length + missed).toBe(due);
  else expect(fired.length + missed).toBeLessThanOrEqual(due);
  expect(runsOf(harness.cluster).decidedUntil).toBe(due === 0 ? from : Math.max(...exact));
}
