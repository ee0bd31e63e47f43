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
import { ClusterState } from '../state/cluster-state.ts';
import type { Replica } from '../state/replica.ts';
import { snapshotChunks } from '../state/snapshot.ts';
import { stateWithoutValues } from '../state/without-values.ts';
import type { HistoryCheckpoint, HistoryRecord, HistoryStore, Moment } from './history-store.ts';
import { type HistoryMismatch, Lineage } from './lineage.ts';
import type { HistoryBounds } from './options.ts';
import { StoreWork } from './store-work.ts';
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

/** About what a changed row pins of an old state: the row, and the path to it in its table. */
const CHANGED_ROW_BYTES = 1024;

/** What a recorder works with. */
export interface RecorderParts {
  readonly store: HistoryStore;
  readonly bounds: HistoryBounds;
  readonly clock: Clock;
  readonly logger: Logger;
  /** All that is kept was found to be of another past, and is kept no more. */
  readonly onAnew: () => void;
}

/** Records the history of one member. */
export class HistoryRecorder {
  readonly #parts: RecorderParts;
  /** The last moment that was taken, written or not. */
  #last: Moment | undefined;
  #records: HistoryRecord[] = [];
  #changes: ChangeSet[] = [];
  #recordBytes = 0;
  readonly #work: StoreWork;
  #saving: Promise<void> | undefined;
  #present: () => ClusterState = () => ClusterState.empty;
  #lineage: Lineage | undefined;
  /** Whose past this is, as it was told to the store. */
  #owner: string | undefined;
  #sinceCheckpoint = { events: 0, bytes: 0, rows: 0 };
  /** What the last checkpoint took; undefined as long as this recorder has made none behind older ones. */
  #checkpointBytes: number | undefined;
  #stop: (() => void)[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#work = new StoreWork(parts.store, parts.logger);
  }

  /** The last moment that is recorded. */
  get last(): Moment | undefined {
    return this.#last;
  }

  /** Begins behind what the open store holds, and follows the replica, which must not have been filled yet. */
  follow(replica: Replica): void {
    const { store } = this.#parts;
    const { segments, checkpoints } = store;
    const segment = segments.at(-1);
    const checkpoint = checkpoints.at(-1);
    if (segment) this.#last = { index: segment.last, at: segment.newestAt };
    if (checkpoint && checkpoint.index > (this.#last?.index ?? 0)) this.#last = checkpoint;
    if (!this.#last) this.#checkpointBytes = 0;
    this.#present = () => replica.state;
    this.#owner = store.owner;
    this.#lineage = new Lineage(store, this.#last);
    this.#sinceCheckpoint.events = (this.#last?.index ?? 0) - (checkpoint?.index ?? 0);
    replica.holdSnapshots((index) => this.#secure(index));
    this.#stop = [
      replica.onCommit(
        (changes, state, { payload }) => this.#take(changes, state, payload),
        // The last one that is kept is told again, to be compared.
        (this.#last?.index ?? 1) - 1,
      ),
      replica.onRestore(() => this.#skipTo(replica.state)),
    ];
  }

  /**
   * The log has been replayed up to this state. What is kept is looked at, and begins anew where it is of another past.
   *
   * @param isWhole - the log has no more than that, so that history can have no more either.
   */
  compare(state: ClusterState, isWhole: boolean): void {
    this.#claim(state);
    const mismatch = isWhole ? this.#lineage?.ofEnd(state) : undefined;
    if (mismatch) this.#beginAnew(mismatch, state);
  }

  /** Resolves once all that was taken is with the store, or the store failed, which the next call tries again. */
  flush(): Promise<void> {
    this.#closeBlock();
    return this.#work.done();
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
    this.#work.close();
    await store.endSegment().catch((error: unknown) => this.#work.warn(error, 'could not be ended in order'));
    await store.close();
    await this.#saving;
  }

  #take(changes: ChangeSet, state: ClusterState, payload: Uint8Array): void {
    const { index, at } = changes;
    this.#claim(state);
    const last = this.#last;
    if (last && index <= last.index) {
      this.#compareTransaction(changes);
      return;
    }
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

  /** Sees whose past it is, as soon as that is known. */
  #claim(state: ClusterState): void {
    const owner = state.cluster?.id;
    if (owner === undefined || owner === this.#owner) return;
    const mismatch = this.#lineage?.ofCluster(state);
    if (mismatch) {
      this.#beginAnew(mismatch, state);
      return;
    }
    this.#owner = owner;
    this.#work.add({ kind: 'claim', owner });
  }

  #compareTransaction({ index, at }: Moment): void {
    const lineage = this.#lineage;
    if (!lineage?.isToCompare({ index, at })) return;
    lineage
      .ofTransaction({ index, at })
      .then((mismatch) => {
        if (mismatch && lineage === this.#lineage) this.#beginAnew(mismatch, this.#present());
      })
      .catch((error: unknown) => {
        if (lineage === this.#lineage) this.#work.warn(error, 'could not be compared with the log');
      });
  }

  #beginAnew(mismatch: HistoryMismatch, state: ClusterState): void {
    const { logger, onAnew } = this.#parts;
    logger.warn({ ...mismatch }, 'the history of the cluster is of another past; it begins anew');
    this.#lineage = undefined;
    this.#owner = state.cluster?.id;
    this.#records = [];
    this.#changes = [];
    this.#recordBytes = 0;
    this.#work.beginAnew();
    if (this.#owner !== undefined) this.#work.add({ kind: 'claim', owner: this.#owner });
    this.#last = undefined;
    this.#checkpointBytes = 0;
    onAnew();
    if (state.index > 0) this.#skipTo(state);
  }

  /** The log went on without telling each transaction: history does so too, from a checkpoint. */
  #skipTo(state: ClusterState): void {
    const { index, at } = state;
    if (index <= (this.#last?.index ?? 0)) return;
    this.#closeBlock();
    this.#last = { index, at };
    const checkpoint = this.#checkpointOf(state);
    this.#work.add({ kind: 'end' }, { kind: 'bridge', checkpoint, saved: (bytes) => this.#noteSize(bytes) });
  }

  get #isHeavy(): boolean {
    return this.#sinceCheckpoint.bytes >= CHECKPOINT_BYTES;
  }

  #checkpointIfDue(state: ClusterState): void {
    if (this.#saving || this.#work.isAnewPending) return;
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
    this.#work.add({ kind: 'end' });
    this.#saving = this.#work
      .saveBeside(checkpoint)
      .then((bytes) => {
        this.#noteSize(bytes);
        return this.#keepWithinBounds();
      })
      .catch((error: unknown) => this.#work.warn(error, 'is without a checkpoint'))
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

  #noteSize(bytes: number): void {
    this.#checkpointBytes = bytes;
  }

  /** A snapshot of the log waits for this: what it covers must not be lost to history. */
  async #secure(index: number): Promise<void> {
    if (index === 0) return;
    await this.flush();
    await this.#parts.store.sync().catch((error: unknown) => this.#work.warn(error, 'could not be synced'));
  }

  #closeBlock(): void {
    if (this.#records.length === 0) return;
    const bytes = this.#recordBytes;
    const block = { records: this.#records, keys: touchedKeys(this.#changes) };
    this.#records = [];
    this.#changes = [];
    this.#recordBytes = 0;
    if (this.#work.addBlock(block, bytes)) return;
    // The next transaction will not follow on this, so a checkpoint is made of it.
    this.#last = { index: 0, at: 0 };
  }

  async #keepWithinBounds(): Promise<void> {
    const { store, bounds, clock } = this.#parts;
    for (;;) {
      const next = nextStart(store);
      if (next === undefined) return;
      const last = store.segments.findLast((segment) => segment.last <= next);
      const isOld = last !== undefined && last.newestAt < clock.now() - bounds.maxAgeMs;
      if (!isOld && store.bytes <= bounds.maxBytes) return;
      this.#work.add({ kind: 'forget', before: next });
      await this.#work.done();
      if (this.#work.isFailing) return;
    }
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
