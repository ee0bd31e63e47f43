/** What a seed stands for in a simulation of nodes: what it stands for among cores, and what disks and clients add. */

import type { ShippingLimits } from '../../transport/snapshot-sender.ts';
import type { ActionName, ClusterPlan, RaftOptionsDrawn } from '../plan.ts';
import { ACTION_NAMES, planOf } from '../plan.ts';
import { randomStream } from '../seeded-random.ts';

/** What can happen to a node from outside, beside what can happen to a core. */
const NODE_ONLY = [
  'stop',
  'clock-leaps',
  'sync-fails',
  'write-fails',
  'disk-fills',
  'disk-is-freed',
  'bit-rots',
  'key-rotates',
] as const;

/** What clients do is planned apart. */
type Shared = Exclude<ActionName, 'propose' | 'read' | 'leave-joint'>;

/** One of them. */
export type NodeAction = Shared | (typeof NODE_ONLY)[number];

/** All of them. */
export const NODE_ACTIONS: readonly NodeAction[] = [
  ...ACTION_NAMES.filter(
    (name): name is Shared => name !== 'propose' && name !== 'read' && name !== 'leave-joint',
  ),
  ...NODE_ONLY,
];

/** Times are in ms of virtual time, probabilities per call. */
export interface NodePlan extends ClusterPlan {
  readonly weights: Readonly<Record<NodeAction, number>>;
  readonly clients: number;
  readonly keys: number;
  /** Mean time between two operations of one client. */
  readonly clientMean: number;
  /** The share of operations that are reads, and of those the share that may be answered under a lease. */
  readonly readShare: number;
  readonly leaseShare: number;
  /** How long a client waits before it asks another member. */
  readonly patience: number;
  readonly proposalTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly snapshotEntries: number;
  /** Bytes of one chunk that the state machine writes. */
  readonly chunkBytes: number;
  readonly shipping: ShippingLimits;
  /** The chance that a call of the disk other than a sync takes time, and how much on average. */
  readonly slowCallChance: number;
  readonly slowCallMean: number;
  /** The chance that a frame is damaged on the wire. */
  readonly damageChance: number;
}

/** The plan of a seed. */
export function nodePlanOf(seed: number): NodePlan {
  const plan = planOf(seed);
  const random = randomStream(seed, 'node plan');
  const sometimes = (chance: number, most: number) => (random.chance(chance) ? random.next() * most : 0);
  const weight = (chance: number, most: number) => (random.chance(chance) ? random.between(1, most) : 0);
  const { propose: _propose, read: _read, 'leave-joint': _leave, ...shared } = plan.weights;
  const fills = weight(0.3, 5);
  const chunkBytes = random.pick([16, 40, 200]) ?? 40;
  // Sizes of the core's plan are for entries of a few bytes; here each carries who proposed it.
  const options: RaftOptionsDrawn = {
    ...plan.options,
    appendBytesMax: random.pick([200, 1000, 1_000_000]) ?? 1000,
    inflightBytesMax: random.pick([300, 1500, 1_000_000]) ?? 1500,
    applyBytesMax: random.pick([150, 1_000_000]) ?? 150,
    uncommittedBytesMax: random.pick([800, 1_000_000]) ?? 800,
  };
  return {
    ...plan,
    options,
    // More happens here for each action: the same mix, less dense.
    actionMean: plan.actionMean * 2,
    clients: random.between(1, 4),
    keys: random.between(1, 3),
    clientMean: random.between(5, 60),
    readShare: random.next() * 0.7,
    leaseShare: random.pick([0, 0.5, 1]) ?? 0,
    patience: random.between(100, 800),
    proposalTimeoutMs: random.between(100, 1000),
    readTimeoutMs: random.between(100, 600),
    snapshotEntries: random.pick([0, 4, 10, 30]) ?? 10,
    chunkBytes,
    shipping: {
      chunkBytes,
      windowBytes: chunkBytes * random.between(1, 6),
      askMs: random.between(30, 150),
      giveUpMs: random.between(300, 1500),
    },
    slowCallChance: sometimes(0.4, 0.3),
    slowCallMean: random.between(1, 8),
    weights: {
      ...shared,
      stop: weight(0.3, 3),
      'clock-leaps': weight(plan.clocksStop ? 0.5 : 0, 3),
      'sync-fails': weight(0.3, 3),
      'write-fails': weight(0.2, 2),
      'disk-fills': fills,
      'disk-is-freed': fills === 0 ? 0 : fills + 3,
      'bit-rots': weight(0.25, 4),
      'key-rotates': weight(0.2, 2),
    },
    damageChance: sometimes(0.3, 0.03),
  };
}
