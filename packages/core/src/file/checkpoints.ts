/**
 * When and how snapshots are taken of an open file log: one at a time, asked for or due by themselves, beside the
 * appends. The log gives a view between two batches; from there on nothing here holds it up.
 */

import type { Epoch, Position, StateCapture } from '../log/event-log.ts';
import { LogError } from '../log/event-log.ts';
import { asLogError } from './log-failure.ts';
import type { LogFiles } from './log-files.ts';
import type { FileEventLogSettings } from './options.ts';

/** The state between two batches, with a new segment begun behind it. */
export interface View {
  readonly capture: StateCapture;
  readonly position: Position;
  readonly epoch: Epoch;
  readonly files: LogFiles;
}

/** Takes checkpoints of one log. */
export class Checkpoints {
  readonly #settings: FileEventLogSettings;
  readonly #view: () => Promise<View>;
  readonly #onDiscard: () => void;
  readonly #closing = new AbortController();
  #queue: Promise<unknown> = Promise.resolve();
  #automatic = false;
  #entries = 0;
  #bytes = 0;

  /**
   * @param view - takes a view of the state between two batches.
   * @param onDiscard - told when nothing that is covered may stay, also in memory.
   */
  constructor(settings: FileEventLogSettings, view: () => Promise<View>, onDiscard: () => void) {
    this.#settings = settings;
    this.#view = view;
    this.#onDiscard = onDiscard;
  }

  /** Counts what was committed, and starts a checkpoint when one is due. */
  committed(entries: number, bytes: number): void {
    const { snapshotEveryEntries, snapshotEveryBytes } = this.#settings;
    this.#entries += entries;
    this.#bytes += bytes;
    if (this.#entries >= snapshotEveryEntries || this.#bytes >= snapshotEveryBytes) this.start();
  }

  /** Starts a checkpoint in the background, unless one runs. Its failure is logged, and tried again when next due. */
  start(): void {
    if (this.#automatic) return;
    this.#automatic = true;
    this.take(false, undefined)
      .catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.#settings.logger.warn({ err: error }, 'an automatic checkpoint failed');
      })
      .finally(() => {
        this.#automatic = false;
      });
  }

  /** Takes a checkpoint when those before it are done. Its view is of the moment of its turn, after this call. */
  take(discard: boolean, signal: AbortSignal | undefined): Promise<Position> {
    const mine = this.#queue.then(() => this.#take(discard, signal));
    this.#queue = mine.catch(() => {});
    return mine;
  }

  /** Ends what runs and waits for it. */
  async close(): Promise<void> {
    this.#closing.abort(new LogError('closed', 'the log is closed'));
    await this.#queue;
  }

  async #take(discard: boolean, signal: AbortSignal | undefined): Promise<Position> {
    const closing = this.#closing.signal;
    const either = signal ? AbortSignal.any([signal, closing]) : closing;
    either.throwIfAborted();
    const { capture, position, epoch, files } = await this.#view();
    this.#entries = 0;
    this.#bytes = 0;
    try {
      if (position > files.snapshot) {
        await files.save({ position, epoch, discards: discard }, capture.chunks(), either);
      }
      if (discard) this.#onDiscard();
      await files.forget(discard ? 0 : this.#settings.retainBytes);
      return position;
    } catch (error) {
      throw either.aborted ? error : asLogError(error, 'the checkpoint failed');
    } finally {
      capture.release();
    }
  }
}
