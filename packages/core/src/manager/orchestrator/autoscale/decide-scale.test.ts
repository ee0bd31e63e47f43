import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../../events/event.ts';
import { autoscaleSchema } from '../../../model/autoscale.ts';
import { asId, type ServiceId } from '../../../model/ids.ts';
import { LoopHarness } from '../../../testing/loop-harness.ts';
import { aCluster } from '../../../testing/state-builder.ts';
import { createAutoscaler } from './autoscaler.ts';
import { decideScale } from './decide-scale.ts';
import { MetricBook, type MetricReading, type MetricSample, withSample } from './metric-book.ts';
import { recommendedReplicas } from './recommend.ts';
import { POLICY, SCALE_SCENARIOS, type ScaleScenario } from './test-support/scale-scenarios.ts';

const ID = asId<ServiceId>('web');

function inWords(event: ClusterEvent): string {
  if (event.type === 'service.autoscaled') return `${event.from}→${event.to}`;
  if (event.type === 'service.metric-lost') return `lost: ${event.reason}`;
  return event.type === 'service.metric-found' ? 'found' : event.type;
}

function play(scenario: ScaleScenario): string[] {
  const { policy = {}, replicas = 4, scaledAt, values, problem, wasLost } = scenario;
  const cluster = aCluster().withService({ name: 'web', replicas, autoscale: { ...POLICY, ...policy } });
  const service = cluster.state.service(ID);
  if (!service) throw new Error('there is no service');
  const begin = cluster.at;
  const time = (seconds: number) => begin + seconds * 1_000;
  const { stabilizationMs, staleMs } = service.spec.autoscale ?? autoscaleSchema.parse(POLICY);
  let reading: MetricReading = { samples: [], since: begin };
  for (const value of values) {
    const sample = { replicas, ...value, at: time(value.at) };
    reading = withSample(reading, sample, { keepMs: stabilizationMs, gapMs: staleMs });
  }
  const at = time(scenario.decidedAt ?? values.at(-1)?.at ?? 0);
  const events = decideScale(
    {
      ...service,
      autoscaleStatus: {
        ...(scaledAt === undefined ? {} : { scaledAt: time(scaledAt) }),
        ...(wasLost ? { lost: { since: begin, reason: 'no value has come' } } : {}),
      },
    },
    {
      ...reading,
      ...(problem === undefined ? {} : { problem }),
      ...(scenario.isHopeless ? { isHopeless: true } : {}),
    },
    at,
  );
  return events.map(inWords);
}

describe('given a service that is scaled by a metric', () => {
  test.each(SCALE_SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    'when %s',
    (_, scenario) => {
      expect(play(scenario)).toEqual(scenario.leadsTo);
    },
  );

  test('when it is scaled, then value and target are told in words', () => {
    const cluster = aCluster().withService({ name: 'web', replicas: 3, autoscale: POLICY });
    const book = new MetricBook();
    const harness = new LoopHarness(cluster, [createAutoscaler(book)]);
    book.begin(ID, cluster.at);
    book.note(ID, { at: cluster.at, value: 0.912345, replicas: 3 }, { keepMs: 0, gapMs: 60_000 });
    harness.changeLeader([createAutoscaler(book)]);
    expect(harness.run()).toEqual([
      {
        type: 'service.autoscaled',
        ...{ id: ID, from: 3, to: 6, value: 0.912345 },
        reason: 'cpu is 0.912 a task, above its target of 0.5',
      },
    ]);
    expect(cluster.state.service(ID)?.autoscaleStatus).toMatchObject({ last: { from: 3, to: 6 } });
    expect(cluster.state.service(ID)?.previousSpec).toBeUndefined();
  });
});

/** Takes values and leaders in turn; what the loop decided. */
function drive(steps: readonly Step[]): { harness: LoopHarness; book: MetricBook } {
  const cluster = aCluster().withService({ name: 'web', replicas: 4, autoscale: POLICY });
  let book = new MetricBook();
  book.begin(ID, cluster.at);
  const harness = new LoopHarness(cluster, [createAutoscaler(book)]);
  const policy = autoscaleSchema.parse(POLICY);
  for (const step of steps) {
    if (step.do === 'leader') {
      book = new MetricBook();
      book.begin(ID, cluster.at);
    } else if (step.do === 'value') {
      const { replicas = 1 } = cluster.state.service(ID)?.spec ?? {};
      const { value, heard } = step;
      book.note(
        ID,
        { at: cluster.at, value, replicas, heard },
        { keepMs: policy.stabilizationMs, gapMs: policy.staleMs },
      );
    } else harness.advance(step.ms);
    // What it is told beside the state, a loop hears by being looked at anew.
    harness.changeLeader([createAutoscaler(book)]);
    harness.run();
  }
  return { harness, book };
}

type Step =
  | { readonly do: 'value'; readonly value: number; readonly heard: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'leader' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('value' as const),
    value: fc.double({ min: 0, max: 3, noNaN: true }),
    heard: fc.integer({ min: 1, max: 12 }),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 15_000, 15_000, 61_000, 400_000) }),
  fc.record({ do: fc.constant('leader' as const) }),
);

describe('given any values, silences and changes of leader', () => {
  test('when they come, then it stays within bounds, keeps its cooldowns, and nothing is decided without a value', () => {
    const policy = autoscaleSchema.parse(POLICY);
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
        const { harness } = drive(steps);
        let scaledAt = Number.NEGATIVE_INFINITY;
        let isLost = false;
        let replicas = 4;
        for (const { at, events } of harness.transactions) {
          for (const event of events) {
            if (event.type === 'service.metric-lost') {
              expect(isLost, 'it was lost already').toBe(false);
              isLost = true;
            } else if (event.type === 'service.metric-found') {
              expect(isLost, 'it was not lost').toBe(true);
              isLost = false;
            } else if (event.type === 'service.autoscaled') {
              expect(isLost, 'it was scaled blindly').toBe(false);
              expect(event.from).toBe(replicas);
              expect(event.to).not.toBe(event.from);
              expect(event.to).toBeGreaterThanOrEqual(policy.min);
              expect(event.to).toBeLessThanOrEqual(policy.max);
              const cooldown = event.to > event.from ? policy.scaleUpCooldownMs : policy.scaleDownCooldownMs;
              expect(at - scaledAt).toBeGreaterThanOrEqual(cooldown);
              expect(Math.sign(event.to - event.from)).toBe(Math.sign(event.value - policy.target));
              scaledAt = at;
              replicas = event.to;
            }
          }
        }
        const service = harness.state.service(ID);
        expect(service?.spec.replicas).toBe(replicas);
        expect(service?.autoscaleStatus?.lost !== undefined).toBe(isLost);
      }),
      { numRuns: 200 },
    );
  });

  test('when a load is spread over the tasks that it asks for, then it asks for as many again', () => {
    const policy = autoscaleSchema.parse({ ...POLICY, max: 1_000 });
    const load = fc.double({ min: 0, max: 400, noNaN: true });
    fc.assert(
      fc.property(load, fc.integer({ min: 1, max: 1_000 }), (total, replicas) => {
        const sampleOf = (tasks: number): MetricSample => ({ at: 0, value: total / tasks, replicas: tasks });
        const first = recommendedReplicas(policy, sampleOf(replicas));
        expect(recommendedReplicas(policy, sampleOf(first))).toBe(first);
      }),
    );
  });
});
