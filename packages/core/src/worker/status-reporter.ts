/**
 * Brings the observed statuses to the managers: the newest of each task, one batch on its way at a time, again until
 * it is acknowledged. It keeps one status a task, however long nobody listens.
 */

import type { TaskId } from '../model/ids.ts';
import type { TaskStatus } from '../model/objects.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { BackOff } from './back-off.ts';
import { bounded, errorText } from './bounded.ts';
import { SessionError, type StatusReport } from './dispatcher-port.ts';
import type { WorkerLimits } from './limits.ts';

/** Reports one batch to the managers; resolves when it is committed. */
export type SendReports = (reports: readonly StatusReport[]) => Promise<void>;

/** What a reporter works with. */
export interface StatusReporterParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: WorkerLimits;
}

/** One session's way to the managers. */
interface Outlet {
  readonly send: SendReports;
  readonly end: AbortController;
  readonly onLost: (error: unknown) => void;
  busy: boolean;
}

/** Reports statuses. */
export class StatusReporter {
  readonly #parts: StatusReporterParts;
  readonly #current = new Map<TaskId, TaskStatus>();
  readonly #unreported = new Set<TaskId>();
  readonly #idleWaiters: (() => void)[] = [];
  #outlet: Outlet | undefined;

  constructor(parts: StatusReporterParts) {
    this.#parts = parts;
  }

  /** Takes the newest status of a task; an older one that is still waiting is forgotten. */
  note(id: TaskId, status: TaskStatus): void {
    this.#current.set(id, status);
    this.#unreported.add(id);
    this.#flush();
  }

  /** The task is gone: nobody wants its status any more. */
  forget(id: TaskId): void {
    this.#current.delete(id);
    this.#unreported.delete(id);
  }

  /**
   * A session begins: all that is known is reported, whatever an earlier session got of it.
   *
   * @param onLost Called once when the managers say that the session is no more.
   */
  attach(send: SendReports, onLost: (error: unknown) => void): void {
    this.detach();
    for (const id of this.#current.keys()) this.#unreported.add(id);
    this.#outlet = { send, onLost, end: new AbortController(), busy: false };
    this.#flush();
  }

  /** The session is over. Statuses gather until the next. */
  detach(): void {
    this.#outlet?.end.abort(new Error('the session is over'));
    this.#outlet = undefined;
  }

  /** Resolves when all that is known is acknowledged. */
  async drained(): Promise<void> {
    while (this.#unreported.size > 0 || this.#outlet?.busy) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  #flush(): void {
    const outlet = this.#outlet;
    if (!outlet || outlet.busy || this.#unreported.size === 0) return;
    outlet.busy = true;
    // In the next turn, so that what happens in one turn is reported together.
    this.#parts.clock.defer(() => {
      void this.#pump(outlet).finally(() => {
        outlet.busy = false;
        if (this.#outlet === outlet) this.#flush();
        if (this.#unreported.size === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
      });
    });
  }

  async #pump(outlet: Outlet): Promise<void> {
    const { clock, random, limits, logger } = this.#parts;
    const { signal } = outlet.end;
    const backOff = new BackOff({ firstMs: limits.reconnectMs, maxMs: limits.reconnectMaxMs, random });
    while (this.#unreported.size > 0 && !signal.aborted) {
      const batch = this.#take();
      try {
        await bounded({ clock, signal, deadlineMs: limits.reportMs, what: 'report' }, () =>
          outlet.send(batch),
        );
        backOff.reset();
      } catch (error) {
        for (const { id } of batch) if (this.#current.has(id)) this.#unreported.add(id);
        if (signal.aborted) return;
        if (error instanceof SessionError && error.code !== 'unavailable') {
          this.detach();
          outlet.onLost(error);
          return;
        }
        logger.debug(
          { error: errorText(error), tasks: batch.length },
          'statuses were not taken, trying again',
        );
        await sleep(clock, backOff.next(), signal).catch(() => {});
      }
    }
  }

  #take(): StatusReport[] {
    const batch: StatusReport[] = [];
    for (const id of this.#unreported) {
      if (batch.length === this.#parts.limits.reportRows) break;
      const status = this.#current.get(id);
      if (status) batch.push({ id, status });
      this.#unreported.delete(id);
    }
    return batch;
  }
}
