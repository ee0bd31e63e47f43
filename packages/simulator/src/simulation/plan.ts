/** What a seed stands for: how large the cluster is, which users it has, and which misfortunes, how often. */

import type { SimulatedBehaviour } from '@skep/core/testing';
import { type RandomStream, randomStream } from '@skep/raft/simulator';
import type { LatencyRange } from '../links.ts';
import type { WorkerOptions } from '../simulated-worker.ts';

/** What may happen in a step. */
export const ACTIONS = [
  'command',
  'crash-manager',
  'crash-leader',
  'crash-worker',
  'crash-machine',
  'restart',
  'partition',
  'cut',
  'slow',
  'heal',
  'kill-task',
  'pause',
  'pause-leader',
  'resume',
  'fill-disk',
  'free-disk',
  'change-managers',
] as const;

/** One of them. */
export type ActionName = (typeof ACTIONS)[number];

/** What takes misfortunes back. */
const REMEDIES: readonly ActionName[] = ['restart', 'heal', 'resume', 'free-disk'];

/** A worker of a seed. */
export interface PlannedWorker extends Omit<WorkerOptions, 'dataPlane'> {
  readonly passesTrafficOn: boolean;
}

/** The plan of one seed. */
export interface SimulationPlan {
  readonly managers: number;
  readonly workers: readonly PlannedWorker[];
  readonly users: number;
  /** Users that have jobs done, beside the others. */
  readonly jobs: number;
  /** Nodes are small, a service fills them at the lowest priority, and other services have several. */
  readonly isCrowded: boolean;
  /** Users whose services are scaled by a metric. */
  readonly scaled: number;
  readonly latencyMs: LatencyRange;
  readonly snapshotEntries: number;
  readonly images: Readonly<Record<string, SimulatedBehaviour>>;
  /** How often each action is taken, against the others. */
  readonly weights: ReadonlyMap<ActionName, number>;
  /** Between two steps, on average, in milliseconds. */
  readonly stepMs: number;
}

/** How tasks of services behave while there are faults. */
const SERVICE_IMAGES: Readonly<Record<string, SimulatedBehaviour>> = {
  steady: {},
  slow: { prepareMs: [100, 4_000], startMs: [10, 500], stopMs: [10, 3_000] },
  flaky: { runMs: [1_000, 30_000], exitCode: 1 },
  stubborn: { ignoreStop: true },
  picky: { rejectTemporary: 2 },
};

/** The same for tasks of jobs. */
const JOB_IMAGES: Readonly<Record<string, SimulatedBehaviour>> = {
  batch: { prepareMs: [10, 1_000], runMs: [200, 8_000] },
  mishap: { runMs: [200, 5_000], exitCode: 3 },
  endless: { prepareMs: [10, 3_000], runMs: [20_000, 60_000], stopMs: [10, 3_000] },
};

/** What a task of a service that is scaled uses of a processor, by its image. */
export const LOAD_OF_IMAGE: Readonly<Record<string, number>> = { busy: 1, idle: 0.05 };

/** How they behave, while there are faults and after. */
const SCALED_IMAGES: Readonly<Record<string, SimulatedBehaviour>> = Object.fromEntries(
  Object.entries(LOAD_OF_IMAGE).map(([name, cpus]) => [name, { stats: { cpus, memoryBytes: 2 ** 20 } }]),
);

/** What services and jobs may be made of. */
export const SERVICE_IMAGE_NAMES: readonly string[] = Object.keys(SERVICE_IMAGES);
export const JOB_IMAGE_NAMES: readonly string[] = Object.keys(JOB_IMAGES);

/** How tasks behave once faults have stopped. */
export const CALM_IMAGES: Readonly<Record<string, SimulatedBehaviour>> = {
  ...Object.fromEntries(SERVICE_IMAGE_NAMES.map((name) => [name, {}])),
  ...Object.fromEntries(JOB_IMAGE_NAMES.map((name) => [name, { runMs: 1_000 }])),
  ...SCALED_IMAGES,
};

/** As much as all services but the crowd's may ask for on the nodes of one zone, by each of two nodes. */
const SMALL_NODE_CPUS = 6;

/** Which of the two zones a worker is in. */
export function zoneOf(at: number): 'a' | 'b' {
  return at % 2 === 0 ? 'a' : 'b';
}

/** The plan that a seed stands for. */
export function planOf(seed: number): SimulationPlan {
  const random = randomStream(seed, 'plan');
  const kindsOff = new Set(ACTIONS.filter((name) => name !== 'command' && random.chance(0.3)));
  const weights = new Map<ActionName, number>();
  for (const name of ACTIONS) weights.set(name, kindsOff.has(name) ? 0 : weightOf(name, random));
  const hasDataPlanes = random.chance(0.5);
  const isCrowded = isCrowdedBy(seed);
  // What is down must be able to come back, what is cut to heal, and so on.
  for (const name of REMEDIES) weights.set(name, random.between(2, 5));
  return {
    managers: random.pick([1, 3, 3, 3, 5]) ?? 3,
    workers: Array.from({ length: random.between(3, 6) }, (_, at) => ({
      labels: { zone: zoneOf(at) },
      ...(isCrowded ? { cpus: SMALL_NODE_CPUS } : {}),
      passesTrafficOn: hasDataPlanes && random.chance(0.7),
    })),
    users: random.between(2, 5),
    jobs: jobsOf(seed),
    isCrowded,
    scaled: randomStream(seed, 'scaled').chance(0.4) ? 1 : 0,
    latencyMs: random.pick([
      [0.2, 1],
      [0.5, 2],
      [1, 30],
    ] as const) ?? [0.5, 2],
    snapshotEntries: random.pick([25, 200, 10_000]) ?? 200,
    images: { ...SERVICE_IMAGES, ...JOB_IMAGES, ...SCALED_IMAGES },
    weights,
    stepMs: random.pick([300, 1_000, 3_000]) ?? 1_000,
  };
}

/** From a stream of its own: a seed without jobs is what it was before there were any. */
function jobsOf(seed: number): number {
  const random = randomStream(seed, 'jobs');
  return random.chance(0.5) ? random.between(1, 2) : 0;
}

/** From a stream of its own, for the same reason. */
function isCrowdedBy(seed: number): boolean {
  return randomStream(seed, 'crowd').chance(0.4);
}

function weightOf(name: ActionName, random: RandomStream): number {
  return name === 'command' ? random.between(10, 25) : random.between(1, 3);
}
