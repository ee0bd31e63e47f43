/**
 * What a recorder has its store do, one after the other. A store that fails is told of once and tried again with what
 * comes next; what waits for it meanwhile is bounded.
 */

import type { Logger } from '../runtime/logger.ts';
import type { HistoryBlock, HistoryCheckpoint, HistoryStore } from './history-store.ts';

/** What waits for a store that fails; beyond it, history has a hole. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** What is to be done to the store. */
export type StoreJob =
  | { readonly kind: 'block'; readonly block: HistoryBlock; readonly bytes: number }
  | { readonly kind: 'end' }
  /** A state to go on from, without which what follows can't be read. */
  | {
      readonly kind: 'bridge';
      readonly checkpoint: HistoryCheckpoint;
      /** Told how many bytes it takes. */
      readonly saved: (bytes: number) => void;
    }
  /** What is kept is another past. */
  | { readonly kind: 'anew' }
  | { readonly kind: 'claim'; readonly owner: string }
  | { readonly kind: 'forget'; readonly before: number };

/** The work on one store. */
export class StoreWork {
  readonly #store: HistoryStore;
  readonly #logger: Logger;
  #jobs: StoreJob[] = [];
  #working: Promise<void> | undefined;
  /** A checkpoint that is kept beside the jobs. */
  #beside: Promise<unknown> = Promise.resolve();
  #isFailing = false;
  #isClosed = false;

  constructor(store: HistoryStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** The store failed last. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** What is kept is yet to be set aside: a checkpoint that is kept now would go with it. */
  get isAnewPending(): boolean {
    return this.#jobs.some(({ kind }) => kind === 'anew');
  }

  /** Has these done, behind all others. */
  add(...jobs: readonly StoreJob[]): void {
    this.#jobs.push(...jobs);
    void this.done();
  }

  /** Has a block written. @returns false when too much waits for a store that fails: then no block waits any more */
  addBlock(block: HistoryBlock, bytes: number): boolean {
    this.#jobs.push({ kind: 'block', block, bytes });
    const waiting = this.#jobs.reduce((sum, job) => sum + (job.kind === 'block' ? job.bytes : 0), 0);
    if (waiting <= WAITING_BYTES_MAX || !this.#isFailing) return true;
    this.#jobs = this.#jobs.filter((job) => job.kind !== 'block');
    return false;
  }

  /** Drops what waits, and has the store begin anew. */
  beginAnew(): void {
    this.#jobs = [];
    this.add({ kind: 'anew' });
  }

  /** Keeps a state, beside what is done meanwhile. @throws what the store does */
  saveBeside(checkpoint: HistoryCheckpoint): Promise<number> {
    const saved = this.#store.saveCheckpoint(checkpoint);
    this.#beside = saved.catch(() => {});
    return saved;
  }

  /** Resolves once all is done, or the store failed, which the next call tries again. */
  done(): Promise<void> {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  /** Tells, once for a row of failures, that something failed. */
  warn(err: unknown, what: string): void {
    if (this.#isClosed) return;
    if (!this.#isFailing) this.#logger.warn({ err }, `the history of the cluster ${what}`);
    this.#isFailing = true;
  }

  /** What fails from here on is not told: the store is being closed. */
  close(): void {
    this.#isClosed = true;
  }

  async #workOff(): Promise<void> {
    for (let job = this.#jobs[0]; job; job = this.#jobs[0]) {
      try {
        await this.#carryOut(job);
      } catch (error) {
        this.warn(error, 'could not be written; it waits and is tried again');
        return;
      }
      this.#isFailing = false;
      if (this.#jobs[0] === job) this.#jobs.shift();
    }
  }

  async #carryOut(job: StoreJob): Promise<void> {
    const store = this.#store;
    switch (job.kind) {
      case 'block':
        return store.append(job.block);
      case 'end':
        return store.endSegment();
      case 'bridge':
        return job.saved(await store.saveCheckpoint(job.checkpoint));
      case 'anew':
        // A checkpoint that is being kept goes with the rest.
        await this.#beside;
        return store.beginAnew();
      case 'claim':
        return store.claim(job.owner);
      case 'forget':
        return store.forgetBefore(job.before);
    }
  }
}
