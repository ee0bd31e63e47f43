/**
 * What a seed stands for: the size of the cluster, its options, and which faults exist how strongly. Each seed draws
 * its own mix, since faults that are always on hide each other (swarm testing: Groce et al., ISSTA 2012).
 */

import type { RaftOptions } from '../core/options.ts';
import { randomStream } from './seeded-random.ts';

/** Units of virtual time in a tick of a clock that runs at normal speed. */
export const TICK = 10;

/** Probabilities are per message, per write or per action; times are in units of virtual time. */
export interface ClusterPlan {
  readonly voters: number;
  readonly learners: number;
  readonly options: RaftOptionsDrawn;
  /**
   * Members disagree about the election time-out, by a factor of up to this. Only leases may depend on it, so there are
   * none then: old leaders linger while others are elected.
   */
  readonly timeoutSpread: number;
  /** Clocks stand still now and then, while the process goes on. Never together with leases, which trust them. */
  readonly clocksStop: boolean;
  /** Clocks run at a speed between `1 - skew` and `1 + skew`. */
  readonly clockSkew: number;
  readonly delayLeast: number;
  readonly delayMean: number;
  readonly dropChance: number;
  readonly doubleChance: number;
  /** A link that is cut swallows what is on its way too. */
  readonly cutsSwallow: boolean;
  /** A message that is held up for many ticks, long after it was given up. */
  readonly clogChance: number;
  readonly writeMean: number;
  readonly stallChance: number;
  readonly applyMean: number;
  /** Mean time between two actions of clients and of misfortune. */
  readonly actionMean: number;
}

/** The same with what is done to cores. */
export interface SimulationPlan extends ClusterPlan {
  /** How often each action is taken, relative to the others. */
  readonly weights: Readonly<Record<ActionName, number>>;
}

/** What can happen from outside. */
export const ACTION_NAMES = [
  'propose',
  'read',
  'snapshot',
  'crash',
  'restart',
  'pause',
  'partition',
  'isolate-leader',
  'cut-one-way',
  'bridge',
  'heal',
  'change-members',
  'leave-joint',
  'transfer',
  'campaign',
] as const;

/** One of them. */
export type ActionName = (typeof ACTION_NAMES)[number];

/** The options that a plan sets. */
export type RaftOptionsDrawn = Pick<
  RaftOptions,
  | 'heartbeatTicks'
  | 'electionTicksMin'
  | 'electionTicksMax'
  | 'campaignTicksMin'
  | 'campaignTicksMax'
  | 'leaseTicks'
  | 'commitStallTicks'
  | 'transferTicks'
  | 'departingTicks'
  | 'appendBytesMax'
  | 'appendEntriesMax'
  | 'inflightMessagesMax'
  | 'inflightBytesMax'
  | 'applyBytesMax'
  | 'uncommittedBytesMax'
  | 'compactionReserve'
  | 'compactionHold'
>;

/** The plan of a seed. */
export function planOf(seed: number): SimulationPlan {
  const random = randomStream(seed, 'plan');
  const sometimes = (chance: number, most: number) => (random.chance(chance) ? random.next() * most : 0);
  const electionTicksMin = random.between(5, 9);
  const hasLease = random.chance(0.5);
  const weight = (chance: number, most: number) => (random.chance(chance) ? random.between(1, most) : 0);
  return {
    voters: random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5]) ?? 3,
    learners: random.pick([0, 0, 0, 1]) ?? 0,
    options: {
      heartbeatTicks: random.between(1, 2),
      electionTicksMin,
      electionTicksMax: electionTicksMin + random.between(2, 7),
      campaignTicksMin: random.between(2, 4),
      campaignTicksMax: random.between(5, 8),
      leaseTicks: hasLease ? Math.floor((electionTicksMin - 2) * 0.8) : 0,
      commitStallTicks: random.pick([10, 20, 60]) ?? 20,
      transferTicks: electionTicksMin,
      departingTicks: random.between(10, 100),
      appendBytesMax: random.pick([64, 200, 1_000_000]) ?? 200,
      appendEntriesMax: random.pick([1, 2, 4, 100]) ?? 4,
      inflightMessagesMax: random.pick([1, 2, 4, 64]) ?? 4,
      inflightBytesMax: random.pick([64, 300, 1_000_000]) ?? 300,
      applyBytesMax: random.pick([48, 1_000_000]) ?? 48,
      uncommittedBytesMax: random.pick([200, 1_000_000]) ?? 200,
      compactionReserve: random.pick([0, 0, 2, 10]) ?? 0,
      compactionHold: random.pick([0, 20, 1000]) ?? 20,
    },
    timeoutSpread: !hasLease && random.chance(0.6) ? 4 : 1,
    clocksStop: !hasLease && random.chance(0.6),
    clockSkew: hasLease ? 0.05 : sometimes(0.5, 0.4),
    delayLeast: random.between(0, 6),
    delayMean: random.between(1, 15),
    dropChance: sometimes(0.6, 0.3),
    doubleChance: sometimes(0.5, 0.3),
    clogChance: sometimes(0.5, 0.05),
    cutsSwallow: random.chance(0.5),
    writeMean: random.between(1, 12),
    stallChance: sometimes(0.3, 0.02),
    applyMean: random.pick([0, 0, 5, 40]) ?? 0,
    actionMean: random.between(5, 30),
    weights: {
      propose: random.between(5, 40),
      read: weight(0.7, 25),
      snapshot: weight(0.6, 12),
      crash: weight(0.6, 5),
      restart: 14,
      pause: weight(0.4, 4),
      partition: weight(0.5, 4),
      'isolate-leader': weight(0.5, 8),
      'cut-one-way': weight(0.4, 4),
      bridge: weight(0.25, 3),
      heal: 8,
      'change-members': weight(0.6, 20),
      'leave-joint': 3,
      transfer: weight(0.4, 8),
      campaign: weight(0.3, 3),
    },
  };
}

/** The options of one member, which may disagree with the others about time-outs. */
export function optionsOf(plan: ClusterPlan, seed: number, member: string): RaftOptionsDrawn {
  const { options, timeoutSpread } = plan;
  const factor = timeoutSpread ** (randomStream(seed, `options ${member}`).next() * 1.5 - 0.5);
  const electionTicksMin = Math.max(
    options.heartbeatTicks + 2,
    Math.round(options.electionTicksMin * factor),
  );
  const jitter = options.electionTicksMax - options.electionTicksMin;
  return { ...options, electionTicksMin, electionTicksMax: electionTicksMin + jitter };
}
