/**
 * A member of a cluster as its embedding program has it: started and closed, proposed to, read from, watched, and
 * asked to change who takes part. The work itself is the driver's.
 */

import type { ProposalRefusal } from '../core/leader.ts';
import type { MemberChange, Transition } from '../core/membership.ts';
import { configurationOf } from '../core/membership.ts';
import { resolveOptions } from '../core/options.ts';
import type { RaftStatus } from '../core/status.ts';
import type { Entry, LogIndex, MemberId, StoredState, Term } from '../core/types.ts';
import { brokenIndex, brokenParts, brokenProposal, brokenRead } from './arguments.ts';
import { ENVELOPE_BYTES_MAX, wrapBare } from './command-envelope.ts';
import { Driver } from './driver.ts';
import { asNodeError, codeOf, RaftNodeError } from './errors.ts';
import { Listeners } from './listeners.ts';
import type { ChangeOutcome, TransferOutcome } from './membership-changes.ts';
import { addMember, changeMembers, transferLeadership } from './membership-changes.ts';
import type { NodeStatus } from './node-status.ts';
import type { RaftNodeOptions, RaftNodeSettings } from './options.ts';
import { withNodeDefaults } from './options.ts';
import type { ProposalId, ProposalOutcome } from './proposals.ts';
import { found, type NodeRecovery } from './recovery.ts';
import { sessionPrefix } from './session-names.ts';
import type { TermOutcome } from './term-waiters.ts';

/** What {@link RaftNode.proposeInTerm} gives at once: why it refused, or the promise of how it ends. */
export type TermProposal = Promise<TermOutcome> | ProposalRefusal | 'disk-full' | 'closed';

const UNBORN = {
  role: 'follower',
  term: 0,
  isServing: false,
  committed: 0,
  applied: 0,
  firstIndex: 0,
  lastIndex: 0,
  snapshotIndex: 0,
  configuration: configurationOf([]),
  pendingProposals: 0,
  pendingReads: 0,
} as const;

/** A member of a cluster. */
export class RaftNode {
  readonly #settings: RaftNodeSettings;
  readonly #commandBytesMax: number;
  readonly #statusListeners: Listeners<NodeStatus>;
  #state: NodeStatus['state'] = 'new';
  #failure: RaftNodeError | undefined;
  #driver: Driver | undefined;
  #starting: Promise<NodeRecovery> | undefined;
  #closing: Promise<void> | undefined;

  /** @throws RaftNodeError `invalid-argument` or RaftError `invalid-option`, naming the option. */
  constructor(options: RaftNodeOptions) {
    this.#settings = withNodeDefaults(options);
    this.#commandBytesMax = resolveOptions(options.raft).proposalBytesMax - ENVELOPE_BYTES_MAX;
    this.#statusListeners = new Listeners((error) =>
      this.#settings.logger.error({ err: error }, 'a listener of the status failed'),
    );
  }

  get id(): MemberId {
    return this.#settings.id;
  }

  /** Where it is in its life. */
  get state(): NodeStatus['state'] {
    return this.#state;
  }

  /** Why it has failed, if it has. */
  get failure(): RaftNodeError | undefined {
    return this.#failure;
  }

  /** The disk has no room: proposals are refused until it has. */
  get isDiskFull(): boolean {
    return this.#driver?.isDiskFull ?? false;
  }

  /** The largest command that can be proposed, in bytes. */
  get commandBytesMax(): number {
    return this.#commandBytesMax;
  }

  /** How this member stands. */
  get status(): NodeStatus {
    const { id } = this.#settings;
    const driver = this.#driver;
    const state = this.#state;
    const failure = this.#failure === undefined ? {} : { failure: this.#failure };
    if (driver === undefined) return { ...UNBORN, id, state, ...failure };
    const { committed, firstIndex, lastIndex, snapshotIndex, configuration } = driver.core.status;
    return {
      ...driver.leadership,
      id,
      state,
      ...failure,
      committed,
      applied: driver.applied.index,
      firstIndex,
      lastIndex,
      snapshotIndex,
      configuration,
      pendingProposals: driver.proposals.size + driver.waiters.size,
      pendingReads: driver.reads.waiting,
    };
  }

  /** The core's own view, with what a leader knows of the others. @throws RaftNodeError `closed` before the start. */
  get coreStatus(): RaftStatus {
    return this.#running(true).core.status;
  }

  /** Entries up to here can't be read any more: they are in a snapshot only. */
  get compactedTo(): LogIndex {
    const { core, snapshots } = this.#running(true);
    return Math.max(core.status.firstIndex - 1, snapshots.discarded);
  }

  /** The entry at `index`, if it is kept. */
  entryAt(index: LogIndex): Entry | undefined {
    return this.#driver?.core.entryAt(index);
  }

  /**
   * Recovers what is stored, restores the state machine and begins to take part. Called once.
   *
   * @throws what the storage throws, RaftError `invalid-stored-state`, RaftNodeError `corrupt-snapshot` or `closed`.
   */
  start(): Promise<NodeRecovery> {
    if (this.#state !== 'new') {
      return Promise.reject(
        new RaftNodeError('closed', 'a node is started once; make another to start again'),
      );
    }
    this.#state = 'starting';
    this.#starting = this.#start().catch(async (error: unknown) => {
      if (this.#closing === undefined) {
        this.#state = 'failed';
        this.#failure = asNodeError(error, 'the node could not start');
        this.#settings.metrics.count('raft_start_failures_total', 1, { reason: codeOf(error) });
        await this.#release();
      }
      throw error;
    });
    return this.#starting;
  }

  /**
   * Proposes a command, from whichever member. Answered exactly once, when it is applied here, or with why not.
   *
   * @param options.id - from {@link newProposalId}: proposing again under it applies the command no second time.
   * @throws RaftNodeError `invalid-argument`, naming the argument and its rule.
   */
  propose(
    command: Uint8Array,
    options: { readonly id?: ProposalId; readonly timeoutMs?: number } = {},
  ): Promise<ProposalOutcome> {
    const broken = brokenProposal(command, options);
    if (broken !== undefined) return Promise.reject(broken);
    const driver = this.#driver;
    if (driver === undefined || driver.isStopped) {
      return Promise.resolve({ kind: 'rejected', reason: 'closed', message: this.#endedBy().message });
    }
    if (command.length > this.#commandBytesMax) {
      const message = `a command of ${command.length} bytes is over the limit of ${this.#commandBytesMax}`;
      return Promise.resolve(driver.proposals.rejected('too-large', message));
    }
    return driver.proposals.propose(
      command,
      options.timeoutMs ?? this.#settings.proposalTimeoutMs,
      options.id,
    );
  }

  /** An id for a proposal that may have to be repeated, by this member or another. Use it within 100,000 entries. */
  newProposalId(): ProposalId {
    const { random, id } = this.#settings;
    const word = () => Math.floor(random.next() * 2 ** 48).toString(36);
    const base = this.#running().applied.index;
    return { session: `${sessionPrefix(id)}:${word()}${word()}`, number: 1, base };
  }

  /**
   * Appends a command only if this member leads `term`, once, without forwarding. The parts follow each other as one
   * payload. Those that are accepted in one term are committed in the order of the calls.
   *
   * @throws RaftNodeError `invalid-argument` if a part is not made of bytes.
   */
  proposeInTerm(term: Term, ...parts: readonly Uint8Array[]): TermProposal {
    const broken = brokenParts(parts);
    if (broken !== undefined) throw broken;
    const driver = this.#driver;
    if (driver === undefined || driver.isStopped) return 'closed';
    if (driver.ledTerm !== term) return 'not-leader';
    if (driver.isDiskFull) return 'disk-full';
    const result = driver.core.propose([wrapBare(...parts)]);
    if (!result.ok) return driver.proposals.refusedInTerm(result.reason);
    const outcome = driver.waitInTerm(result.last, result.term);
    driver.input();
    return outcome;
  }

  /**
   * Waits until the state machine here holds all that was acknowledged anywhere before the call. All that ask at once
   * share one round of messages.
   *
   * @param options.mode - `lease` lets the leader answer without asking the others, if it was given a lease.
   * @returns the index that is applied.
   * @throws RaftNodeError `unavailable`, `busy`, `closed`, `failed` or `invalid-argument`, or the signal's reason.
   */
  async readBarrier(
    options: {
      readonly mode?: 'linearizable' | 'lease';
      readonly timeoutMs?: number;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<LogIndex> {
    const { mode = 'linearizable', timeoutMs = this.#settings.readTimeoutMs, signal } = options;
    const broken = brokenRead(mode, timeoutMs);
    if (broken !== undefined) throw broken;
    const driver = this.#running();
    const deadline = this.#settings.clock.monotonic() + timeoutMs;
    const reached = driver.reads.ask({ lease: mode === 'lease', deadline, signal });
    driver.input();
    return reached;
  }

  /** Waits until the entry at `index` is applied here. @throws as {@link readBarrier}, but for `unavailable`, `busy`. */
  async waitApplied(index: LogIndex, signal?: AbortSignal): Promise<void> {
    const broken = brokenIndex(index);
    if (broken !== undefined) throw broken;
    if (this.#driver === undefined) throw this.#endedBy();
    await this.#driver.applied.wait(index, signal);
  }

  /** Changes who takes part. Ask the leader; another member refuses, naming it. */
  changeMembers(
    changes: readonly MemberChange[],
    transition: Transition = 'automatic',
  ): Promise<ChangeOutcome> {
    return changeMembers(this.#driver, changes, transition);
  }

  /**
   * Adds a member. As a voter it is a learner first, until it has caught up, so that it never holds up the others.
   *
   * @param options.timeoutMs - for catching up; after that it stays a learner. Default 60,000.
   */
  addMember(
    member: MemberId,
    options: {
      readonly address?: string;
      readonly as?: 'voter' | 'learner';
      readonly timeoutMs?: number;
    } = {},
  ): Promise<ChangeOutcome> {
    return addMember(this.#driver, this.#settings, member, options);
  }

  /** Makes a learner a voter. */
  promoteMember(member: MemberId): Promise<ChangeOutcome> {
    return this.changeMembers([{ kind: 'add-voter', member }]);
  }

  /** Makes a voter a learner. */
  demoteMember(member: MemberId): Promise<ChangeOutcome> {
    return this.changeMembers([{ kind: 'add-learner', member }]);
  }

  /** Removes a member for good: its id is never taken again. */
  removeMember(member: MemberId): Promise<ChangeOutcome> {
    return this.changeMembers([{ kind: 'remove', member }]);
  }

  /** Hands leadership to `target`, or to the voter that has most of the log. */
  transferLeadership(target?: MemberId): Promise<TransferOutcome> {
    return transferLeadership(this.#driver, target);
  }

  /**
   * Takes a snapshot now and forgets entries that it covers.
   *
   * @param options.discard - keep none of them on the disk, not even for followers that lag. Default false.
   * @returns where the newest snapshot ends.
   */
  async snapshot(
    options: { readonly discard?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<LogIndex> {
    return this.#running().snapshots.take(options.discard ?? false, options.signal);
  }

  /** Calls back on each change of leadership, membership or life. Returns the way to stop. */
  onStatus(listener: (status: NodeStatus) => void): () => void {
    return this.#statusListeners.add(listener);
  }

  /** Stops taking part. What waits ends with `closed`. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #start(): Promise<NodeRecovery> {
    const { storage, transport } = this.#settings;
    const recovered = await storage.open();
    const stored = await this.#founded(recovered.stored);
    const driver = new Driver(this.#settings, stored, (error) => this.#failed(error));
    if (stored.snapshot !== undefined) await driver.snapshots.restore(stored.snapshot);
    this.#assertNotClosed();
    driver.onLeadership.add(() => this.#tell());
    driver.onConfiguration.add(() => this.#tell());
    await transport.start({
      message: (message) => driver.receive(message),
      snapshot: (message, arrival) => driver.snapshots.receive(message, arrival),
      unreachable: (member) => driver.unreachable(member),
    });
    this.#assertNotClosed();
    this.#driver = driver;
    this.#state = 'running';
    driver.start();
    this.#tell();
    return { tornBytes: recovered.tornBytes, ...found(stored) };
  }

  /** Writes the first members of a new cluster down, so that no restart depends on being told them again. */
  async #founded(stored: StoredState): Promise<StoredState> {
    const { bootstrap, storage } = this.#settings;
    const isEmpty =
      stored.snapshot === undefined && stored.entries.length === 0 && stored.hardState.term === 0;
    if (bootstrap === undefined || !isEmpty) return stored;
    const snapshot = { index: 0, term: 0, configuration: bootstrap };
    await storage.writeSnapshot(snapshot).complete();
    const { hardState } = stored;
    await storage.persist({ sequence: 0, hardState, snapshot, entries: [], messages: [] });
    return { ...stored, snapshot };
  }

  #failed(error: RaftNodeError): void {
    this.#failure = error;
    this.#state = 'failed';
    this.#tell();
    void this.#release();
  }

  async #close(): Promise<void> {
    const driver = this.#driver;
    const hadFailed = this.#state === 'failed';
    if (!hadFailed) this.#state = 'closed';
    driver?.stop(new RaftNodeError('closed', 'the node is closed'));
    await this.#starting?.catch(() => {});
    await driver?.settled();
    if (!hadFailed) {
      await this.#release();
      this.#tell();
    }
    this.#state = 'closed';
  }

  async #release(): Promise<void> {
    const { transport, storage, logger } = this.#settings;
    for (const each of [transport, storage]) {
      try {
        await each.close();
      } catch (error) {
        logger.warn({ err: error }, 'the node could not be closed in order; nothing acknowledged is lost');
      }
    }
  }

  #tell(): void {
    this.#statusListeners.tell(this.status);
  }

  #assertNotClosed(): void {
    if (this.#closing !== undefined)
      throw new RaftNodeError('closed', 'the node was closed while it started');
  }

  #running(alsoStopped = false): Driver {
    const driver = this.#driver;
    if (driver === undefined || (driver.isStopped && !alsoStopped)) throw this.#endedBy();
    return driver;
  }

  #endedBy(): RaftNodeError {
    if (this.#failure !== undefined && this.#closing === undefined) return this.#failure;
    return new RaftNodeError(
      'closed',
      this.#state === 'closed' ? 'the node is closed' : 'the node is not started',
    );
  }
}
