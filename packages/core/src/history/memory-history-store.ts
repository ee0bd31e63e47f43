/**
 * History in memory: for clusters without a directory, for browsers, for tests. Checkpoints are old states, which
 * share all but what changed since with the newer ones, so that taking and reading one costs nothing.
 */

import { holding, type Needle } from './contains-text.ts';
import {
  type HistoryBlock,
  type HistoryCheckpoint,
  type HistorySegment,
  type HistoryStore,
  joinSpans,
  type Span,
  type StoredBlock,
  type StoredCheckpoint,
  spanOf,
} from './history-store.ts';

/** What memory is given to history by default. */
const MAX_BYTES = 64 * 1024 * 1024;

/** What a record takes beside its payload. */
const RECORD_BYTES = 100;

interface MemorySegment {
  readonly blocks: StoredBlock[];
  bytes: number;
}

/** A {@link HistoryStore} that ends with the process. */
export class MemoryHistoryStore implements HistoryStore {
  readonly defaultMaxBytes = MAX_BYTES;
  #segments: MemorySegment[] = [];
  #checkpoints: (StoredCheckpoint & { readonly weight: number })[] = [];
  #ended = true;
  #owner: string | undefined;

  get owner(): string | undefined {
    return this.#owner;
  }

  get bytes(): number {
    const segments = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    return this.#checkpoints.reduce((sum, { weight }) => sum + weight, segments);
  }

  get segments(): readonly HistorySegment[] {
    return this.#segments.map(({ blocks }) => ({ ...joinSpans(blocks), blocks: async () => [...blocks] }));
  }

  get checkpoints(): readonly StoredCheckpoint[] {
    return this.#checkpoints;
  }

  async open(): Promise<void> {}

  async append(block: HistoryBlock): Promise<void> {
    const span: Span = spanOf(block.records);
    let segment = this.#segments.at(-1);
    if (!segment || this.#ended || segment.blocks.at(-1)?.last !== span.first - 1) {
      segment = { blocks: [], bytes: 0 };
      this.#segments.push(segment);
      this.#ended = false;
    }
    const { records, keys } = block;
    const find = async (needles: readonly Needle[]) => holding(records, needles);
    segment.blocks.push({ ...span, keys, read: async () => records, holding: find });
    segment.bytes += block.keys.byteLength;
    for (const { payload } of block.records) segment.bytes += payload.length + RECORD_BYTES;
  }

  async endSegment(): Promise<void> {
    this.#ended = true;
  }

  async saveCheckpoint({ index, at, state, weight }: HistoryCheckpoint): Promise<number> {
    this.#checkpoints.push({ index, at, weight, load: async () => ({ kind: 'state', state }) });
    return 0;
  }

  async forgetBefore(index: number): Promise<void> {
    this.#checkpoints = this.#checkpoints.filter((checkpoint) => checkpoint.index >= index);
    this.#segments = this.#segments.filter(({ blocks }) => (blocks.at(-1)?.last ?? 0) > index);
  }

  async claim(owner: string): Promise<void> {
    this.#owner = owner;
  }

  async beginAnew(): Promise<void> {
    this.#segments = [];
    this.#checkpoints = [];
    this.#ended = true;
    this.#owner = undefined;
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}
}
