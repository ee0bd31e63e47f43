/** The limits and time-outs of a member, with their defaults. Time is counted in ticks; the driver says how long one is. */

import { RaftError } from './errors.ts';

/** Limits of one member. All members of a cluster should agree on those that end in `Ticks`. */
export interface RaftOptions {
  /** Ticks between a leader's heartbeats. Default 10: 100 ms with ticks of 10 ms. */
  readonly heartbeatTicks: number;
  /** A follower that heard no leader for so long may campaign, and until then refuses its vote. Default 50. */
  readonly electionTicksMin: number;
  /** Upper end of the random election time-out. Default 80. */
  readonly electionTicksMax: number;
  /** Least wait before an undecided or lost campaign is tried again. Default 5. */
  readonly campaignTicksMin: number;
  /** Longest such wait. Default 20. */
  readonly campaignTicksMax: number;
  /**
   * For how long after a heartbeat was sent, and then acknowledged by a quorum, the leader may answer reads without
   * asking again. At most `electionTicksMin - 2`: what remains is the margin for clocks that run at different speeds.
   * Default 0, no lease.
   */
  readonly leaseTicks: number;
  /** A leader gives way when its own disk, or those of a quorum, took nothing for so long. Default 300. */
  readonly commitStallTicks: number;
  /** A transfer of leadership that took longer is given up. Default 50. */
  readonly transferTicks: number;
  /** For how long a leader still tells a removed member of its removal. Default 500. */
  readonly departingTicks: number;
  /** Bytes of entries in one message; one larger entry still travels alone. Default 1 MiB. */
  readonly appendBytesMax: number;
  /** Entries in one message. Default 4096. */
  readonly appendEntriesMax: number;
  /** Append messages under way to one follower. Default 64. */
  readonly inflightMessagesMax: number;
  /** Bytes of entries under way to one follower. Default 8 MiB. */
  readonly inflightBytesMax: number;
  /** Bytes of entries handed to the state machine at once. Default 4 MiB. */
  readonly applyBytesMax: number;
  /** Bytes proposed and not yet committed, beyond which proposals are refused as busy. Default 64 MiB. */
  readonly uncommittedBytesMax: number;
  /** The largest payload of one proposal. Default 4 MiB. */
  readonly proposalBytesMax: number;
  /** Reads that wait for their confirmation at one leader. Default 65536. */
  readonly pendingReadsMax: number;
  /** Entries kept behind a snapshot, for followers that lag a little. Default 5000. */
  readonly compactionReserve: number;
  /** How many entries are kept at most for a follower that is receiving a snapshot. Default 100000. */
  readonly compactionHold: number;
}

/** The defaults, meant for ticks of 10 ms. */
export const DEFAULT_OPTIONS: RaftOptions = {
  heartbeatTicks: 10,
  electionTicksMin: 50,
  electionTicksMax: 80,
  campaignTicksMin: 5,
  campaignTicksMax: 20,
  leaseTicks: 0,
  commitStallTicks: 300,
  transferTicks: 50,
  departingTicks: 500,
  appendBytesMax: 1024 * 1024,
  appendEntriesMax: 4096,
  inflightMessagesMax: 64,
  inflightBytesMax: 8 * 1024 * 1024,
  applyBytesMax: 4 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  proposalBytesMax: 4 * 1024 * 1024,
  pendingReadsMax: 65_536,
  compactionReserve: 5000,
  compactionHold: 100_000,
};

const MAY_BE_ZERO: ReadonlySet<string> = new Set(['leaseTicks', 'compactionReserve', 'compactionHold']);

/**
 * Fills in the defaults and checks what was given.
 *
 * @throws RaftError `invalid-option`, naming the option and its rule.
 */
export function resolveOptions(given: Partial<RaftOptions> = {}): RaftOptions {
  const options: RaftOptions = { ...DEFAULT_OPTIONS, ...given };
  for (const [name, value] of Object.entries(options)) {
    const least = MAY_BE_ZERO.has(name) ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RaftError(
        'invalid-option',
        `${name} must be a whole number of at least ${least}, not ${value}.`,
      );
    }
  }
  const rule = (holds: boolean, message: string) => {
    if (!holds) throw new RaftError('invalid-option', message);
  };
  rule(
    options.heartbeatTicks < options.electionTicksMin,
    'heartbeatTicks must be less than electionTicksMin.',
  );
  rule(
    options.electionTicksMin <= options.electionTicksMax,
    'electionTicksMax must not be less than electionTicksMin.',
  );
  rule(
    options.campaignTicksMin <= options.campaignTicksMax,
    'campaignTicksMax must not be less than campaignTicksMin.',
  );
  rule(
    options.leaseTicks <= Math.max(0, options.electionTicksMin - 2),
    'leaseTicks must be at most electionTicksMin - 2.',
  );
  return options;
}
