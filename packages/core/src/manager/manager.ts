/**
 * A manager: one member of the cluster's log that may come to lead. While it leads, it keeps a ledger, a dispatcher
 * and the control loops running, from one list, for as long as the fenced epoch lasts. Following, it keeps only the
 * replica, and is ready to lead at once since its state is built already.
 */

import { ClosedError, OutcomeUnknownError, type SkepError, UnavailableError } from '../errors.ts';
import type { EventLog, LeaderTerm } from '../log/event-log.ts';
import { type ClusterId, newId } from '../model/ids.ts';
import type { ClusterSpec } from '../model/other-specs.ts';
import { waitForAbort } from '../runtime/abort.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { Replica } from '../state/replica.ts';
import { createAllocator } from './allocator/allocator.ts';
import type { ControlLoop } from './control-loop.ts';
import { Dispatcher } from './dispatcher/dispatcher.ts';
import { Ledger } from './ledger.ts';
import { LoopRunner, type LoopStatus } from './loop-runner.ts';
import type { MetricSources } from './metric-watch/metric-source.ts';
import { MetricWatch } from './metric-watch/metric-watch.ts';
import { createAutoscaler } from './orchestrator/autoscale/autoscaler.ts';
import { createConstraintEnforcer } from './orchestrator/constraint-enforcer.ts';
import { createCron } from './orchestrator/cron/cron.ts';
import { createGlobalOrchestrator } from './orchestrator/global.ts';
import { createJobsOrchestrator } from './orchestrator/jobs/jobs.ts';
import { createOrphanKeeper } from './orchestrator/orphan-keeper.ts';
import { createRebalancer } from './orchestrator/rebalance/rebalancer.ts';
import { createReplicatedOrchestrator } from './orchestrator/replicated.ts';
import { createStartOrder } from './orchestrator/start-order/start-order.ts';
import { createTaskReaper } from './orchestrator/task-reaper.ts';
import { PlanGuard } from './planner/what-matters.ts';
import { createScheduler } from './scheduler/scheduler.ts';

/**
 * Every control loop that decides by the state alone, in the order in which one decision usually follows from another. A
 * leader runs the autoscaler beside them, which goes by what it hears of metrics.
 */
export const CONTROL_LOOPS: readonly (() => ControlLoop)[] = [
  createReplicatedOrchestrator,
  createGlobalOrchestrator,
  createCron,
  createJobsOrchestrator,
  createStartOrder,
  createConstraintEnforcer,
  createAllocator,
  createScheduler,
  createOrphanKeeper,
  createRebalancer,
  createTaskReaper,
];

/** Between two attempts to lead while the log refuses what is decided. Doubles up to the most. */
const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;

/** What a manager works with. */
export interface ManagerParts {
  readonly log: EventLog;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Settings that a new cluster begins with. */
  readonly clusterSpec: ClusterSpec;
  /** Its id. Default: a random one. */
  readonly clusterId?: ClusterId;
  /** Metrics of the user's own, which services can be scaled by. */
  readonly metricSources?: MetricSources;
}

/** What only a leader has. */
export interface Leading {
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  /** Tells whether what was planned would still come of it. */
  readonly planGuard: PlanGuard;
}

interface Waiter {
  /** Without an argument: another manager leads, and this one follows it. */
  resolve(leading?: Leading): void;
  reject(reason: unknown): void;
  /** Stops waiting, without an answer. */
  forget(): void;
}

/** Reasons that mean no more than that another member leads now. */
const LOST: ReadonlySet<string> = new Set(['not-leader', 'fenced']);

/**
 * A leadership that was lost is another member's, also where it is open what became of its last words; anything else
 * would meet the next command just as well.
 */
function isLost(failure: SkepError): boolean {
  return (
    failure instanceof OutcomeUnknownError ||
    (failure instanceof UnavailableError && LOST.has(failure.reason))
  );
}

/** One manager of a cluster. */
export class Manager {
  readonly #parts: ManagerParts;
  readonly #stopLeading: () => void;
  readonly #stopListening: () => void;
  readonly #waiters = new Set<Waiter>();
  #leading: Leading | undefined;
  #runners: LoopRunner[] = [];
  #refusal: SkepError | undefined;
  #closed = false;
  #decides = true;

  constructor(parts: ManagerParts) {
    this.#parts = parts;
    this.#stopLeading = parts.log.whileLeader((term) => this.#lead(term));
    this.#stopListening = parts.log.onLeadership((leadership) => {
      if (leadership.role === 'none') this.#tellRefusal();
      // What waits here for its turn to lead would wait for as long as the other one lives.
      else if (leadership.role === 'follower' && leadership.leader !== undefined) {
        this.#settle((waiter) => waiter.resolve());
      }
    });
  }

  /** What this manager leads with, if it leads. */
  get leading(): Leading | undefined {
    return this.#leading;
  }

  /** The manager that leads in place of this one, if one is known. */
  get leader(): string | undefined {
    const leadership = this.#parts.log.leadership();
    return leadership.role === 'follower' ? leadership.leader : undefined;
  }

  /** Why the log takes nothing just now, if so. */
  get refusal(): SkepError | undefined {
    return this.#refused();
  }

  /** Counters of the running control loops. */
  get loops(): readonly LoopStatus[] {
    return this.#runners.map((runner) => runner.status);
  }

  /**
   * Waits until this manager leads.
   *
   * @throws UnavailableError `not-leader` naming the manager that leads instead, as soon as one is known; or, when the
   *   log takes nothing just now (a full disk, say), for its reason; ClosedError; the signal's reason.
   */
  async whenLeading(signal?: AbortSignal): Promise<Leading> {
    const leading = await this.whenServing(signal);
    if (leading) return leading;
    const { leader } = this;
    throw new UnavailableError('not-leader', `this manager follows, ${leader ?? 'another one'} leads`, {
      ...(leader === undefined ? {} : { leader }),
    });
  }

  /**
   * Waits until this manager leads, or follows one that does. Resolves to what it leads with, if it leads.
   *
   * @throws UnavailableError when the log takes nothing just now, for its reason; ClosedError; the signal's reason.
   */
  whenServing(signal?: AbortSignal): Promise<Leading | undefined> {
    if (this.#closed) return Promise.reject(new ClosedError('the cluster'));
    if (this.#leading || this.leader !== undefined) return Promise.resolve(this.#leading);
    const refusal = this.#refused();
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve,
        reject,
        forget: () => {
          this.#waiters.delete(waiter);
          signal?.removeEventListener('abort', onAbort);
        },
      };
      const onAbort = () => {
        waiter.forget();
        reject(signal?.reason);
      };
      this.#waiters.add(waiter);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Ends the control loops, for good: what ends from here on is not replaced. Sessions and commands go on. */
  stopDeciding(): void {
    this.#decides = false;
    for (const runner of this.#runners.splice(0)) runner.stop();
  }

  /** Stops leading, for good. The log stays open: it is its owner's. */
  close(): void {
    this.#closed = true;
    this.#stopLeading();
    this.#stopListening();
    this.#settle((waiter) => waiter.reject(new ClosedError('the cluster')));
  }

  async #lead(term: LeaderTerm): Promise<void> {
    let sequence = 0;
    let retryMs = RETRY_MS;
    while (!term.signal.aborted) {
      const before = sequence;
      const ledger = new Ledger({ ...this.#parts, epoch: term.epoch, sequence });
      const failure = await this.#leadWith(ledger, term.signal);
      await ledger.idle();
      sequence = ledger.acceptedSequence;
      if (!failure) return;
      this.#refusal = isLost(failure) ? undefined : failure;
      this.#tellRefusal();
      if (term.signal.aborted) return;
      this.#parts.logger.error({ error: failure }, 'the log refused what was decided; beginning again');
      retryMs = sequence > before ? RETRY_MS : Math.min(retryMs * 2, RETRY_MS_MAX);
      await sleep(this.#parts.clock, retryMs, term.signal).catch(() => {});
    }
  }

  /** Leads until the term ends or the log refuses something; answers with the refusal. */
  async #leadWith(ledger: Ledger, signal: AbortSignal): Promise<SkepError | undefined> {
    const { clock, random, logger } = this.#parts;
    const refused = new Promise<SkepError>((resolve) => ledger.onFailure(resolve));
    const dispatcher = new Dispatcher({ store: ledger, clock, random, logger });
    const metrics = new MetricWatch({
      ...{ store: ledger, clock, logger, now: () => ledger.now(), sources: this.#parts.metricSources ?? {} },
      worker: (nodeId) => dispatcher.worker(nodeId),
    });
    const planGuard = new PlanGuard(ledger.head);
    ledger.onHead((changes) => planGuard.observe(changes));
    try {
      await this.#ensureCluster(ledger);
      if (signal.aborted) return undefined;
      dispatcher.start();
      metrics.start();
      const loops = [...CONTROL_LOOPS, () => createAutoscaler(metrics.readings)];
      this.#runners = (this.#decides ? loops : []).map(
        (create) => new LoopRunner(create(), { ledger, clock, logger }),
      );
      this.#refusal = undefined;
      this.#announce({ ledger, dispatcher, planGuard });
      return await Promise.race([refused, waitForAbort(signal).then(() => undefined)]);
    } catch (error) {
      return (
        ledger.failure ?? new UnavailableError('not-leader', 'could not begin to lead', { cause: error })
      );
    } finally {
      this.#leading = undefined;
      for (const runner of this.#runners.splice(0)) runner.stop();
      metrics.close();
      dispatcher.close();
      ledger.end(new UnavailableError('not-leader', 'this manager does not lead any more'));
    }
  }

  /** The first transaction of a new log makes the cluster. */
  async #ensureCluster(ledger: Ledger): Promise<void> {
    if (ledger.head.cluster) return;
    await ledger.transact({ kind: 'loop', name: 'manager' }, (head, { random }) => ({
      events: head.cluster
        ? []
        : [
            {
              type: 'cluster.created',
              id: this.#parts.clusterId ?? newId<ClusterId>(random),
              spec: this.#parts.clusterSpec,
              digestKey: random.bytes(32),
            },
          ],
      result: undefined,
    }));
  }

  #announce(leading: Leading): void {
    this.#leading = leading;
    this.#settle((waiter) => waiter.resolve(leading));
  }

  /** Why the log takes nothing just now, if so. */
  #refused(): SkepError | undefined {
    if (this.#refusal) return this.#refusal;
    const { failure } = this.#parts.log.status();
    return failure === undefined ? undefined : new UnavailableError(failure.reason, failure.message);
  }

  /** Nobody waits for a log that has said why it takes nothing. */
  #tellRefusal(): void {
    const refusal = this.#refused();
    if (refusal && !this.#leading) this.#settle((waiter) => waiter.reject(refusal));
  }

  #settle(end: (waiter: Waiter) => void): void {
    for (const waiter of [...this.#waiters]) {
      waiter.forget();
      end(waiter);
    }
  }
}
