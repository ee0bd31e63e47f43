/**
 * The port between the orchestrator and whatever keeps its events: memory, one file, Raft, or an engine of
 * somebody else's. It speaks of bytes, positions and leadership, never of services or tasks, and it has no
 * run-time imports, so that an engine's package can depend on it as a type alone.
 *
 * What an engine promises, the conformance suite in `@skep/core/log/conformance` checks:
 *
 * 1. **Order.** Positions only grow. They are not dense: an engine may spend some on its own bookkeeping.
 * 2. **Three outcomes.** An append was committed, was certainly rejected, or its fate is unknown. Unknown is never
 *    reported as rejected.
 * 3. **Chains.** A leader pipelines its appends, each decided on top of the ones before it. Within one epoch the
 *    engine accepts sequence 1, 2, 3… without a hole; when one is rejected, all that were sent behind it are
 *    rejected too, since they were decided on a state that never came to be.
 * 4. **Fencing.** An append names the epoch in which it was decided. Once another epoch has begun, it is rejected.
 * 5. **Apply before answer.** `append` resolves `committed` only after the entry was applied to the local state
 *    machine, and after it is as durable as the engine's capabilities say.
 */

/** Where an entry stands in the log. Strictly increasing, not dense; 0 means "before the first entry". */
export type Position = number;

/** The number of a leadership. Strictly increasing over the life of a log; no two leaders share one. */
export type Epoch = number;

/** What a leader hands to the log: one transaction. */
export interface Append {
  /** The leader's wall clock, milliseconds since 1970, kept with the entry. The log reads no clock of its own. */
  readonly at: number;
  /** The transaction, opaque to the log. */
  readonly payload: Uint8Array;
  /** The epoch in which the transaction was decided. */
  readonly epoch: Epoch;
  /** Its number within the epoch, from 1, without holes. */
  readonly sequence: number;
}

/** One committed transaction as the log gives it back. */
export interface Entry extends Append {
  readonly position: Position;
}

/** Why an append is certainly not in the log, and never will be. */
export type RejectionReason =
  /** This member does not lead. */
  | 'not-leader'
  /** The epoch is over. */
  | 'fenced'
  /** An append before this one in the chain was rejected, or the sequence has a hole. */
  | 'out-of-sequence'
  /** Too much is in flight; nothing was written. */
  | 'busy'
  /** The payload is larger than {@link LogCapabilities.maxPayloadBytes}. */
  | 'too-large'
  /** The disk has no room; nothing was written, and reads go on. */
  | 'disk-full'
  /** The log is closed, or its disk has failed for good. */
  | 'closed';

/** How an append ended. */
export type AppendOutcome =
  | { readonly kind: 'committed'; readonly position: Position }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason; readonly message: string }
  /** It may still appear in the log. Ask again after a barrier, or retry under a command id. */
  | {
      readonly kind: 'unknown';
      readonly reason: 'leadership-lost' | 'timeout' | 'closed';
      readonly message: string;
    };

/** What an engine can do, and its limits. */
export interface LogCapabilities {
  /** An acknowledged entry survives the death of the process. */
  readonly durable: boolean;
  /** What is on disk is encrypted. */
  readonly encryptedAtRest: boolean;
  /** More than one member keeps a copy. */
  readonly replicated: boolean;
  /** Members can be added and removed while running. */
  readonly membership: boolean;
  /** Leadership can be handed over on purpose. */
  readonly transfer: boolean;
  /** `barrier({mode: 'lease'})` is cheaper than a linearizable one. */
  readonly leaseReads: boolean;
  /** The largest payload one append may carry, in bytes. At least 1 MiB in every engine. */
  readonly maxPayloadBytes: number;
}

/** What stands under the log: it is told of each committed entry, in order, once. */
export interface LogStateMachine {
  /** Applies one entry. Synchronous and deterministic. If it throws, the log fails for good: state would drift. */
  apply(entry: Entry): void;
  /** Phase one of a snapshot: takes an immutable view of the state in O(1). */
  capture(): StateCapture;
  /** Replaces the whole state with a snapshot. Builds aside and swaps at the end; on failure the old state stays. */
  restore(position: Position, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** A view of the state as it was at one position, held until released. */
export interface StateCapture {
  readonly position: Position;
  /** Phase two: streams the view, while later entries are applied beside it. May be called once. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Lets the view go. Safe to call twice. */
  release(): void;
}

/** This member's part in the log just now. */
export type Leadership =
  | { readonly role: 'leader'; readonly epoch: Epoch }
  | { readonly role: 'follower'; readonly epoch: Epoch; readonly leader?: string }
  | { readonly role: 'none'; readonly epoch: Epoch };

/** Something a log member does only while it leads. */
export interface LeaderTerm {
  readonly epoch: Epoch;
  /** Aborts when the epoch ends here, and before another epoch can begin here. */
  readonly signal: AbortSignal;
}

/** What was mended while opening. */
export interface RecoveryReport {
  /** Bytes of a torn, never acknowledged tail that were cut off. 0 when the log ended cleanly. */
  readonly tornBytes: number;
  /** Entries read back after the newest snapshot. */
  readonly entriesReplayed: number;
  /** Position of the snapshot that the state was restored from; 0 if none. */
  readonly snapshotPosition: Position;
}

/** Counters and positions for health pages and metrics. */
export interface LogStatus {
  readonly leadership: Leadership;
  /** First entry kept; 0 when none is. */
  readonly first: Position;
  readonly last: Position;
  readonly applied: Position;
  readonly snapshot: Position;
  /** Bytes of entries kept (segments on disk, or payloads in memory). */
  readonly bytes: number;
  /** Why the log takes no appends just now, if so, though nobody else leads. Absent once closed. */
  readonly failure?: { readonly reason: RejectionReason; readonly message: string };
}

/** Options of {@link EventLog.read}. */
export interface ReadOptions {
  /** Entries behind this position, exclusive. */
  readonly after: Position;
  /** Go on with entries as they commit, until aborted. Default false: end at what is committed now. */
  readonly live?: boolean;
  readonly signal?: AbortSignal;
}

/** An append-only, totally ordered log of opaque transactions with leadership. */
export interface EventLog {
  readonly capabilities: LogCapabilities;

  /**
   * Recovers what is stored, restores and replays it into `machine`, and starts taking part. Called once.
   *
   * @throws LogError when what is stored can't be read: `corrupt`, `wrong-key`, `unsupported-version`, `locked`.
   */
  open(machine: LogStateMachine): Promise<RecoveryReport>;

  /** Appends one transaction. Never throws for a refusal: the outcome tells. */
  append(append: Append): Promise<AppendOutcome>;

  /**
   * Waits until the local state holds all that was acknowledged anywhere before the call.
   *
   * @returns the position that is applied then.
   * @throws LogError `unavailable` when that can't be known (no quorum), or the signal's reason.
   */
  barrier(options?: {
    readonly mode?: 'linearizable' | 'lease';
    readonly signal?: AbortSignal;
  }): Promise<Position>;

  /** Waits until the entry at `position` is applied here: read your own writes on any member. */
  waitApplied(position: Position, signal?: AbortSignal): Promise<void>;

  /**
   * Reads committed entries in order.
   *
   * @throws LogError `compacted` with the oldest position still readable.
   */
  read(options: ReadOptions): AsyncIterable<Entry>;

  /** This member's part now. */
  leadership(): Leadership;

  /** Calls back at once with the present leadership, then on each change. Returns the way to stop. */
  onLeadership(listener: (leadership: Leadership) => void): () => void;

  /**
   * Runs `term` each time this member leads, once all that was committed before is applied. The next term starts
   * only after the promise of the last one has settled. Returns the way to stop, which aborts a running term.
   */
  whileLeader(term: (term: LeaderTerm) => Promise<void>): () => void;

  /**
   * Takes a snapshot now, and forgets the entries that it covers.
   *
   * @param options.discard - rewrite so that no covered entry stays readable on disk (used when a secret was
   *   removed). Default true; false keeps what the engine's own retention keeps.
   * @returns the snapshot's position.
   */
  checkpoint(options?: { readonly discard?: boolean; readonly signal?: AbortSignal }): Promise<Position>;

  status(): LogStatus;

  /** Stops taking part. Appends in flight end `unknown` or `rejected`, none hangs. Safe to call twice. */
  close(): Promise<void>;
}

/** What went wrong in a log, as a stable code. */
export type LogErrorCode =
  | 'corrupt'
  | 'wrong-key'
  | 'unsupported-version'
  | 'locked'
  | 'compacted'
  | 'unavailable'
  | 'closed'
  | 'io';

/** The one error that logs throw. Matched by `code`, never by message. */
export class LogError extends Error {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;
  /** With `compacted`: the oldest position after which reading is possible. */
  readonly oldest?: Position;

  constructor(code: LogErrorCode, message: string, options?: { cause?: unknown; oldest?: Position }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options?.oldest !== undefined) this.oldest = options.oldest;
  }
}
