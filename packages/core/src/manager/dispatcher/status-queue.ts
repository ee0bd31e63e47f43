/**
 * Status reports on their way into the log: while one transaction is in flight, what comes gathers, newest per task,
 * and goes with the next. So a storm of reports costs few transactions, and a single report waits for nothing.
 */

import type { NodeId, TaskId } from '../../model/ids.ts';
import type { TaskStatus } from '../../model/objects.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { StatusReport } from '../../worker/dispatcher-port.ts';
import type { LeaderStore } from '../leader-store.ts';
import { checkReport, statusBytes } from './status-check.ts';

/** Most bytes of statuses in one transaction, by estimate; the log takes 512 KiB. */
const STATUS_BYTES_MAX = 256 * 1024;

/** One transaction's worth of reports, and who waits for it. */
interface Batch {
  readonly rows: Map<TaskId, { readonly nodeId: NodeId; readonly status: TaskStatus }>;
  readonly committed: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  bytes: number;
}

/** Gathers reports and commits them. */
export class StatusQueue {
  readonly #store: LeaderStore;
  readonly #logger: Logger;
  /** Batches that wait, the first to go first. New reports join the last. */
  readonly #waiting: Batch[] = [];
  #busy = false;

  constructor(store: LeaderStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Takes a node's reports. Resolves once all that count are committed; rejects as the store does. */
  async add(nodeId: NodeId, reports: readonly StatusReport[]): Promise<void> {
    const batches = new Set<Batch>();
    for (const { id, status } of reports) batches.add(this.#put(nodeId, id, status));
    this.#flush();
    await Promise.all([...batches].map((batch) => batch.committed));
  }

  #put(nodeId: NodeId, id: TaskId, status: TaskStatus): Batch {
    const bytes = statusBytes(id, status);
    let batch = this.#waiting.at(-1);
    if (!batch || batch.bytes + bytes > STATUS_BYTES_MAX) {
      batch = newBatch();
      this.#waiting.push(batch);
    }
    batch.bytes += bytes;
    batch.rows.set(id, { nodeId, status });
    return batch;
  }

  #flush(): void {
    if (this.#busy) return;
    this.#busy = true;
    // In a microtask, so that reports of one turn go together.
    void Promise.resolve()
      .then(() => this.#pump())
      .finally(() => {
        this.#busy = false;
      });
  }

  async #pump(): Promise<void> {
    for (let batch = this.#waiting.shift(); batch; batch = this.#waiting.shift()) {
      try {
        await this.#commit(batch);
        batch.resolve();
      } catch (error) {
        batch.reject(error);
      }
    }
  }

  #commit(batch: Batch): Promise<void> {
    return this.#store.transact({ kind: 'loop', name: 'dispatcher' }, (head) => {
      const rows: StatusReport[] = [];
      for (const [id, { nodeId, status }] of batch.rows) {
        const verdict = checkReport(nodeId, head.task(id), status);
        if (verdict === 'news') rows.push({ id, status });
        else if (verdict === 'not-its-task') {
          this.#logger.warn({ node: nodeId, task: id }, 'a node reported on a task of another: ignored');
        }
      }
      return { events: rows.length === 0 ? [] : [{ type: 'task.status', rows }], result: undefined };
    });
  }
}

function newBatch(): Batch {
  let resolve = () => {};
  let reject: (error: unknown) => void = () => {};
  const committed = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Whoever reported may have gone meanwhile.
  committed.catch(() => {});
  return { rows: new Map(), committed, resolve, reject, bytes: 0 };
}
