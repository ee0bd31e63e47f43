/**
 * One member of a Raft cluster as a state machine: inputs change it, `takeReady` says what is to be done. It does no
 * I/O, reads no clock, waits for nothing, and draws randomness only from what it was given, so that the same inputs
 * give the same outputs. The driver around it owns the disk, the network, the timers and the application.
 *
 * The algorithm is Ongaro's (the Raft paper, USENIX ATC 2014, and his thesis), with pre-vote, leader loyalty, a quorum
 * check, joint consensus, learners and asynchronous persistence.
 */

import { countOwnVote, startPreVote } from './campaign.ts';
import { RaftError } from './errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { ProposalResult } from './leader.ts';
import { advanceCommit, proposeCommands, tickLeader } from './leader.ts';
import { Member } from './member.ts';
import type { MemberChange, Transition } from './membership.ts';
import type { Message } from './message.ts';
import type { RaftOptions } from './options.ts';
import { resolveOptions } from './options.ts';
import { beginReadRound, requestRead, takeReads } from './reads.ts';
import type { PersistBatch, ReadToken, Ready } from './ready.ts';
import type { ChangeResult } from './reconfiguration.ts';
import { changeConfiguration, leaveJointConfiguration } from './reconfiguration.ts';
import { becameUnreachable, replicate } from './replication.ts';
import { becomeFollower } from './roles.ts';
import type { RaftStatus } from './status.ts';
import { statusOf } from './status.ts';
import { receive } from './step.ts';
import { isFromStranger } from './strangers.ts';
import type { TransferResult } from './transfer.ts';
import { startTransfer } from './transfer.ts';
import type { Entry, LogIndex, MemberId, Random, SnapshotDescription, StoredState, Term } from './types.ts';

/** What a member is made of. */
export interface RaftCoreParts {
  readonly id: MemberId;
  /** Election jitter and the incarnation come from here. */
  readonly random: Random;
  /** What the disk holds; a member that joins starts with nothing. */
  readonly stored?: StoredState;
  readonly options?: Partial<RaftOptions>;
}

const NOTHING_STORED: StoredState = { hardState: { term: 0, commit: 0 }, entries: [] };

/** The core. Every method returns at once. */
export class RaftCore {
  readonly #member: Member;

  /** @throws RaftError `invalid-option` or `invalid-stored-state`. */
  constructor(parts: RaftCoreParts) {
    const { id, random, stored = NOTHING_STORED, options } = parts;
    this.#member = new Member(id, resolveOptions(options), random, stored);
  }

  get id(): MemberId {
    return this.#member.id;
  }

  /** How this member stands, as plain data. */
  get status(): RaftStatus {
    return statusOf(this.#member);
  }

  /** The term that this member leads, if it does. The same as in the status, and cheap enough for each proposal. */
  get ledTerm(): Term | undefined {
    return this.#member.leadership === undefined ? undefined : this.#member.term;
  }

  /**
   * The whole state as text, for those who explore states and must know one again: two members with the same text do the
   * same from here on. Deadlines count only if they are at most `horizon` ticks away.
   */
  fingerprint(horizon: number): string {
    return fingerprintOf(this.#member, horizon);
  }

  /** The entry at `index`, if it is still in memory. */
  entryAt(index: LogIndex): Entry | undefined {
    return this.#member.log.entryAt(index);
  }

  /**
   * Time has passed. `elapsed` is how many ticks, more than one if the process was held up. Leases and time-outs count
   * them all; the election timer counts one, since what a paused member missed may still lie in its queues.
   */
  tick(elapsed = 1): void {
    const member = this.#member;
    member.clock += elapsed;
    if (member.fault !== undefined) return;
    if (member.leadership !== undefined) {
      tickLeader(member, member.leadership);
      return;
    }
    member.electionElapsed++;
    if (member.electionElapsed >= member.electionTimeout && member.isPromotable) startPreVote(member);
  }

  /** A message has arrived. Returns whether it was taken. */
  step(message: Message): boolean {
    if (!this.takes(message)) return false;
    receive(this.#member, message);
    return true;
  }

  /** Whether `step` would take it: not what is addressed to another, and not what a stranger sends. */
  takes(message: Message): boolean {
    const member = this.#member;
    if (message.to !== member.id || message.from === member.id || member.fault !== undefined) return false;
    return !isFromStranger(member, message);
  }

  /** Asks the leader, if that is this member, to append commands: all of them or none. */
  propose(payloads: readonly Uint8Array[]): ProposalResult {
    return proposeCommands(this.#member, payloads);
  }

  /**
   * Asks for a linearizable read. `read` comes back with a later `takeReady`, once the local state machine holds all
   * that was committed when this was called, or with the reason why not.
   *
   * @param options.lease - the leader may answer under its lease, if it has one.
   */
  readIndex(read: ReadToken, options: { readonly lease?: boolean } = {}): void {
    requestRead(this.#member, read, options.lease ?? false);
  }

  /** Begins to change who takes part. */
  changeConfiguration(changes: readonly MemberChange[], transition: Transition = 'automatic'): ChangeResult {
    return changeConfiguration(this.#member, changes, transition);
  }

  /** Leaves a joint configuration that was begun with `joint-until-left`. */
  leaveJoint(): ChangeResult {
    return leaveJointConfiguration(this.#member);
  }

  /** Begins to hand leadership to `target`. */
  transferLeadership(target: MemberId): TransferResult {
    return startTransfer(this.#member, target);
  }

  /**
   * Takes the leader for gone and campaigns as if the election timer had run out. Refused while a leader may hold a
   * lease on this member's loyalty, and where it may not campaign at all.
   */
  campaign(): boolean {
    const member = this.#member;
    if (member.leadership !== undefined || !member.isPromotable) return false;
    if (member.options.leaseTicks > 0 && member.isLoyal) return false;
    member.leaderContact = Number.NEGATIVE_INFINITY;
    startPreVote(member);
    return true;
  }

  /**
   * The batch, and all before it, are durable, and its messages were handed to the network.
   *
   * @throws RaftError `invalid-report` if no such batch is under way.
   */
  persisted(sequence: PersistBatch['sequence']): void {
    const member = this.#member;
    member.persistence.persisted(sequence);
    countOwnVote(member);
    if (member.leadership !== undefined) advanceCommit(member, member.leadership);
  }

  /** The state machine holds everything up to `index`. @throws RaftError `invalid-report` beyond what was handed out. */
  applied(index: LogIndex): void {
    const member = this.#member;
    if (index > member.applying) throw new RaftError('invalid-report', `entry ${index} was not handed out`);
    member.log.appliedTo(index);
  }

  /** The transport could not deliver to this member. */
  peerUnreachable(id: MemberId): void {
    const progress = this.#member.leadership?.progress.get(id);
    if (progress !== undefined) becameUnreachable(progress);
  }

  /**
   * How shipping a snapshot to `id` ended. Must follow every `install-snapshot` message, or the member is sent nothing
   * more until it acknowledges the snapshot by itself.
   */
  snapshotReport(id: MemberId, outcome: 'delivered' | 'failed'): void {
    const progress = this.#member.leadership?.progress.get(id);
    if (progress?.state !== 'snapshot') return;
    if (outcome === 'failed') progress.snapshotIndex = 0;
    progress.becomeProbe();
    // Its acknowledgement, or the next heartbeat, sets this going again.
    progress.isPaused = true;
  }

  /** What a snapshot of the state machine as applied now has to carry; undefined while one is being restored. */
  describeSnapshot(): SnapshotDescription | undefined {
    const { log } = this.#member;
    const term = log.termAt(log.applied);
    if (term === undefined) return undefined;
    return { index: log.applied, term, configuration: log.configurationAt(log.applied) };
  }

  /**
   * That snapshot is durable: entries that it covers may be forgotten, but for a reserve, and for what a follower that
   * is receiving a snapshot will need next.
   *
   * @returns the first entry to keep; the storage may drop all before it.
   */
  snapshotStored(snapshot: SnapshotDescription): LogIndex {
    const { log, options, leadership } = this.#member;
    let keepAfter = snapshot.index - options.compactionReserve;
    for (const progress of leadership?.progress.values() ?? []) {
      if (progress.state === 'snapshot') keepAfter = Math.min(keepAfter, progress.snapshotIndex);
    }
    log.compact(
      snapshot,
      Math.max(keepAfter, snapshot.index - Math.max(options.compactionHold, options.compactionReserve)),
    );
    return log.firstIndex;
  }

  /** What is to be done now, or undefined if nothing is. Take it after every input, or after a batch of inputs. */
  takeReady(): Ready | undefined {
    const member = this.#member;
    this.#lead();
    takeReads(member);
    const persist = this.#takeBatch();
    const restore = this.#takeRestore();
    const apply = this.#takeApply();
    const { messages, readResults: reads, isRoleChanged, transferFailure, isFaultNew } = member;
    const isIdle =
      messages.length + apply.length + reads.length === 0 && persist === undefined && restore === undefined;
    if (isIdle && !isRoleChanged && !isFaultNew && transferFailure === undefined) return undefined;
    member.messages = [];
    member.readResults = [];
    member.isRoleChanged = false;
    member.isFaultNew = false;
    member.transferFailure = undefined;
    return {
      messages,
      apply,
      reads,
      ...(persist === undefined ? {} : { persist }),
      ...(restore === undefined ? {} : { restore }),
      ...(isRoleChanged ? { roleChange: roleOf(member) } : {}),
      ...(transferFailure === undefined ? {} : { transferFailure }),
      ...(isFaultNew && member.fault !== undefined ? { fault: member.fault } : {}),
    };
  }

  #lead(): void {
    const member = this.#member;
    const { leadership } = member;
    if (leadership === undefined) return;
    beginReadRound(member, leadership);
    replicate(member, leadership);
    // The others were just told that the configuration without this leader is committed.
    if (leadership.isResigning) becomeFollower(member, member.term);
  }

  #takeBatch(): PersistBatch | undefined {
    const member = this.#member;
    const { persistence, log, term, vote, messagesAfterPersist } = member;
    const nothingToWrite =
      persistence.isSettled && persistence.durableTerm === term && persistence.durableVote === vote;
    if (nothingToWrite && persistence.durableIndex === log.lastIndex && !persistence.hasSnapshot) {
      member.messages.push(...messagesAfterPersist);
      member.messagesAfterPersist = [];
      return undefined;
    }
    const batch = persistence.take(log, term, vote, messagesAfterPersist);
    if (batch !== undefined) member.messagesAfterPersist = [];
    return batch;
  }

  #takeRestore(): SnapshotDescription | undefined {
    const member = this.#member;
    const { snapshot } = member.log;
    if (!member.pendingRestore || snapshot === undefined) return undefined;
    if (member.persistence.durableIndex < snapshot.index) return undefined;
    member.pendingRestore = false;
    member.applying = snapshot.index;
    return snapshot;
  }

  /** Only what is on this member's own disk is applied: what it has shown to anyone must still be there tomorrow. */
  #takeApply(): readonly Entry[] {
    const member = this.#member;
    const { log, persistence, options } = member;
    const last = Math.min(log.committed, persistence.durableIndex);
    if (member.pendingRestore || member.applying >= last) return [];
    const entries = log.slice(member.applying + 1, last, options.applyBytesMax, Number.POSITIVE_INFINITY);
    member.applying += entries.length;
    return entries;
  }
}

function roleOf(member: Member): NonNullable<Ready['roleChange']> {
  const { leader, term } = member;
  return { role: member.role.kind, term, ...(leader === undefined ? {} : { leader }) };
}
