/**
 * A Raft cluster behind the event log's port: an epoch is a term, a position is an index. It numbers nothing itself
 * and decides nothing that the core has not: what it adds is the chain of a leader's appends, refused as a whole
 * behind the first that was refused.
 */

import type {
  Append,
  AppendOutcome,
  Entry,
  EventLog,
  Leadership,
  LeaderTerm,
  LogCapabilities,
  LogStateMachine,
  LogStatus,
  Position,
  ReadOptions,
  RecoveryReport,
  RejectionReason,
} from '@skep/core/log';
import type { NodeStatus } from '../node/node-status.ts';
import type { RaftNodeOptions } from '../node/options.ts';
import { silentRaftLogger } from '../node/ports.ts';
import { RaftNode } from '../node/raft-node.ts';
import type { TermOutcome } from '../node/term-waiters.ts';
import { APPEND_HEADER_BYTES, appendHeader, fromRaftEntry, toLogEntry } from './append-layout.ts';
import { LeadershipTasks } from './leadership-tasks.ts';
import { asLogError, RaftLogError } from './log-error.ts';

/** What a {@link RaftEventLog} is made of. */
export interface RaftEventLogOptions extends Omit<RaftNodeOptions, 'machine'> {
  /** What the storage given promises, to be told as capabilities. Default: neither. */
  readonly storageKeeps?: { readonly durable: boolean; readonly encryptedAtRest: boolean };
  /** Appends that may wait to be committed at once; more are refused as `busy`. Default 100,000. */
  readonly inFlightMax?: number;
}

const DISK_FULL = 'the disk has no room';

const READ_AT_ONCE = 256;

/** An `EventLog` that is kept by several members, or by one. */
export class RaftEventLog implements EventLog {
  readonly capabilities: LogCapabilities;
  readonly #node: RaftNode;
  readonly #tasks: LeadershipTasks;
  readonly #inFlightMax: number;
  #machine: LogStateMachine | undefined;
  #inFlight = 0;
  /** The last number of the present epoch that was accepted. */
  #sequence = 0;
  #isClosed = false;

  /** @throws RaftNodeError `invalid-argument` or RaftError `invalid-option`, naming the option. */
  constructor(options: RaftEventLogOptions) {
    const { storageKeeps, inFlightMax = 100_000, ...rest } = options;
    const logger = options.logger ?? silentRaftLogger;
    this.#inFlightMax = inFlightMax;
    this.#tasks = new LeadershipTasks((error, epoch) =>
      logger.error({ err: error, epoch }, 'a listener or a task of leadership failed'),
    );
    this.#node = new RaftNode({
      ...rest,
      machine: {
        apply: (command) => this.#opened.apply(toLogEntry(command)),
        capture: () => this.#opened.capture(),
        restore: (index, chunks) => this.#opened.restore(index, chunks),
      },
    });
    this.#node.onStatus((status) => this.#follow(status));
    this.capabilities = {
      durable: storageKeeps?.durable ?? false,
      encryptedAtRest: storageKeeps?.encryptedAtRest ?? false,
      replicated: true,
      membership: true,
      transfer: true,
      leaseReads: (options.raft?.leaseTicks ?? 0) > 0,
      maxPayloadBytes: this.#node.commandBytesMax - APPEND_HEADER_BYTES,
    };
  }

  /** The member under this log: its members, its status, the hand-over of leadership. Propose through the log only. */
  get node(): Omit<RaftNode, 'start' | 'close' | 'propose' | 'proposeInTerm' | 'newProposalId'> {
    return this.#node;
  }

  async open(machine: LogStateMachine): Promise<RecoveryReport> {
    if (this.#machine !== undefined || this.#isClosed) {
      throw new RaftLogError('closed', 'a log is opened once; make another to open it again');
    }
    this.#machine = machine;
    try {
      const { tornBytes, commandsFound, snapshotIndex } = await this.#node.start();
      return { tornBytes, entriesReplayed: commandsFound, snapshotPosition: snapshotIndex };
    } catch (error) {
      throw asLogError(error, 'the log could not be opened');
    }
  }

  append(append: Append): Promise<AppendOutcome> {
    const refusal = this.#refusal(append);
    if (refusal !== undefined) return Promise.resolve(refusal);
    const begun = this.#node.proposeInTerm(append.epoch, appendHeader(append), append.payload);
    if (typeof begun === 'string') return Promise.resolve(refusalOf(begun));
    this.#sequence = append.sequence;
    this.#inFlight++;
    return begun.then((outcome) => {
      this.#inFlight--;
      return outcomeOf(outcome, append.epoch);
    });
  }

  async barrier(
    options: { readonly mode?: 'linearizable' | 'lease'; readonly signal?: AbortSignal } = {},
  ): Promise<Position> {
    const { mode = 'linearizable', signal } = options;
    try {
      return await this.#node.readBarrier({ mode, signal });
    } catch (error) {
      throw asLogError(error, 'the barrier failed', signal);
    }
  }

  async waitApplied(position: Position, signal?: AbortSignal): Promise<void> {
    try {
      await this.#node.waitApplied(position, signal);
    } catch (error) {
      throw asLogError(error, 'the wait failed', signal);
    }
  }

  async *read(options: ReadOptions): AsyncGenerator<Entry, void, undefined> {
    const { live, signal } = options;
    let after = options.after;
    const end = live ? Number.POSITIVE_INFINITY : this.#node.status.applied;
    while (after < end) {
      signal?.throwIfAborted();
      this.#assertReadable(after);
      const upTo = Math.min(end, this.#node.status.applied, after + READ_AT_ONCE);
      if (upTo <= after) await this.waitApplied(after + 1, signal);
      while (after < upTo) {
        const kept = this.#node.entryAt(after + 1);
        // It was compacted away while the reader was busy; the check above says so.
        if (kept === undefined) break;
        after += 1;
        const entry = fromRaftEntry(kept);
        if (entry === undefined) continue;
        yield entry;
        signal?.throwIfAborted();
      }
    }
  }

  leadership(): Leadership {
    return this.#tasks.current;
  }

  onLeadership(listener: (leadership: Leadership) => void): () => void {
    return this.#tasks.onLeadership(listener);
  }

  whileLeader(term: (term: LeaderTerm) => Promise<void>): () => void {
    return this.#tasks.whileLeader(term);
  }

  async checkpoint(
    options: { readonly discard?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Position> {
    const { discard = true, signal } = options;
    try {
      return await this.#node.snapshot({ discard, signal });
    } catch (error) {
      throw asLogError(error, 'the checkpoint failed', signal);
    }
  }

  status(): LogStatus {
    const { state, failure, lastIndex, applied, snapshotIndex } = this.#node.status;
    const compactedTo = state === 'new' || state === 'starting' ? 0 : this.#compactedTo;
    let bytes = 0;
    for (let index = compactedTo + 1; index <= lastIndex; index++) {
      const entry = this.#node.entryAt(index);
      if (entry?.kind === 'command') bytes += entry.payload.length;
    }
    return {
      leadership: this.#tasks.current,
      first: compactedTo < lastIndex ? compactedTo + 1 : 0,
      last: lastIndex,
      applied,
      snapshot: snapshotIndex,
      bytes,
      ...(state === 'running' && this.#node.isDiskFull
        ? { failure: { reason: 'disk-full', message: DISK_FULL } }
        : {}),
      ...(state === 'failed' && failure !== undefined
        ? { failure: { reason: 'closed', message: failure.message } }
        : {}),
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#node.close();
  }

  get #opened(): LogStateMachine {
    if (this.#machine === undefined) throw new RaftLogError('closed', 'the log is not open');
    return this.#machine;
  }

  get #compactedTo(): Position {
    return this.#node.compactedTo;
  }

  #assertReadable(after: Position): void {
    const { state, failure } = this.#node.status;
    if (state === 'new' || state === 'starting') throw new RaftLogError('closed', 'the log is not open');
    if (state === 'closed') throw new RaftLogError('closed', 'the log is closed');
    if (failure !== undefined) throw asLogError(failure, 'the log has failed');
    const oldest = this.#compactedTo;
    if (after >= oldest) return;
    const message = `entries up to position ${oldest} are forgotten, ${after + 1} was asked for`;
    throw new RaftLogError('compacted', message, { oldest });
  }

  #follow({ id, state, role, term, leader, isServing }: NodeStatus): void {
    if (state !== 'running') this.#tasks.change({ role: 'none', epoch: term });
    else if (role === 'leader' && isServing) {
      if (this.#tasks.epoch !== term) this.#sequence = 0;
      this.#tasks.change({ role: 'leader', epoch: term });
    } else if (leader !== undefined && leader !== id) {
      this.#tasks.change({ role: 'follower', epoch: term, leader });
    } else this.#tasks.change({ role: 'none', epoch: term });
  }

  #refusal({ epoch, sequence, payload }: Append): AppendOutcome | undefined {
    const { state, failure } = this.#node;
    if (state !== 'running') {
      const message = failure?.message ?? (state === 'closed' ? 'the log is closed' : 'the log is not open');
      return rejected('closed', message);
    }
    const leads = this.#tasks.epoch;
    if (leads === undefined) return rejected('not-leader', 'this member does not lead');
    if (epoch !== leads) return rejected('fenced', `epoch ${epoch} is over, the present one is ${leads}`);
    if (sequence !== this.#sequence + 1) {
      return rejected('out-of-sequence', `append ${sequence} came where ${this.#sequence + 1} was due`);
    }
    const { maxPayloadBytes } = this.capabilities;
    if (payload.length > maxPayloadBytes) {
      const message = `a payload of ${payload.length} bytes is over the limit of ${maxPayloadBytes}`;
      return rejected('too-large', message);
    }
    if (this.#inFlight >= this.#inFlightMax) {
      return rejected('busy', `${this.#inFlight} appends are in flight already`);
    }
    return undefined;
  }
}

function rejected(reason: RejectionReason, message: string): AppendOutcome {
  return { kind: 'rejected', reason, message };
}

/** What a node refuses, in the port's words. */
function refusalOf(reason: Exclude<ReturnType<RaftNode['proposeInTerm']>, Promise<unknown>>): AppendOutcome {
  switch (reason) {
    case 'not-leader':
      return rejected('not-leader', 'this member does not lead any more');
    case 'transferring':
      return rejected('busy', 'leadership is being handed over');
    case 'busy':
      return rejected('busy', 'too many bytes are in flight already');
    case 'disk-full':
      return rejected('disk-full', DISK_FULL);
    case 'too-large':
      return rejected('too-large', 'the payload is too large');
    case 'faulted':
    case 'closed':
      return rejected('closed', 'the log is closed');
  }
}

function outcomeOf(outcome: TermOutcome, epoch: number): AppendOutcome {
  switch (outcome.kind) {
    case 'committed':
      return { kind: 'committed', position: outcome.index };
    case 'superseded':
      return rejected('fenced', `epoch ${epoch} ended before the append was committed`);
    case 'unknown':
      return { kind: 'unknown', reason: outcome.reason, message: TELL[outcome.reason] };
  }
}

const TELL = {
  'leadership-lost': 'leadership was lost before the append was known to be committed',
  timeout: 'the append was not committed and applied in time',
  closed: 'the log was closed before the append was known to be committed',
} as const;
