/** What a metric means for a service, as data: a policy, a number of tasks and values in, a decision out. */

import type { ServiceSpecInput } from '../../../../model/service-spec.ts';
import type { MetricSample } from '../metric-book.ts';

type PolicyInput = NonNullable<ServiceSpecInput['autoscale']>;

/** One scenario. Times are seconds since the leader began to listen. */
export interface ScaleScenario {
  readonly name: string;
  readonly policy?: Partial<PolicyInput>;
  /** Tasks that the service is to have. Default 4. */
  readonly replicas?: number;
  /** When that changed last. Default: never. */
  readonly scaledAt?: number;
  /** Values, each with the tasks of the service unless it says otherwise. */
  readonly values: readonly (Partial<MetricSample> & { readonly at: number; readonly value: number })[];
  readonly problem?: string;
  /** It is hopeless. */
  readonly isHopeless?: true;
  /** The metric was lost before. */
  readonly wasLost?: true;
  /** Default: with the last value. */
  readonly decidedAt?: number;
  /** `4→6`, `lost: …`, `found`. */
  readonly leadsTo: readonly string[];
}

/** Every so many seconds one value, up to a time. */
function steady(value: number, until: number, every = 15): ScaleScenario['values'] {
  return Array.from({ length: Math.floor(until / every) }, (_, n) => ({ at: (n + 1) * every, value }));
}

const QUEUE = { metric: { name: 'queue' }, target: 10 } as const;

/** The default policy: from 1 to 10 tasks, half a processor each. */
export const POLICY: PolicyInput = { min: 1, max: 10, metric: 'cpu', target: 0.5 };

export const SCALE_SCENARIOS: readonly ScaleScenario[] = [
  { name: 'each task has what it should have', values: [{ at: 15, value: 0.5 }], leadsTo: [] },
  { name: 'each has twice as much', values: [{ at: 15, value: 1 }], leadsTo: ['4→8'] },
  { name: 'each has a little more than it should', values: [{ at: 15, value: 0.52 }], leadsTo: [] },
  { name: 'it is as far off as is tolerated', values: [{ at: 15, value: 0.55 }], leadsTo: [] },
  { name: 'it is farther off', values: [{ at: 15, value: 0.551 }], leadsTo: ['4→5'] },
  {
    name: 'nothing is tolerated',
    policy: { tolerance: 0 },
    values: [{ at: 15, value: 0.501 }],
    leadsTo: ['4→5'],
  },
  { name: 'it asks for more than there may be', values: [{ at: 15, value: 5 }], leadsTo: ['4→10'] },
  { name: 'as many run as may', replicas: 10, values: [{ at: 15, value: 5 }], leadsTo: [] },
  { name: 'it is low for a moment', values: [{ at: 15, value: 0.1 }], leadsTo: [] },
  { name: 'it is low for the time of stabilisation', values: steady(0.1, 315), leadsTo: ['4→1'] },
  { name: 'it is low for a little less', values: steady(0.1, 285), leadsTo: [] },
  {
    name: 'it was a little higher within that time',
    values: [...steady(0.1, 150), { at: 160, value: 0.3 }, ...steady(0.1, 315).slice(11)],
    leadsTo: ['4→3'],
  },
  {
    name: 'it is low, fewer than the least are asked for',
    policy: { min: 3 },
    values: steady(0, 315),
    leadsTo: ['4→3'],
  },
  {
    name: 'it was not known for a while within that time',
    values: [...steady(0.1, 100), ...steady(0.1, 360).slice(12)],
    leadsTo: [],
  },
  {
    name: 'nobody is to wait before tasks are given up',
    policy: { stabilizationMs: 0 },
    values: [{ at: 15, value: 0.1 }],
    leadsTo: ['4→1'],
  },
  {
    name: 'the number changed just now, and more are asked for',
    scaledAt: 0,
    values: [{ at: 15, value: 1 }],
    leadsTo: [],
  },
  {
    name: 'the number changed a cooldown ago, and more are asked for',
    scaledAt: 0,
    values: [{ at: 30, value: 1 }],
    leadsTo: ['4→8'],
  },
  {
    name: 'the number changed less than a cooldown ago, and fewer are asked for',
    policy: { stabilizationMs: 0 },
    scaledAt: 0,
    values: [{ at: 45, value: 0.1 }],
    leadsTo: [],
  },
  {
    name: 'the number changed a cooldown ago, and fewer are asked for',
    policy: { stabilizationMs: 0 },
    scaledAt: 0,
    values: [{ at: 60, value: 0.1 }],
    leadsTo: ['4→1'],
  },
  {
    name: 'the value was measured with another number of tasks',
    values: [{ at: 15, value: 1, replicas: 2 }],
    leadsTo: [],
  },
  {
    name: 'half of the tasks were not heard of, and the others have too much',
    values: [{ at: 15, value: 1.5, heard: 2 }],
    leadsTo: ['4→6'],
  },
  {
    name: 'with those not heard of, it could be on target',
    values: [{ at: 15, value: 0.9, heard: 2 }],
    leadsTo: [],
  },
  {
    name: 'half were not heard of, and the others have nothing to do',
    policy: { stabilizationMs: 0 },
    values: [{ at: 15, value: 0, heard: 2 }],
    leadsTo: ['4→2'],
  },
  {
    name: 'more were heard of than there are to be, as in an update',
    values: [{ at: 15, value: 1, heard: 6 }],
    leadsTo: ['4→8'],
  },
  {
    name: 'a value of the whole service asks for more',
    policy: QUEUE,
    values: [{ at: 15, value: 75 }],
    leadsTo: ['4→8'],
  },
  {
    name: 'a value of the whole service comes to a whole number of tasks',
    policy: { ...QUEUE, target: 0.1 },
    values: [{ at: 15, value: 0.7 }],
    leadsTo: ['4→7'],
  },
  {
    name: 'there is nothing to do for the whole service, and none may run',
    policy: { ...QUEUE, min: 0 },
    values: steady(0, 315),
    leadsTo: ['4→0'],
  },
  {
    name: 'none runs, and there is something to do',
    policy: { ...QUEUE, min: 0 },
    replicas: 0,
    values: [{ at: 15, value: 1 }],
    leadsTo: ['0→1'],
  },
  {
    name: 'none runs, and there is nothing to do',
    policy: { ...QUEUE, min: 0 },
    replicas: 0,
    values: [{ at: 15, value: 0 }],
    leadsTo: [],
  },
  {
    name: 'a value is of the average task',
    policy: { metric: { name: 'latency', of: 'task' }, target: 100 },
    values: [{ at: 15, value: 150 }],
    leadsTo: ['4→6'],
  },
  { name: 'nothing has come yet', values: [], decidedAt: 59, leadsTo: [] },
  {
    name: 'nothing has come for too long',
    values: [],
    decidedAt: 60,
    leadsTo: ['lost: no value of cpu has come for 60 s'],
  },
  {
    name: 'nothing has come for too long, and why is known',
    values: [{ at: 15, value: 1 }],
    problem: 'node n1 is not connected now',
    decidedAt: 75,
    leadsTo: ['lost: no value of cpu has come for 60 s: node n1 is not connected now'],
  },
  {
    name: 'it is lost already',
    values: [{ at: 15, value: 1 }],
    wasLost: true,
    decidedAt: 90,
    leadsTo: [],
  },
  {
    name: 'it will never come',
    values: [],
    problem: 'no such metric',
    isHopeless: true,
    decidedAt: 1,
    leadsTo: ['lost: no such metric'],
  },
  {
    name: 'it is there again',
    wasLost: true,
    values: [{ at: 15, value: 0.5 }],
    leadsTo: ['found'],
  },
  {
    name: 'it is there again, and asks for more',
    wasLost: true,
    values: [{ at: 15, value: 1 }],
    leadsTo: ['found', '4→8'],
  },
];
