/**
 * What one page is told: a snapshot, then what changes, collected over moments, and how the member is. Nothing is
 * queued for a page that is slow: what it has not taken yet stays one row an object.
 */

import type { Cluster } from '@skep/core';
import { DeltaBuilder } from '../model/delta-builder.ts';
import { serviceRow, snapshotOf } from '../model/project.ts';
import type { ServiceRow, ViewMessage, ViewStatus } from '../model/rows.ts';

/** What a stream tells of. */
export interface ViewStreamParts {
  readonly cluster: Cluster;
  /** How the member is now. */
  readonly status: () => ViewStatus;
  /** Go on behind this index, without a snapshot, where that can be done. */
  readonly from?: number;
  readonly signal: AbortSignal;
}

/** Between two deltas at least, in ms: more often than that, nobody sees. */
const DELTA_MS = 50;
/** A sign of life at least so often, in ms. */
const STATUS_MS = 1_000;
/** How far services have come is told at most so often, in ms, and takes at most a tenth of the time. */
const SERVICES_MS = 100;
const SERVICES_SHARE = 10;

/** Tells until the signal aborts or the cluster closes. */
export async function* viewStream(parts: ViewStreamParts): AsyncGenerator<ViewMessage, void, undefined> {
  const { cluster, signal } = parts;
  const stream = new ViewStream(cluster);
  const onAbort = () => stream.end();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) return;
    let told = '';
    let toldAt = Number.NEGATIVE_INFINITY;
    stream.begin(parts.from);
    while (!stream.isOver) {
      const status = parts.status();
      const essence = JSON.stringify([status.managers, status.hasLeader]);
      if (essence !== told || performance.now() - toldAt >= STATUS_MS) {
        told = essence;
        toldAt = performance.now();
        yield { type: 'status', status };
      }
      const message = stream.take();
      if (message !== undefined) yield message;
      await stream.turn(toldAt + STATUS_MS - performance.now());
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream.end();
  }
}

/** Where one page is. */
class ViewStream {
  readonly #cluster: Cluster;
  readonly #builder = new DeltaBuilder();
  #isOver = false;
  #needsSnapshot = false;
  #hasNews = false;
  /** Index of the last change that was taken in. */
  #index = 0;
  #unsubscribe = () => {};
  #wake = () => {};
  #servicesAt = Number.NEGATIVE_INFINITY;
  #servicesPauseMs = SERVICES_MS;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(from: number | undefined): void {
    // A member that is behind has nothing to go on with: it shows what it has, and its index.
    const { index } = this.#cluster.health;
    if (from === undefined || from > index) this.#needsSnapshot = true;
    else {
      this.#follow(from);
      // How far they were may not have been told before the stream broke off.
      this.#touchAll();
    }
  }

  end(): void {
    this.#isOver = true;
    this.#unsubscribe();
    this.#wake();
  }

  /** What there is to tell now. */
  take(): ViewMessage | undefined {
    if (this.#isOver) return undefined;
    if (this.#needsSnapshot) {
      this.#needsSnapshot = false;
      const { index, at } = this.#cluster.health;
      const snapshot = snapshotOf(this.#cluster, { index, at });
      this.#follow(index);
      return { type: 'snapshot', snapshot };
    }
    const services = this.#services();
    if (!this.#hasNews && services.length === 0) return undefined;
    this.#hasNews = false;
    return { type: 'delta', delta: this.#builder.take(this.#index, services) };
  }

  /** Resolves when it is time to look again. @param atMostMs - not later than that */
  turn(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      let next: ReturnType<typeof setTimeout> | undefined;
      const done = () => {
        clearTimeout(last);
        clearTimeout(next);
        this.#wake = () => {};
        resolve();
      };
      const soon = () => {
        if (this.#isOver) done();
        else next ??= setTimeout(done, DELTA_MS);
      };
      const last = setTimeout(done, Math.max(DELTA_MS, atMostMs));
      this.#wake = soon;
      const hasMore = this.#hasNews || this.#needsSnapshot || this.#builder.isTouched;
      if (hasMore || this.#isOver) soon();
    });
  }

  #follow(from: number): void {
    this.#unsubscribe();
    this.#index = from;
    let isOld = false;
    const subscription = this.#cluster.watch({ from }).subscribe({
      next: (event) => {
        if (isOld) return;
        if (event.type === 'gap') {
          isOld = true;
          this.#needsSnapshot = true;
        } else if (event.type !== 'current' && event.type !== 'synced') {
          this.#index = event.index;
          this.#builder.add(event);
          this.#hasNews = true;
          // A node that comes or goes may matter to every service.
          if (event.kind === 'node') {
            this.#touchAll();
          }
        }
        this.#wake();
      },
      complete: () => this.end(),
    });
    this.#unsubscribe = () => {
      isOld = true;
      subscription.unsubscribe();
    };
  }

  #touchAll(): void {
    for (const { id } of this.#cluster.services.list()) this.#builder.touch(id);
  }

  /** Rows of services that may have changed, unless they were told a moment ago. */
  #services(): ServiceRow[] {
    const begun = performance.now();
    if (!this.#builder.isTouched || begun - this.#servicesAt < this.#servicesPauseMs) return [];
    const { services } = this.#cluster;
    const touched = new Set<string>(this.#builder.takeTouched());
    const rows = services
      .list()
      .filter(({ id }) => touched.has(id))
      .map((service) => serviceRow(service, services.status(service.id)));
    this.#servicesAt = performance.now();
    this.#servicesPauseMs = Math.max(SERVICES_MS, SERVICES_SHARE * (this.#servicesAt - begun));
    return rows;
  }
}
