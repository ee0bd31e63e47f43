/**
 * The one place that drives a core. Inputs come in (messages, ticks, proposals, the end of writes), what the core
 * wants done goes out, in the order that its promises need: written before sent, sent before counted, committed before
 * applied, applied before answered. It waits for nothing: several writes may be under way while entries are applied.
 *
 * A disk or a state machine that fails stops it for good: going on would promise what can't be kept.
 */

import { RaftCore } from '../core/raft.ts';
import type { PersistBatch, Ready, TransferFailure } from '../core/ready.ts';
import type { Configuration, Entry, LogIndex, MemberId, StoredState, Term } from '../core/types.ts';
import type { PeerMessage } from '../transport/peer-message.ts';
import { AcceptedProposals } from './accepted-proposals.ts';
import { AppliedCursor } from './applied-cursor.ts';
import { Applier } from './applier.ts';
import { BatchWriter } from './batch-writer.ts';
import type { ProposalIdentity } from './command-envelope.ts';
import { RaftNodeError } from './errors.ts';
import { Incoming } from './incoming.ts';
import { Listeners } from './listeners.ts';
import { MemberAddresses } from './member-addresses.ts';
import type { NodeLeadership } from './node-status.ts';
import type { RaftNodeSettings } from './options.ts';
import { Outbox } from './outbox.ts';
import { OwnPart } from './own-part.ts';
import type { Admission } from './proposal-sessions.ts';
import { ProposalSessions } from './proposal-sessions.ts';
import { type Attempt, Proposals } from './proposals.ts';
import { ReadBarriers } from './read-barriers.ts';
import { sessionPrefix } from './session-names.ts';
import { SnapshotSchedule } from './snapshot-schedule.ts';
import { Snapshots } from './snapshots.ts';
import { type TermOutcome, TermWaiters } from './term-waiters.ts';
import { Ticker } from './ticker.ts';
import { Turns } from './turns.ts';

/** Held up for less than this, a driver counts the ticks one by one; more than that was a pause. */
const TICKS_AT_ONCE_MAX = 5;

/** Ticks between two looks at what has waited too long. */
const SLOW_TICKS = 10;

/** A core at work. Made for one life of a node. */
export class Driver {
  readonly core: RaftCore;
  readonly applied = new AppliedCursor();
  readonly waiters = new TermWaiters();
  readonly sessions = new ProposalSessions();
  readonly proposals: Proposals;
  readonly reads: ReadBarriers;
  readonly snapshots: Snapshots;
  readonly onLeadership: Listeners<NodeLeadership>;
  readonly onConfiguration: Listeners<Configuration>;
  readonly onTransferFailure: Listeners<TransferFailure>;
  readonly onTick: Listeners<void>;
  readonly onStop: Listeners<void>;
  readonly #settings: RaftNodeSettings;
  readonly #accepted: AcceptedProposals;
  readonly #incoming: Incoming;
  readonly #applier: Applier;
  readonly #writer: BatchWriter;
  readonly #outbox: Outbox;
  readonly #onFailure: (error: RaftNodeError) => void;
  readonly #addresses: MemberAddresses;
  readonly #schedule: SnapshotSchedule;
  readonly #ticker: Ticker;
  readonly #turns = new Turns(() => this.#pump());
  readonly #part: OwnPart;
  #configuration: Configuration;
  #handedOut: LogIndex;
  #isStopped = false;
  #ticks = 0;

  /** @param onFailure - told once, when the node can't go on. */
  constructor(settings: RaftNodeSettings, stored: StoredState, onFailure: (error: RaftNodeError) => void) {
    const { id, random, raft = {}, clock, tickMs, machine, storage, transport, logger, metrics } = settings;
    this.#settings = settings;
    this.#onFailure = onFailure;
    const onError = (error: unknown) => logger.error({ err: error }, 'a listener of the node failed');
    this.onLeadership = new Listeners(onError);
    this.onConfiguration = new Listeners(onError);
    this.onTransferFailure = new Listeners(onError);
    this.onTick = new Listeners(onError);
    this.onStop = new Listeners(onError);
    this.core = new RaftCore({ id, random, stored, options: raft });
    this.#configuration = this.core.status.configuration;
    this.#handedOut = this.core.status.applied;
    this.#accepted = new AcceptedProposals(this.core);
    this.reads = new ReadBarriers(settings.pendingReadsMax);
    this.proposals = new Proposals({
      session: `${sessionPrefix(id)}:${Math.floor(random.next() * 2 ** 48).toString(36)}`,
      firstAttempt: Math.floor(random.next() * 2 ** 40),
      max: settings.pendingProposalsMax,
      submit: (attempt, command, identity) => this.#submit(attempt, command, identity),
      now: () => clock.monotonic(),
      applied: () => this.applied.index,
      metrics: settings.metrics,
    });
    this.#part = new OwnPart({
      listeners: this.onLeadership,
      logger,
      metrics,
      onTermLost: () => {
        this.waiters.lost(this.#handedOut);
        this.#accepted.termEnded();
      },
      onNewLeader: () => this.proposals.leaderChanged(),
    });
    this.#incoming = new Incoming({
      settings,
      core: this.core,
      accepted: this.#accepted,
      proposals: this.proposals,
      configuration: () => this.#configuration,
      isDiskFull: () => this.isDiskFull,
    });
    const { sessions } = this;
    this.snapshots = new Snapshots(
      {
        core: this.core,
        storage,
        transport,
        machine,
        sessions,
        logger,
        metrics,
        isStopped: () => this.#isStopped,
        onStorageFailure: (error) => this.fail('the disk failed', error),
        onInput: () => this.input(),
      },
      stored.snapshot,
    );
    this.#outbox = new Outbox({
      clock,
      send: (message) => transport.send(message),
      ship: (message) => void this.snapshots.ship(message),
    });
    this.#addresses = new MemberAddresses(settings);
    this.#schedule = new SnapshotSchedule({
      settings,
      take: () => this.snapshots.take(false),
      newestBytes: () => this.snapshots.newestBytes,
      onFailure: (error) => {
        if (!this.#isStopped) logger.error({ err: error }, 'a snapshot could not be taken');
      },
    });
    this.#ticker = new Ticker({ clock, tickMs, onTick: (elapsed, now) => this.#tick(elapsed, now) });
    this.#writer = new BatchWriter({
      storage,
      clock,
      onDurable: (batch, tookMs) => this.#durable(batch, tookMs),
      onFailure: (error) => this.fail('the disk failed', error),
    });
    this.#applier = new Applier({
      machine,
      sessions,
      clock,
      restore: (snapshot) => this.snapshots.restore(snapshot),
      onEntry: (entry, identity, admission) => this.#appliedEntry(entry, identity, admission),
      onApplied: (index) => this.#appliedUpTo(index),
      onFailure: (error) => this.fail('the state machine failed', error),
    });
  }

  get leadership(): NodeLeadership {
    return this.#part.current;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The disk has no room just now: nothing that is proposed could be kept. */
  get isDiskFull(): boolean {
    return this.#writer.isFull;
  }

  /** The term that this member leads just now, whether or not it has begun to serve. */
  get ledTerm(): Term | undefined {
    return this.core.ledTerm;
  }

  /** Begins to count time. What the core held when it was made counts as applied. */
  start(): void {
    this.applied.advance(this.core.status.applied);
    this.#addresses.tell(this.#configuration);
    this.#ticker.start();
    const { voters, outgoing } = this.#configuration;
    // Nobody else could be elected, so there is nothing to wait for.
    if (outgoing.length === 0 && voters.length === 1 && voters[0] === this.core.id) this.core.campaign();
    this.input();
  }

  /** The core was given something: see, before the next turn of the event loop, what it wants done. */
  input(): void {
    if (!this.#isStopped) this.#turns.ask();
  }

  /** A message has arrived from the member that it names. */
  receive(message: PeerMessage): void {
    if (this.#isStopped) return;
    this.#guarded(() => this.#incoming.take(message));
    this.input();
  }

  /** How the entry ends that this member was allowed to append in a term. */
  waitInTerm(index: LogIndex, term: Term): Promise<TermOutcome> {
    const { clock, proposalTimeoutMs } = this.#settings;
    return this.waiters.wait(index, term, clock.monotonic() + proposalTimeoutMs);
  }

  unreachable(member: MemberId): void {
    if (this.#isStopped) return;
    this.core.peerUnreachable(member);
    this.input();
  }

  /** Stops for good, and says why. */
  fail(message: string, cause: unknown): void {
    if (this.#isStopped) return;
    const detail = cause instanceof Error ? `: ${cause.message}` : '';
    const error = new RaftNodeError('failed', `${message}${detail}`, cause);
    this.#settings.logger.error({ err: cause }, `${message}; the node stops`);
    this.#settings.metrics.count('raft_failures_total', 1);
    this.stop(error);
    this.#onFailure(error);
  }

  /** Ends everything that waits. Writes under way go on. */
  stop(reason: RaftNodeError): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#ticker.stop();
    this.#applier.stop();
    this.#writer.stop();
    this.#outbox.close();
    this.#part.ended();
    this.waiters.closed();
    this.proposals.close(reason.message);
    this.reads.fail(reason);
    this.applied.fail(reason);
    this.onStop.tell();
  }

  /** Resolves when no write is under way any more. */
  async settled(): Promise<void> {
    await this.#writer.settled();
  }

  #pump(): void {
    if (this.#isStopped) return;
    // A lease may have run out while the process stood still, and what has arrived may be looked at before the timer.
    if (this.reads.isAsked) this.#ticker.catchUp();
    if (this.#isStopped) return;
    this.#guarded(() => {
      this.reads.flush((token, lease) => this.core.readIndex(token, { lease }));
      for (let ready = this.core.takeReady(); ready !== undefined; ready = this.core.takeReady()) {
        this.#handle(ready);
        if (this.#isStopped) break;
      }
    });
  }

  #handle(ready: Ready): void {
    const { messages, persist, restore, apply, reads, roleChange, transferFailure, fault } = ready;
    if (fault !== undefined) {
      this.fail('the disk has forgotten what it had acknowledged', new Error(fault));
      return;
    }
    const handedOut = apply.at(-1)?.index ?? restore?.index;
    if (handedOut !== undefined) this.#handedOut = handedOut;
    if (roleChange !== undefined) this.#part.changed(roleChange);
    for (const message of messages) this.#outbox.put(message);
    if (persist !== undefined) this.#persist(persist);
    if (restore !== undefined) this.waiters.skipped(restore.index);
    if (restore !== undefined || apply.length > 0) this.#applier.add(restore, apply);
    for (const result of reads) this.reads.ended(result, this.applied.index);
    if (transferFailure !== undefined) this.onTransferFailure.tell(transferFailure);
  }

  #persist(batch: PersistBatch): void {
    const { snapshot, entries } = batch;
    if (snapshot !== undefined || entries.some(({ kind }) => kind === 'configuration')) this.#reconfigured();
    this.#writer.write(batch);
  }

  #durable(batch: PersistBatch, tookMs: number | undefined): void {
    if (tookMs !== undefined) this.#settings.metrics.observe('raft_wal_fsync_duration_ms', tookMs);
    for (const message of batch.messages) this.#outbox.put(message);
    this.#guarded(() => this.core.persisted(batch.sequence));
    this.input();
  }

  #submit(attempt: number, command: Uint8Array, identity: ProposalIdentity): Attempt {
    const { transport, id } = this.#settings;
    if (this.ledTerm !== undefined) {
      if (this.#writer.isFull) return 'busy';
      const refusal = this.#accepted.accept(command, identity);
      this.input();
      return refusal ?? 'appended';
    }
    const { leader } = this.#part.current;
    if (leader === undefined || leader === id) return 'no-leader';
    transport.send({ type: 'proposal', from: id, to: leader, attempt, command });
    return 'sent';
  }

  #appliedEntry(entry: Entry, identity?: ProposalIdentity, admission?: Admission): void {
    const { index, term } = entry;
    this.waiters.applied(index, term);
    this.#schedule.applied(entry);
    if (identity !== undefined && admission !== undefined) {
      this.#accepted.applied(identity);
      this.proposals.applied(identity, admission, index);
    } else if (entry.kind === 'configuration') this.#reconfigured();
    else if (entry.kind === 'empty' && this.ledTerm === term) {
      this.applied.advance(index);
      this.#part.serves(term);
    }
  }

  #appliedUpTo(index: LogIndex): void {
    if (this.#isStopped) return;
    this.applied.advance(index);
    this.core.applied(index);
    this.#settings.metrics.gauge('raft_applied_index', index);
    this.#schedule.consider();
    this.input();
  }

  #reconfigured(): void {
    const { configuration } = this.core.status;
    if (configuration === this.#configuration) return;
    this.#configuration = configuration;
    this.#addresses.tell(configuration);
    this.onConfiguration.tell(configuration);
  }

  #tick(elapsed: number, now: number): void {
    this.#guarded(() => {
      if (elapsed > TICKS_AT_ONCE_MAX) this.core.tick(elapsed);
      else for (let at = 0; at < elapsed; at++) this.core.tick();
    });
    if (this.#isStopped) return;
    this.reads.askAgain();
    this.#ticks++;
    // What is measured in seconds need not be looked at every few milliseconds.
    if (this.#ticks % SLOW_TICKS === 0) {
      this.reads.expire(now);
      this.proposals.tick();
      this.waiters.expire(now);
      this.#settings.metrics.gauge('raft_proposals_pending', this.proposals.size + this.waiters.size);
      this.#addresses.forgetDeparted(now);
    }
    this.onTick.tell();
    this.input();
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail('a rule that the log rests on was broken', error);
    }
  }
}
