/**
 * Records what a member commits: transactions into blocks, a checkpoint now and then, and no more than the bounds
 * allow. It follows the replica, so it works over every log and on every member, leading or not.
 *
 * It needs no sync of its own for each commit. The log is durable, and gives again after a crash what history had not
 * written yet; only before a snapshot lets the log forget must history be on the disk, and the snapshot waits for that.
 */

import { decodeTransaction, encodeTransaction } from '../events/codec.ts';
import { withoutValues } from '../events/without-values.ts';
import type { Clock } from '../runtime/clock.ts';
import { yieldTurn } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ChangeSet } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Replica } from '../state/replica.ts';
import { snapshotChunks } from '../state/snapshot.ts';
import { stateWithoutValues } from '../state/without-values.ts';
import type {
  HistoryBlock,
  HistoryCheckpoint,
  HistoryRecord,
  HistoryStore,
  Moment,
} from './history-store.ts';
import type { HistoryBounds } from './options.ts';
import { touchedKeys } from './touched-keys.ts';

/** A block is written once it has so many bytes of payloads, so that reading one object's event decodes little. */
const BLOCK_BYTES = 128 * 1024;

/** A checkpoint is due after so many bytes of events, however few they are. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

/** Checkpoints take at most so many times the bytes of the events between them. */
const CHECKPOINT_SHARE = 8;

/**
 * A state that is small beside what happened is kept this much more often than is asked for: going on from a state is
 * then quick, and all of them together still take no more bytes than the events.
 */
const SMALL_STATE_PARTS = 5;

/** What waits for a store that fails; beyond it, history has a hole. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** About what a changed row pins of an old state: the row, and the path to it in its table. */
const CHANGED_ROW_BYTES = 1024;

/** What is to be done to the store, in order. */
type Job =
  | { readonly kind: 'block'; readonly block: HistoryBlock; readonly bytes: number }
  | { readonly kind: 'end' }
  /** A state to go on from, without which what follows can't be read. */
  | { readonly kind: 'bridge'; readonly checkpoint: HistoryCheckpoint }
  | { readonly kind: 'forget'; readonly before: number };

/** What a recorder works with. */
export interface RecorderParts {
  readonly store: HistoryStore;
  readonly bounds: HistoryBounds;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Records the history of one member. */
export class HistoryRecorder {
  readonly #parts: RecorderParts;
  /** The last moment that was taken, written or not. */
  #last: Moment | undefined;
  #records: HistoryRecord[] = [];
  #changes: ChangeSet[] = [];
  #recordBytes = 0;
  #jobs: Job[] = [];
  #waitingBytes = 0;
  #working: Promise<void> | undefined;
  #saving: Promise<void> | undefined;
  #isClosed = false;
  #failing = false;
  #sinceCheckpoint = { events: 0, bytes: 0, rows: 0 };
  /** What the last checkpoint took; undefined as long as this recorder has made none behind older ones. */
  #checkpointBytes: number | undefined;
  #stop: (() => void)[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** The last moment that is recorded. */
  get last(): Moment | undefined {
    return this.#last;
  }

  /** Begins behind what the open store holds, and follows the replica, which must not have been filled yet. */
  follow(replica: Replica): void {
    const { segments, checkpoints } = this.#parts.store;
    const segment = segments.at(-1);
    const checkpoint = checkpoints.at(-1);
    if (segment) this.#last = { index: segment.last, at: segment.newestAt };
    if (checkpoint && checkpoint.index > (this.#last?.index ?? 0)) this.#last = checkpoint;
    if (!this.#last) this.#checkpointBytes = 0;
    this.#sinceCheckpoint.events = (this.#last?.index ?? 0) - (checkpoint?.index ?? 0);
    replica.holdSnapshots((index) => this.#secure(index));
    this.#stop = [
      replica.onCommit(
        (changes, state, { payload }) => this.#take(changes, state, payload),
        this.#last?.index,
      ),
      replica.onRestore(() => this.#skipTo(replica.state)),
    ];
  }

  /** Resolves once all that was taken is with the store, or the store failed, which the next call tries again. */
  flush(): Promise<void> {
    this.#closeBlock();
    return this.#work();
  }

  /** {@link flush}, and what is over the bounds by now is forgotten. */
  async settle(): Promise<void> {
    await this.flush();
    await this.#keepWithinBounds();
  }

  /** Records no more, and sees to it that what was recorded stays. The store is closed after it. */
  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    const { store } = this.#parts;
    await this.flush();
    this.#isClosed = true;
    await store.endSegment().catch((error: unknown) => this.#warn(error, 'could not be ended in order'));
    await store.close();
    await this.#saving;
  }

  #take(changes: ChangeSet, state: ClusterState, payload: Uint8Array): void {
    const { index, at } = changes;
    const last = this.#last;
    if (last && index <= last.index) return;
    if (index !== (last?.index ?? 0) + 1) {
      this.#skipTo(state);
      return;
    }
    this.#last = { index, at };
    this.#records.push({ index, at, payload: changes.confides ? publicPayload(payload) : payload });
    this.#changes.push(changes);
    this.#recordBytes += payload.length;
    this.#sinceCheckpoint.events += 1;
    this.#sinceCheckpoint.bytes += payload.length;
    this.#sinceCheckpoint.rows += changes.changes.length;
    if (this.#recordBytes >= BLOCK_BYTES) void this.flush();
    this.#checkpointIfDue(state);
  }

  /** The log went on without telling each transaction: history does so too, from a checkpoint. */
  #skipTo(state: ClusterState): void {
    const { index, at } = state;
    if (index <= (this.#last?.index ?? 0)) return;
    this.#closeBlock();
    this.#last = { index, at };
    this.#jobs.push({ kind: 'end' }, { kind: 'bridge', checkpoint: this.#checkpointOf(state) });
    void this.#work();
  }

  get #isHeavy(): boolean {
    return this.#sinceCheckpoint.bytes >= CHECKPOINT_BYTES;
  }

  #checkpointIfDue(state: ClusterState): void {
    if (this.#saving) return;
    const { events, bytes } = this.#sinceCheckpoint;
    const every = this.#parts.bounds.checkpointEvery;
    const size = this.#checkpointBytes;
    const isSmall = size !== undefined && size <= bytes && events >= every / SMALL_STATE_PARTS;
    const isDue = events >= every && (size ?? 0) <= bytes * CHECKPOINT_SHARE;
    if (isSmall || isDue || this.#isHeavy) this.#beginCheckpoint(state);
  }

  /** Keeps the state, beside what happens meanwhile. */
  #beginCheckpoint(state: ClusterState): void {
    const checkpoint = this.#checkpointOf(state);
    this.#closeBlock();
    this.#jobs.push({ kind: 'end' });
    void this.#work();
    this.#saving = this.#save(checkpoint)
      .then(() => this.#keepWithinBounds())
      .catch((error: unknown) => this.#warn(error, 'is without a checkpoint'))
      .finally(() => {
        this.#saving = undefined;
      });
  }

  #checkpointOf(state: ClusterState): HistoryCheckpoint {
    const { clock } = this.#parts;
    const { index, at } = state;
    const weight = this.#sinceCheckpoint.rows * CHANGED_ROW_BYTES;
    this.#sinceCheckpoint = { events: 0, bytes: 0, rows: 0 };
    const kept = stateWithoutValues(state);
    return { index, at, state: kept, weight, chunks: () => inTurns(snapshotChunks(kept), clock) };
  }

  async #save(checkpoint: HistoryCheckpoint): Promise<void> {
    this.#checkpointBytes = await this.#parts.store.saveCheckpoint(checkpoint);
  }

  /** A snapshot of the log waits for this: what it covers must not be lost to history. */
  async #secure(index: number): Promise<void> {
    if (index === 0) return;
    await this.flush();
    await this.#parts.store.sync().catch((error: unknown) => this.#warn(error, 'could not be synced'));
  }

  #closeBlock(): void {
    if (this.#records.length === 0) return;
    const bytes = this.#recordBytes;
    this.#jobs.push({
      kind: 'block',
      block: { records: this.#records, keys: touchedKeys(this.#changes) },
      bytes,
    });
    this.#records = [];
    this.#changes = [];
    this.#recordBytes = 0;
    this.#waitingBytes += bytes;
    if (this.#waitingBytes <= WAITING_BYTES_MAX || !this.#failing) return;
    this.#jobs = this.#jobs.filter((job) => job.kind !== 'block');
    this.#waitingBytes = 0;
    // The next transaction will not follow on this, so a checkpoint is made of it.
    this.#last = { index: 0, at: 0 };
  }

  #work(): Promise<void> {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  async #workOff(): Promise<void> {
    for (let job = this.#jobs[0]; job; job = this.#jobs[0]) {
      try {
        await this.#carryOut(job);
      } catch (error) {
        this.#warn(error, 'could not be written; it waits and is tried again');
        return;
      }
      this.#failing = false;
      if (this.#jobs[0] === job) this.#jobs.shift();
      if (job.kind === 'block') this.#waitingBytes -= job.bytes;
    }
  }

  #carryOut(job: Job): Promise<void> {
    const { store } = this.#parts;
    switch (job.kind) {
      case 'block':
        return store.append(job.block);
      case 'end':
        return store.endSegment();
      case 'bridge':
        return this.#save(job.checkpoint);
      case 'forget':
        return store.forgetBefore(job.before);
    }
  }

  async #keepWithinBounds(): Promise<void> {
    const { store, bounds, clock } = this.#parts;
    for (;;) {
      const next = nextStart(store);
      if (next === undefined) return;
      const last = store.segments.findLast((segment) => segment.last <= next);
      const isOld = last !== undefined && last.newestAt < clock.now() - bounds.maxAgeMs;
      if (!isOld && store.bytes <= bounds.maxBytes) return;
      this.#jobs.push({ kind: 'forget', before: next });
      await this.#work();
      if (this.#failing) return;
    }
  }

  #warn(err: unknown, what: string): void {
    if (this.#isClosed) return;
    if (!this.#failing) this.#parts.logger.warn({ err }, `the history of the cluster ${what}`);
    this.#failing = true;
  }
}

/** The next checkpoint that history could begin with, were it to forget a little. */
function nextStart({ segments, checkpoints }: HistoryStore): number | undefined {
  const first = segments[0]?.first;
  return checkpoints.find(({ index }, number) => number > 0 || (first !== undefined && first <= index))
    ?.index;
}

function publicPayload(payload: Uint8Array): Uint8Array {
  return encodeTransaction(withoutValues(decodeTransaction(payload)));
}

/** Lets others have their turn between any two. */
async function* inTurns<T>(items: Iterable<T>, clock: Clock): AsyncGenerator<T, void, undefined> {
  for (const item of items) {
    yield item;
    await yieldTurn(clock);
  }
}
