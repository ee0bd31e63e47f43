/**
 * Where tasks of one spec version of a service failed of late: times by node. Folded from the same events as all
 * else; a new leader has those whose tasks the state still holds, which is enough for what is only a preference.
 */

import type { Task } from '../../model/objects.ts';
import { FAILURE_WINDOW_MS, FAULTY_FROM } from './node-order.ts';

/** Most times kept for one node. More failures than this make it no worse. */
const TIMES_MAX = 64;

/** Failures by node slot. */
export class FailureRecord {
  readonly #times = new Map<number, number[]>();

  /** True when there are none. */
  get empty(): boolean {
    return this.#times.size === 0;
  }

  /** Notes a failure. `at` is when the leader was told; milliseconds since 1970. */
  add(slot: number, at: number): void {
    const times = this.#times.get(slot);
    if (!times) {
      this.#times.set(slot, [at]);
      return;
    }
    times.push(at);
    if (times.length > TIMES_MAX) times.shift();
  }

  /** Forgets a node. */
  clear(slot: number): void {
    this.#times.delete(slot);
  }

  /** Forgets what happened too long before `now` to count. */
  prune(now: number): void {
    for (const [slot, times] of this.#times) {
      const recent = times.filter((at) => at > now - FAILURE_WINDOW_MS);
      if (recent.length === 0) this.#times.delete(slot);
      else if (recent.length < times.length) this.#times.set(slot, recent);
    }
  }

  /** Failures of one node that still count. */
  count(slot: number, now: number): number {
    let count = 0;
    for (const at of this.#times.get(slot) ?? []) if (at > now - FAILURE_WINDOW_MS) count += 1;
    return count;
  }

  /** The nodes that are faulty now, with their failures. */
  faulty(now: number): Map<number, number> {
    const found = new Map<number, number>();
    for (const slot of this.#times.keys()) {
      const count = this.count(slot, now);
      if (count >= FAULTY_FROM) found.set(slot, count);
    }
    return found;
  }
}

/** Notes that a task failed in a node's slot, and forgets what is too old to count at `now`. `records` are by spec version. */
export function noteFailure(
  records: Map<number, FailureRecord>,
  { specVersion, statusAppliedAt }: Pick<Task, 'specVersion' | 'statusAppliedAt'>,
  slot: number,
  now: number,
): void {
  const record = records.get(specVersion) ?? new FailureRecord();
  record.add(slot, statusAppliedAt);
  records.set(specVersion, record);
  for (const [version, other] of records) {
    other.prune(now);
    if (other.empty) records.delete(version);
  }
}
