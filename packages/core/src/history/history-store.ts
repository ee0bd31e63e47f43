/**
 * The port to wherever a member keeps its history: memory, a directory, or a place of somebody else's. It speaks of
 * records, which are committed transactions without secret values, and of checkpoints, which are states without them.
 * It decides nothing: what is recorded, when a checkpoint is due and what is forgotten says the recorder.
 *
 * Records come in blocks. A block knows which objects its records touch, so that the story of one object is read
 * without decoding what is not of it. Blocks that follow each other make a segment, which is forgotten as a whole.
 */

import type { ClusterState } from '../state/cluster-state.ts';
import type { Needle } from './contains-text.ts';

/** A moment of the cluster: the index of a transaction, and its time in milliseconds since 1970. */
export interface Moment {
  readonly index: number;
  readonly at: number;
}

/** One committed transaction, as `events/codec.ts` writes it, without the values of secrets. */
export interface HistoryRecord extends Moment {
  readonly payload: Uint8Array;
}

/** Records of consecutive indexes, at least one. */
export interface HistoryBlock {
  readonly records: readonly HistoryRecord[];
  /** Keys of what the records touch, sorted, each once; see `touched-keys.ts`. */
  readonly keys: Uint32Array;
}

/** What a stretch of records spans. Times of leaders need not grow, so the oldest and the newest are told. */
export interface Span {
  readonly first: number;
  readonly last: number;
  readonly oldestAt: number;
  readonly newestAt: number;
}

/** A block that is kept. */
export interface StoredBlock extends Span {
  readonly keys: Uint32Array;
  read(): Promise<readonly HistoryRecord[]>;
  /** Only the records that hold one of these texts somewhere: much quicker than all where they are few. */
  holding(needles: readonly Needle[]): Promise<readonly HistoryRecord[]>;
}

/** Blocks that follow each other without a hole, and are forgotten together. */
export interface HistorySegment extends Span {
  blocks(): Promise<readonly StoredBlock[]>;
}

/** A state to be kept. */
export interface HistoryCheckpoint extends Moment {
  readonly state: ClusterState;
  /** The state as bytes, made in slices while they are asked for. */
  chunks(): AsyncIterable<Uint8Array>;
  /** About how many bytes it takes to hold the state itself, beside the one before it. */
  readonly weight: number;
}

/** What a checkpoint is kept as. */
export type CheckpointContents =
  | { readonly kind: 'state'; readonly state: ClusterState }
  | { readonly kind: 'chunks'; readonly chunks: AsyncIterable<Uint8Array> };

/** A checkpoint that is kept. */
export interface StoredCheckpoint extends Moment {
  load(): Promise<CheckpointContents>;
}

/** Where history is kept. One caller; one `append`, `endSegment`, `forgetBefore`, `claim` or `beginAnew` at a time. */
export interface HistoryStore {
  /** What is kept by default, in bytes, where the owner of the cluster does not say. */
  readonly defaultMaxBytes: number;
  /** Id of the cluster whose past this is; undefined as long as nobody has said. */
  readonly owner: string | undefined;
  /** Bytes that are kept. */
  readonly bytes: number;
  /** In ascending order. What was appended is there. */
  readonly segments: readonly HistorySegment[];
  /** In ascending order. */
  readonly checkpoints: readonly StoredCheckpoint[];

  /**
   * Finds what is kept, without reading it. Called once, before anything else.
   *
   * @throws LogError `locked`, `wrong-key`, `unsupported-version`, `io`
   */
  open(): Promise<void>;

  /** Adds a block. One that does not follow the last begins a new segment. When it rejects, nothing was added. */
  append(block: HistoryBlock): Promise<void>;

  /** The next block begins a new segment. */
  endSegment(): Promise<void>;

  /**
   * Keeps a state; may run beside appends. When it rejects, nothing is kept of it.
   *
   * @returns about how many bytes it takes.
   */
  saveCheckpoint(checkpoint: HistoryCheckpoint): Promise<number>;

  /** Forgets checkpoints before `index`, and segments that end there or before. */
  forgetBefore(index: number): Promise<void>;

  /** Says whose past is kept from here on. Survives the loss of power. */
  claim(owner: string): Promise<void>;

  /** Lets go of all that is kept, since it is of another past: sets it aside, where it can. Nobody owns it after that. */
  beginAnew(): Promise<void>;

  /** Resolves once what was appended before survives the loss of power, as far as it ever will. */
  sync(): Promise<void>;

  /** Ends a checkpoint that is being kept, and lets go. Safe to call twice. */
  close(): Promise<void>;
}

/** What consecutive records span. */
export function spanOf(records: readonly HistoryRecord[]): Span {
  let oldestAt = Number.POSITIVE_INFINITY;
  let newestAt = Number.NEGATIVE_INFINITY;
  for (const { at } of records) {
    oldestAt = Math.min(oldestAt, at);
    newestAt = Math.max(newestAt, at);
  }
  return { first: records[0]?.index ?? 0, last: records.at(-1)?.index ?? 0, oldestAt, newestAt };
}

/** What several spans, in ascending order, span together. */
export function joinSpans(spans: readonly Span[]): Span {
  return {
    first: spans[0]?.first ?? 0,
    last: spans.at(-1)?.last ?? 0,
    oldestAt: Math.min(...spans.map(({ oldestAt }) => oldestAt)),
    newestAt: Math.max(...spans.map(({ newestAt }) => newestAt)),
  };
}
