/**
 * A snapshot on its way to the disk, as the storage's port has it. It streams beside the log and meets it only when it
 * is complete. Calls may overlap; they are carried out one after the other.
 */

import type { ResumableSnapshotWriter } from '../../storage/storage.ts';
import { FileStorageError } from './errors.ts';
import type { SnapshotFileWriter } from './snapshot-file.ts';

/** How a writer gets its file, and what becomes of it. */
export interface SnapshotFate {
  /** Throws once the storage takes nothing any more. */
  check(): void;
  create(): Promise<SnapshotFileWriter>;
  /** The file is whole and closed: gives it its name. */
  complete(fileBytes: number): Promise<void>;
  /** The file is closed and not wanted. */
  discard(): Promise<void>;
  /** The file is closed and may be gone on with. */
  suspend(): Promise<void>;
  /** Makes an error the storage's own, and tells it of those that end it. */
  failed(error: unknown): FileStorageError;
}

/** See {@link ResumableSnapshotWriter}. The file is made with the first chunk. */
export class FileSnapshotWriter implements ResumableSnapshotWriter {
  readonly #fate: SnapshotFate;
  #file: SnapshotFileWriter | undefined;
  #state: 'open' | 'failed' | 'ended' = 'open';
  #turn: Promise<unknown> = Promise.resolve();

  /** @param file - what is there already. */
  constructor(fate: SnapshotFate, file?: SnapshotFileWriter) {
    this.#fate = fate;
    this.#file = file;
  }

  get received(): number {
    return this.#file?.bytes ?? 0;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const file = await this.#open();
      await file.write(chunk);
    });
  }

  complete(): Promise<void> {
    return this.#inTurn(async () => {
      const file = await this.#open();
      const fileBytes = await file.finish();
      this.#file = undefined;
      await file.close();
      await this.#fate.complete(fileBytes);
      this.#state = 'ended';
    });
  }

  discard(): Promise<void> {
    return this.#end(() => this.#fate.discard());
  }

  suspend(): Promise<void> {
    return this.#end(() => this.#fate.suspend());
  }

  async #open(): Promise<SnapshotFileWriter> {
    if (this.#state !== 'open')
      throw new FileStorageError('closed', 'this snapshot is not being written any more');
    this.#fate.check();
    this.#file ??= await this.#fate.create();
    return this.#file;
  }

  /** Ends it without a result. Does nothing when it has ended. */
  #end(how: () => Promise<void>): Promise<void> {
    const ended = this.#turn.then(async () => {
      if (this.#state !== 'open') return;
      this.#state = 'ended';
      await this.#file?.close();
      await how();
    });
    this.#turn = ended.catch(() => {});
    return ended;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work).catch(async (error: unknown) => {
      if (this.#state === 'open') {
        this.#state = 'failed';
        await this.#file?.close().catch(() => {});
        await this.#fate.discard().catch(() => {});
      }
      throw this.#fate.failed(error);
    });
    this.#turn = done.catch(() => {});
    return done;
  }
}
