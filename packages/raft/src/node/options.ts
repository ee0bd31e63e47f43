/** What a node is made of, with the defaults. */

import { brokenBootstrap, brokenMemberId } from '../core/member-names.ts';
import type { RaftOptions } from '../core/options.ts';
import { resolveOptions } from '../core/options.ts';
import type { Configuration, MemberId, Random } from '../core/types.ts';
import type { RaftStorage } from '../storage/storage.ts';
import type { RaftTransport } from '../transport/transport.ts';
import { ENVELOPE_BYTES_MAX } from './command-envelope.ts';
import { RaftNodeError } from './errors.ts';
import type { RaftClock, RaftLogger, RaftMetrics } from './ports.ts';
import { noRaftMetrics, silentRaftLogger } from './ports.ts';
import type { RaftStateMachine } from './state-machine.ts';

/** What a node is made of. */
export interface RaftNodeOptions {
  readonly id: MemberId;
  readonly machine: RaftStateMachine;
  readonly storage: RaftStorage;
  readonly transport: RaftTransport;
  readonly clock: RaftClock;
  /** Election jitter and the identity of this life. Two lives of a node must not be given the same numbers. */
  readonly random: Random;
  /**
   * The first members of a new cluster, the same in each of them. Only looked at when the storage is empty; a member
   * that joins a running cluster is given none.
   */
  readonly bootstrap?: Configuration;
  /** Limits of the core. The defaults are meant for the default `tickMs`. */
  readonly raft?: Partial<RaftOptions>;
  /** How long a tick of the core is. Default 10 ms. */
  readonly tickMs?: number;
  /** A proposal without an answer ends after so long, in ms. Default 5000. */
  readonly proposalTimeoutMs?: number;
  /** A read that nobody confirmed ends after so long, in ms. Default 5000. */
  readonly readTimeoutMs?: number;
  /** Proposals of this member that may wait at once. Default 100,000. */
  readonly pendingProposalsMax?: number;
  /** Reads of this member that may wait at once. Default 65,536. */
  readonly pendingReadsMax?: number;
  /**
   * Entries after which a snapshot is taken, if their commands have about as many bytes as the last one. Default 10,000;
   * 0 takes none by itself.
   */
  readonly snapshotEntries?: number;
  /** Bytes of commands after which a snapshot is taken. Default 64 MiB; 0 takes none by itself. */
  readonly snapshotBytes?: number;
  /** How far behind a new member may be to be made a voter, in entries. Default 1000. */
  readonly promotionLag?: number;
  /** Default: says nothing. */
  readonly logger?: RaftLogger;
  /** Default: counts nothing. */
  readonly metrics?: RaftMetrics;
}

/** The same with nothing left out but what may be missing. */
export type RaftNodeSettings = Required<Omit<RaftNodeOptions, 'bootstrap' | 'raft'>> &
  Pick<RaftNodeOptions, 'bootstrap' | 'raft'>;

const NUMBERS = {
  tickMs: 10,
  proposalTimeoutMs: 5000,
  readTimeoutMs: 5000,
  pendingProposalsMax: 100_000,
  pendingReadsMax: 65_536,
  snapshotEntries: 10_000,
  snapshotBytes: 64 * 1024 * 1024,
  promotionLag: 1000,
} as const;

const MAY_BE_ZERO: ReadonlySet<string> = new Set(['snapshotEntries', 'snapshotBytes', 'promotionLag']);

/** Fills in the defaults. @throws RaftNodeError `invalid-argument` or RaftError `invalid-option`, naming the option. */
export function withNodeDefaults(options: RaftNodeOptions): RaftNodeSettings {
  const { id, bootstrap } = options;
  const brokenId = brokenMemberId(id);
  if (brokenId !== undefined) throw new RaftNodeError('invalid-argument', `id: ${brokenId}`);
  const broken = bootstrap === undefined ? undefined : brokenBootstrap(bootstrap);
  if (broken !== undefined) throw new RaftNodeError('invalid-argument', `bootstrap: ${broken}`);
  const settings = { logger: silentRaftLogger, metrics: noRaftMetrics, ...NUMBERS, ...options };
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const least = MAY_BE_ZERO.has(name) ? 0 : 1;
    if (!Number.isFinite(settings[name]) || settings[name] < least) {
      throw new RaftNodeError('invalid-argument', `${name} must be at least ${least}, not ${settings[name]}`);
    }
  }
  const limit = brokenLimit(resolveOptions(options.raft), options.transport.frameBytesMax);
  if (limit !== undefined) throw new RaftNodeError('invalid-argument', limit);
  return settings;
}

/** What a message adds to its entries at most: its head, with the names of two members, and something for each entry. */
const MESSAGE_HEAD_BYTES = 4096;
const ENTRY_HEAD_BYTES = 16;

/** An entry that no message can carry would never be committed, nor anything behind it. */
function brokenLimit(raft: RaftOptions, frameBytesMax = Number.POSITIVE_INFINITY): string | undefined {
  const { proposalBytesMax, appendBytesMax, appendEntriesMax } = raft;
  if (proposalBytesMax <= ENVELOPE_BYTES_MAX) {
    return `raft.proposalBytesMax must be over ${ENVELOPE_BYTES_MAX}, not ${proposalBytesMax}`;
  }
  const room = frameBytesMax - MESSAGE_HEAD_BYTES - ENTRY_HEAD_BYTES * appendEntriesMax;
  for (const [name, bytes] of Object.entries({ proposalBytesMax, appendBytesMax })) {
    if (bytes <= room) continue;
    return `raft.${name} must be at most ${room}, what fits into a frame of the transport, not ${bytes}`;
  }
  return undefined;
}
