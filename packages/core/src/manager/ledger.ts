/**
 * The ledger: how one leadership turns decisions into log entries. It keeps the head state (committed plus pending),
 * so that thousands of transactions can be decided one on top of the other while the first is still on its way to
 * the disk; when the log refuses one, all that stood on it are dropped with it.
 *
 * One ledger lives for at most one epoch. After a refusal it is spent, and the manager begins another on the
 * committed state.
 */

import { OutcomeUnknownError, PreconditionError, type SkepError, UnavailableError } from '../errors.ts';
import { encodeTransaction } from '../events/codec.ts';
import type { Actor, Transaction } from '../events/event.ts';
import type { AppendOutcome, Entry, Epoch, EventLog } from '../log/event-log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { ClusterState, CommandRecord } from '../state/cluster-state.ts';
import { evolve } from '../state/evolve/evolve.ts';
import type { Prepared, Replica } from '../state/replica.ts';
import type { DecideContext } from './control-loop.ts';
import type { ChangeListener, Decided, LeaderStore, TransactOptions } from './leader-store.ts';

/** Bytes on their way to the log beyond which control loops wait. */
const PENDING_BYTES_MAX = 16 * 1024 * 1024;

/** What a ledger works with. */
interface LedgerParts {
  readonly log: EventLog;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Random;
  readonly epoch: Epoch;
  /** Number of the last append that the log accepted in this epoch; 0 at its start. */
  readonly sequence: number;
}

interface Pending extends Prepared {
  readonly sequence: number;
  readonly bytes: number;
}

/** The head state of one leadership, and the way to change it. */
export class Ledger implements LeaderStore {
  readonly #parts: LedgerParts;
  readonly #headListeners = new Set<ChangeListener>();
  readonly #drainWaiters: (() => void)[] = [];
  readonly #inFlight = new Set<Promise<AppendOutcome>>();
  readonly #stopTaking: () => void;
  /** The leader's time less the monotonic time, milliseconds. It only grows, so the leader's time never stands still. */
  #aheadMs: number;
  #head: ClusterState;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #sequence: number;
  #accepted: number;
  #failure: SkepError | undefined;
  #onFailure: (error: SkepError) => void = () => {};

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    this.#head = parts.replica.state;
    this.#aheadMs = this.#head.at - Math.floor(parts.clock.monotonic());
    this.#sequence = parts.sequence;
    this.#accepted = parts.sequence;
    this.#stopTaking = parts.replica.takePreparedFrom((entry) => this.#take(entry));
  }

  get head(): ClusterState {
    return this.#head;
  }

  get committed(): ClusterState {
    return this.#parts.replica.state;
  }

  /**
   * Number of the last append that the log accepted: where the next ledger of the epoch goes on. One whose outcome
   * was unknown counts as soon as it turns out to be in the log.
   */
  get acceptedSequence(): number {
    return Math.max(this.#accepted, this.#parts.replica.sequenceIn(this.#parts.epoch));
  }

  /** Why nothing can be decided here any more, if so. */
  get failure(): SkepError | undefined {
    return this.#failure;
  }

  /** Calls back once when the ledger is spent. */
  onFailure(listener: (error: SkepError) => void): void {
    if (this.#failure) listener(this.#failure);
    else this.#onFailure = listener;
  }

  onHead(listener: ChangeListener): () => void {
    this.#headListeners.add(listener);
    return () => this.#headListeners.delete(listener);
  }

  onCommitted(listener: ChangeListener): () => void {
    return this.#parts.replica.onCommit(listener);
  }

  /**
   * The leader's time, whole milliseconds since 1970: the wall clock's, or that of the last decision plus what has
   * passed since, whichever is later. A wall clock that jumps back neither turns it back nor holds it up.
   */
  now(): number {
    const { clock } = this.#parts;
    const monotonic = Math.floor(clock.monotonic());
    this.#aheadMs = Math.max(this.#aheadMs, clock.now() - monotonic);
    return monotonic + this.#aheadMs;
  }

  /** What a decision is made with now. */
  context(): DecideContext {
    return { at: this.now(), random: this.#parts.random };
  }

  /** Resolves when less than {@link PENDING_BYTES_MAX} are on their way to the log. */
  ready(): Promise<void> | undefined {
    if (this.#pendingBytes <= PENDING_BYTES_MAX || this.#failure) return undefined;
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  async transact<R>(
    actor: Actor,
    decide: (head: ClusterState, context: DecideContext) => Decided<R>,
    options: TransactOptions<R> = {},
  ): Promise<R> {
    if (this.#failure) throw this.#failure;
    const context = this.context();
    const { command } = options;
    const before = command === undefined ? undefined : this.#head.command(command.id);
    const decided: Decided<R> =
      command && before ? repeated(command, before, this.#head) : decide(this.#head, context);
    if (decided.events.length === 0) {
      // The answer rests on pending transactions, so it must not be given before they are certain.
      await this.#settled(command?.id ?? '');
      return decided.result;
    }
    const outcome = await this.#append({
      index: this.#head.index + 1,
      at: context.at,
      actor,
      ...(options.cause === undefined ? {} : { cause: options.cause }),
      ...(command === undefined ? {} : { commandId: command.id }),
      ...(command === undefined || decided.answer === undefined ? {} : { answer: decided.answer }),
      events: decided.events,
    });
    if (outcome.kind === 'committed') return decided.result;
    throw outcomeError(outcome, command?.id ?? '');
  }

  /** Resolves when nothing is on its way to the log any more, however it ended. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }

  /** Ends the ledger: whoever calls later is told `error`. What is on its way keeps its own outcome. */
  end(error: SkepError): void {
    this.#fail(error);
    this.#stopTaking();
  }

  #append(transaction: Transaction): Promise<AppendOutcome> {
    const payload = encodeTransaction(transaction);
    const most = this.#parts.log.capabilities.maxPayloadBytes;
    if (payload.length > most) {
      const message = `the transaction has ${payload.length} bytes, the log takes ${most}`;
      return Promise.resolve({ kind: 'rejected', reason: 'too-large', message });
    }
    const next = evolve(this.#head, transaction);
    this.#head = next.state;
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.#pending.push({ ...next, sequence, bytes: payload.length });
    this.#pendingBytes += payload.length;
    const { epoch, log } = this.#parts;
    const outcome = log
      .append({ at: transaction.at, payload, epoch, sequence })
      .catch(
        (cause: unknown): AppendOutcome => ({ kind: 'unknown', reason: 'closed', message: String(cause) }),
      );
    this.#inFlight.add(outcome);
    void outcome.then((ended) => {
      this.#inFlight.delete(outcome);
      if (ended.kind === 'committed') this.#accepted = Math.max(this.#accepted, sequence);
      else this.#fail(outcomeError(ended, ''));
    });
    for (const listener of this.#headListeners) listener(next.changes, next.state);
    return outcome;
  }

  /** The head state is what the log has just committed, so it is not evolved again. */
  #take(entry: Entry): Prepared | undefined {
    const first = this.#pending[0];
    if (!first || entry.epoch !== this.#parts.epoch || entry.sequence !== first.sequence) return undefined;
    this.#pending.shift();
    this.#pendingBytes -= first.bytes;
    if (this.#pendingBytes <= PENDING_BYTES_MAX) this.#wake();
    return first;
  }

  async #settled(commandId: string): Promise<void> {
    const awaited = [...this.#inFlight];
    for (const outcome of awaited) {
      const ended = await outcome;
      if (ended.kind !== 'committed') throw outcomeError(ended, commandId);
    }
  }

  #fail(error: SkepError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#wake();
    this.#onFailure(error);
  }

  #wake(): void {
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }
}

/** The answer to a command that was carried out before. @throws PreconditionError if that was another one */
function repeated<R>(
  { id, kind, repeated }: NonNullable<TransactOptions<R>['command']>,
  { answer }: CommandRecord,
  head: ClusterState,
): Decided<R> {
  if (kind && answer && !(kind.what === answer.what && kind.actions.includes(answer.action))) {
    throw new PreconditionError(`command id ${id} was used for another command`);
  }
  return { events: [], result: repeated(head, answer) };
}

/** The error for an append that was not committed for certain. */
function outcomeError(outcome: Exclude<AppendOutcome, { kind: 'committed' }>, commandId: string): SkepError {
  return outcome.kind === 'rejected'
    ? new UnavailableError(outcome.reason, `not carried out: ${outcome.message}`, {
        retryable: outcome.reason !== 'too-large',
      })
    : new OutcomeUnknownError(commandId, `it is not known whether this was carried out: ${outcome.message}`);
}
