/**
 * Listens to the metrics that services are scaled by, for as long as a manager leads: agents are asked for what tasks
 * use, sources of users are read. What comes is noted in the book that the autoscaler decides from; nothing of it is
 * state.
 */

import { type Autoscale, metricName } from '../../model/autoscale.ts';
import type { ServiceId } from '../../model/ids.ts';
import type { Service } from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import { type Clock, sleep, yieldTurn } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { errorText } from '../../worker/bounded.ts';
import { consume } from '../../worker/consume.ts';
import type { LeaderStore } from '../leader-store.ts';
import { MetricBook, type MetricReadings } from '../orchestrator/autoscale/metric-book.ts';
import type { MetricSources } from './metric-source.ts';
import { serviceUsage, type UsageParts } from './task-usage.ts';

/** What a watch works with. */
interface MetricWatchParts extends UsageParts {
  readonly store: Pick<LeaderStore, 'committed' | 'onCommitted'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The leader's time, milliseconds since 1970. */
  readonly now: () => number;
  /** Metrics of the user's own. */
  readonly sources: MetricSources;
}

/** A service that is listened to. */
interface Watched {
  readonly policy: Pick<Autoscale, 'metric' | 'everyMs'>;
  readonly end: AbortController;
}

/** Listens during one leadership. */
export class MetricWatch {
  readonly #parts: MetricWatchParts;
  readonly #book = new MetricBook();
  readonly #watched = new Map<ServiceId, Watched>();
  #stopListening: () => void = () => {};

  constructor(parts: MetricWatchParts) {
    this.#parts = parts;
  }

  /** What has come. */
  get readings(): MetricReadings {
    return this.#book;
  }

  /** Begins to listen. Called once. */
  start(): void {
    const { store } = this.#parts;
    this.#stopListening = store.onCommitted(({ changes }) => {
      for (const { kind, before, after } of changes) {
        if (kind !== 'service' || before?.spec.autoscale === after?.spec.autoscale) continue;
        const id = (after ?? before)?.id;
        if (id !== undefined) this.#follow(id, after);
      }
    });
    for (const service of store.committed.services()) {
      if (service.spec.autoscale !== undefined) this.#follow(service.id, service);
    }
  }

  /** The leadership is over. Safe to call twice. */
  close(): void {
    this.#stopListening();
    for (const id of [...this.#watched.keys()]) this.#end(id);
  }

  #follow(id: ServiceId, service: Service | undefined): void {
    const policy = service?.spec.autoscale;
    const known = this.#watched.get(id);
    if (policy && known && isSameMetric(known.policy, policy)) return;
    this.#end(id);
    if (!policy) return;
    const end = new AbortController();
    this.#watched.set(id, { policy, end });
    this.#book.begin(id, this.#parts.now());
    this.#listen(id, policy, end.signal).catch((error: unknown) => {
      if (!end.signal.aborted)
        this.#parts.logger.error({ service: id, error }, 'a metric is not heard any more');
    });
  }

  #end(id: ServiceId): void {
    this.#watched.get(id)?.end.abort(new Error('the metric is not wanted any more'));
    this.#watched.delete(id);
    this.#book.forget(id);
  }

  /** Rejects once the signal aborts. */
  async #listen(id: ServiceId, { metric, everyMs }: Autoscale, signal: AbortSignal): Promise<void> {
    const { clock, sources } = this.#parts;
    if (typeof metric === 'object' && !Object.hasOwn(sources, metric.name)) {
      const problem = `the manager that leads was given no metric '${metric.name}' (metricSources)`;
      this.#book.fail(id, problem, { isHopeless: true });
      return;
    }
    for (;;) {
      const service = this.#parts.store.committed.service(id);
      if (!service) return;
      if (typeof metric === 'object') await this.#readSource(service, metric.name, everyMs, signal);
      else await this.#measure(service, metric, signal);
      await sleep(clock, everyMs, signal);
    }
  }

  async #measure(service: Service, metric: 'cpu' | 'memory', signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    const at = this.#parts.now();
    const found = await serviceUsage(this.#parts, store.committed, service, metric, signal);
    const { value, heard, problem } = found;
    if (value === undefined) this.#book.fail(service.id, problem ?? 'nothing was heard of its tasks');
    else this.#note(service, { at, value, heard });
  }

  /** Reads until the values end or fail. */
  async #readSource({ id }: Service, name: string, everyMs: number, signal: AbortSignal): Promise<void> {
    const { clock, now, sources, store } = this.#parts;
    let last = Number.NEGATIVE_INFINITY;
    const take = (value: unknown): void | Promise<void> => {
      if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
        throw new Error(`its source gave ${String(value)}, which is no number of 0 or more`);
      }
      const at = now();
      const service = store.committed.service(id);
      // Values come as often as the source likes. Of those that come early the next turn belongs to others.
      if (!service || at - last < everyMs / 2) return yieldTurn(clock);
      last = at;
      this.#note(service, { at, value });
    };
    try {
      const service = store.committed.service(id);
      const source = sources[name];
      if (service && source) await consume(source(service, signal), signal, take);
      this.#book.fail(id, 'its source ended');
    } catch (error) {
      signal.throwIfAborted();
      this.#book.fail(id, errorText(error));
    }
  }

  #note({ id, spec }: Service, sample: { at: number; value: number; heard?: number }): void {
    const { autoscale: policy, replicas = 1 } = spec;
    if (!policy) return;
    const memory = { keepMs: policy.stabilizationMs, gapMs: policy.staleMs };
    this.#parts.logger.debug(
      { service: id, metric: metricName(policy), value: sample.value },
      'a value has come',
    );
    this.#book.note(id, { ...sample, replicas }, memory);
  }
}

function isSameMetric(a: Watched['policy'], b: Watched['policy']): boolean {
  return a.everyMs === b.everyMs && plainEqual(a.metric, b.metric);
}
