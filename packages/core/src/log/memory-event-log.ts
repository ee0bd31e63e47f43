/**
 * The event log in memory: for tests, for browsers and for clusters that may forget. One member, leader at once,
 * nothing on disk. It keeps every promise of the port except durability, and can be told to lose leadership,
 * refuse, or leave an outcome unknown, so that what stands on a log can be tried against all that a real one does.
 */

import { type Logger, silentLogger } from '../runtime/logger.ts';
import { AppliedCursor } from './applied-cursor.ts';
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
} from './event-log.ts';
import { LogError } from './event-log.ts';
import { LeadershipTerms } from './leadership-terms.ts';
import { AppendsInFlight, type MemoryLogFault } from './memory-in-flight.ts';
import { KeptEntries, MemoryLogStorage } from './memory-storage.ts';
import { rejected, unknown } from './outcomes.ts';

/** Options of {@link MemoryEventLog}. */
export interface MemoryEventLogOptions {
  /** The largest payload that one append may carry, in bytes. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /** Appends that may wait to be committed at once; more are refused as `busy`. Default 100,000. */
  readonly maxInFlight?: number;
  /** How far apart positions are. Default 1; more catches code that takes positions to be dense. */
  readonly positionStride?: number;
  /** Bytes of payloads to keep for readers. Beyond it the oldest entries are forgotten. Default 64 MiB. */
  readonly retainBytes?: number;
  /** What outlives this log object, so that the next one can be opened on it. Default: nothing does. */
  readonly storage?: MemoryLogStorage;
  /** Told when a leader's term fails. Default: silent. */
  readonly logger?: Logger;
}

/** An {@link EventLog} in memory. */
export class MemoryEventLog implements EventLog {
  readonly capabilities: LogCapabilities;
  readonly #maxInFlight: number;
  readonly #stride: number;
  readonly #retainBytes: number;
  readonly #storage: MemoryLogStorage;
  readonly #shared: boolean;
  readonly #kept: KeptEntries;
  readonly #terms: LeadershipTerms;
  readonly #applied = new AppliedCursor();
  readonly #inFlight = new AppendsInFlight(() => this.#drain('committed'));
  #machine: LogStateMachine | undefined;
  #sequence = 0;
  #last: Position = 0;
  #checkpoint: Promise<Position> | undefined;
  #failure: LogError | undefined;
  #opened = false;

  constructor(options: MemoryEventLogOptions = {}) {
    this.#maxInFlight = options.maxInFlight ?? 100_000;
    this.#stride = options.positionStride ?? 1;
    this.#retainBytes = options.retainBytes ?? 64 * 1024 * 1024;
    this.#storage = options.storage ?? new MemoryLogStorage();
    this.#shared = options.storage !== undefined;
    this.#kept = new KeptEntries(this.#storage);
    const logger = options.logger ?? silentLogger;
    this.#terms = new LeadershipTerms((error, epoch) =>
      logger.error({ err: error, epoch }, 'a listener or a term of leadership failed'),
    );
    this.capabilities = {
      durable: false,
      encryptedAtRest: false,
      replicated: false,
      membership: false,
      transfer: false,
      leaseReads: false,
      maxPayloadBytes: options.maxPayloadBytes ?? 1024 * 1024,
    };
  }

  async open(machine: LogStateMachine): Promise<RecoveryReport> {
    if (this.#opened) throw new LogError('closed', 'a log is opened once; make another to open it again');
    this.#opened = true;
    const { snapshot, entries } = this.#storage;
    if (snapshot) {
      await machine.restore(snapshot.position, iterate(snapshot.chunks));
      this.#moveTo(snapshot.position);
    }
    this.#kept.adopt();
    for (const entry of entries) {
      machine.apply(entry);
      this.#moveTo(entry.position);
    }
    if (this.#failure) throw this.#failure;
    this.#machine = machine;
    this.lead();
    return { tornBytes: 0, entriesReplayed: entries.length, snapshotPosition: snapshot?.position ?? 0 };
  }

  append(append: Append): Promise<AppendOutcome> {
    const refusal = this.#refusal(append);
    if (refusal) return Promise.resolve(refusal);
    const fault = this.#inFlight.takeFault();
    if (fault?.kind === 'rejected') return Promise.resolve(fault);
    this.#sequence = append.sequence;
    this.#last += this.#stride;
    const { at, payload, epoch, sequence } = append;
    const entry: Entry = { position: this.#last, epoch, sequence, at, payload };
    return this.#inFlight.push(entry, fault);
  }

  async barrier(options?: { readonly signal?: AbortSignal }): Promise<Position> {
    options?.signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    // An acknowledged append was applied here before it was acknowledged, so leading is all there is to check.
    if (this.#terms.epoch === undefined) throw new LogError('unavailable', 'this member does not lead');
    return this.#applied.position;
  }

  waitApplied(position: Position, signal?: AbortSignal): Promise<void> {
    return this.#applied.wait(position, signal);
  }

  read(options: ReadOptions): AsyncGenerator<Entry, void, undefined> {
    return this.#kept.read(options, (after, signal) => this.#applied.wait(after + 1, signal));
  }

  leadership(): Leadership {
    return this.#terms.current;
  }

  onLeadership(listener: (leadership: Leadership) => void): () => void {
    return this.#terms.onLeadership(listener);
  }

  whileLeader(term: (term: LeaderTerm) => Promise<void>): () => void {
    return this.#terms.whileLeader(term);
  }

  async checkpoint(options?: {
    readonly discard?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<Position> {
    options?.signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    // One at a time: a second caller needs a view that is taken after its call, so it waits for its own turn.
    const mine = (this.#checkpoint ?? Promise.resolve(0)).then(() => this.#snapshot());
    const settled = mine.catch(() => 0);
    this.#checkpoint = settled;
    try {
      return await mine;
    } finally {
      if (this.#checkpoint === settled) this.#checkpoint = undefined;
    }
  }

  status(): LogStatus {
    const { entries, snapshot } = this.#storage;
    const failure = this.#failure?.code === 'closed' ? undefined : this.#failure;
    return {
      leadership: this.#terms.current,
      first: entries[0]?.position ?? 0,
      last: this.#last,
      applied: this.#applied.position,
      snapshot: snapshot?.position ?? this.#kept.forgotten,
      bytes: this.#kept.bytes,
      ...(failure === undefined ? {} : { failure: { reason: 'closed', message: failure.message } }),
    };
  }

  async close(): Promise<void> {
    this.#opened = true;
    this.#end(new LogError('closed', 'the log is closed'));
  }

  /** For tests: the next append that would be accepted ends in this way instead. Faults queue up. */
  failNext(fault: MemoryLogFault): void {
    this.#inFlight.rehearse(fault);
  }

  /**
   * For tests: ends the epoch. Appends in flight end `unknown`, and are in the log if `keepInFlight`.
   * This member does not lead again until {@link MemoryEventLog.lead}.
   */
  loseLeadership(options: { readonly keepInFlight?: boolean } = {}): void {
    const epoch = this.#terms.current.epoch;
    if (options.keepInFlight) this.#drain('unknown');
    else this.#inFlight.endAll(unknown('leadership-lost', `epoch ${epoch} has ended`));
    this.#terms.change({ role: 'none', epoch });
  }

  /** For tests: begins a new epoch with this member as its leader; the present one, if any, ends first. */
  lead(): void {
    if (this.#failure) return;
    if (this.#terms.epoch !== undefined) this.loseLeadership();
    this.#sequence = 0;
    this.#storage.epoch += 1;
    this.#terms.change({ role: 'leader', epoch: this.#storage.epoch });
  }

  /** For tests: keeps appends in flight, as a slow disk would, until the returned function is called. */
  hold(): () => void {
    return this.#inFlight.hold();
  }

  #refusal({ epoch, sequence, payload }: Append): AppendOutcome | undefined {
    const leads = this.#terms.epoch;
    if (this.#failure) return rejected('closed', this.#failure.message);
    if (leads === undefined) return rejected('not-leader', 'this member does not lead');
    if (epoch !== leads) return rejected('fenced', `epoch ${epoch} is over, the present one is ${leads}`);
    if (sequence !== this.#sequence + 1) {
      return rejected('out-of-sequence', `append ${sequence} came where ${this.#sequence + 1} was due`);
    }
    const limit = this.capabilities.maxPayloadBytes;
    if (payload.length > limit) {
      return rejected('too-large', `a payload of ${payload.length} bytes is over the limit of ${limit}`);
    }
    if (this.#inFlight.count >= this.#maxInFlight) {
      return rejected('busy', `${this.#inFlight.count} appends are in flight already`);
    }
    return undefined;
  }

  #drain(ending: 'committed' | 'unknown'): void {
    const machine = this.#machine;
    if (this.#inFlight.count === 0 || !machine) return;
    const batch = this.#inFlight.takeAll();
    const epoch = this.#terms.current.epoch;
    const lost = unknown('leadership-lost', `epoch ${epoch} has ended`);
    let done = 0;
    for (const { entry, fault, resolve } of batch) {
      if (this.#failure) break;
      done += 1;
      if (fault?.kind === 'unknown' && !fault.committed) {
        resolve(unknown(fault.reason, fault.message));
        const message = `append ${entry.sequence} of epoch ${epoch} did not come to be, so the epoch has ended`;
        for (const behind of batch.slice(done)) behind.resolve(rejected('fenced', message));
        this.#terms.change({ role: 'none', epoch });
        this.lead();
        return;
      }
      this.#kept.push(entry);
      try {
        machine.apply(entry);
      } catch (error) {
        const message = `the state machine refused position ${entry.position}`;
        this.#end(new LogError('io', message, { cause: error }));
        resolve(unknown('closed', 'the state machine failed to apply the entry'));
        break;
      }
      this.#applied.advance(entry.position);
      if (fault?.kind === 'unknown') resolve(unknown(fault.reason, fault.message));
      else resolve(ending === 'unknown' ? lost : { kind: 'committed', position: entry.position });
    }
    for (const { resolve } of batch.slice(done)) {
      resolve(unknown('closed', 'the log failed before this append was decided'));
    }
    if (this.#kept.bytes > this.#retainBytes) this.#trim();
  }

  /** Makes room: half of what is kept is forgotten, or a snapshot taken if another log will open on the storage. */
  #trim(): void {
    if (this.#shared) {
      if (this.#checkpoint === undefined) void this.checkpoint().catch(() => {});
      return;
    }
    this.#kept.shrinkTo(this.#retainBytes / 2);
  }

  async #snapshot(): Promise<Position> {
    const machine = this.#machine;
    if (!machine || this.#failure) throw this.#failure ?? new LogError('closed', 'the log is not open');
    const position = this.#applied.position;
    if (this.#shared) await this.#kept.save(position, machine.capture());
    this.#kept.forget(position);
    return position;
  }

  #moveTo(position: Position): void {
    this.#last = position;
    this.#applied.advance(position);
  }

  #end(failure: LogError): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#inFlight.endAll(unknown('closed', failure.message));
    this.#applied.fail(failure);
    this.#terms.change({ role: 'none', epoch: this.#terms.current.epoch });
  }
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}
