/**
 * What a leader knows of the metrics that services are scaled by. Like heartbeats it is not of the state: values come
 * all the time, and a new leader hears of them anew. It knows since when it has listened without a gap, so that whoever
 * wants to know the past of a while can tell whether it is known.
 */

import type { ServiceId } from '../../../model/ids.ts';

/** One value of a metric. */
export interface MetricSample {
  /** When it was measured; milliseconds since 1970, the leader's clock. */
  readonly at: number;
  /** Of the whole service, or of the average of those tasks that were heard of. */
  readonly value: number;
  /** Tasks that the service was to have then. */
  readonly replicas: number;
  /** Of the average of so many tasks. Absent: the value tells of all. */
  readonly heard?: number;
}

/** What is known of one service's metric. */
export interface MetricReading {
  /** Values, oldest first. */
  readonly samples: readonly MetricSample[];
  /** From then on there is no gap. */
  readonly since: number;
  /** What went wrong last, in words, if nothing has come since. */
  readonly problem?: string;
  /** It will not come by itself. */
  readonly isHopeless?: true;
}

/** Where readings are read. */
export interface MetricReadings {
  /** Undefined: nobody listens to the service's metric yet. */
  reading(id: ServiceId): MetricReading | undefined;
  /** Calls back when there is something new of a service. Returns the way to stop. */
  onNews(listener: (id: ServiceId) => void): () => void;
}

/** How much of the past of a metric is kept, milliseconds. */
export interface MetricMemory {
  /** Values that are older are of no use. */
  readonly keepMs: number;
  /** A longer silence is a gap. */
  readonly gapMs: number;
}

/** The readings of all services. */
export class MetricBook implements MetricReadings {
  readonly #readings = new Map<ServiceId, MetricReading>();
  readonly #listeners = new Set<(id: ServiceId) => void>();

  reading(id: ServiceId): MetricReading | undefined {
    return this.#readings.get(id);
  }

  onNews(listener: (id: ServiceId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody listens from now on. What was known of another metric of the service is forgotten. */
  begin(id: ServiceId, at: number): void {
    this.#put(id, { samples: [], since: at });
  }

  forget(id: ServiceId): void {
    this.#readings.delete(id);
  }

  /** A value has come. Does nothing where nobody listens. */
  note(id: ServiceId, sample: MetricSample, memory: MetricMemory): void {
    const reading = this.#readings.get(id);
    if (reading) this.#put(id, withSample(reading, sample, memory));
  }

  /** It can't be had just now, or at all. */
  fail(id: ServiceId, problem: string, options: { readonly isHopeless?: true } = {}): void {
    const reading = this.#readings.get(id);
    if (reading) this.#put(id, { samples: reading.samples, since: reading.since, problem, ...options });
  }

  #put(id: ServiceId, reading: MetricReading): void {
    this.#readings.set(id, reading);
    for (const listener of this.#listeners) listener(id);
  }
}

/** The reading with one value more, and without those that are of no use any more. Pure. */
export function withSample(
  { samples, since }: MetricReading,
  sample: MetricSample,
  { keepMs, gapMs }: MetricMemory,
): MetricReading {
  const last = samples.at(-1);
  // A clock that was set back: what was measured then is of another time.
  const isGap = last !== undefined && (sample.at - last.at > gapMs || sample.at < last.at);
  if (isGap) return { samples: [sample], since: sample.at };
  const kept = samples.filter(({ at }) => at >= sample.at - keepMs);
  return { samples: [...kept, sample], since };
}
