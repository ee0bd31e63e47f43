/**
 * Lets the number of a service's tasks follow its metric. It stands between what a leader hears of metrics and the
 * replicated orchestrator, which takes a number of tasks from there. It looks at a service when a value comes, and when
 * one should have come.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import type { ServiceId } from '../../../model/ids.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import type { ControlLoop, DecideContext, Decision } from '../../control-loop.ts';
import { decision } from '../decision.ts';
import { WakeQueue } from '../wake-queue.ts';
import { decideScale, staleAt } from './decide-scale.ts';
import type { MetricReadings } from './metric-book.ts';

/** Name of the loop, and the actor of its transactions. */
const AUTOSCALER = 'orchestrator/autoscaler';

/** Most services that one decision looks at. */
const SERVICES_PER_TURN = 100;

/** The control loop of autoscaling. */
export function createAutoscaler(readings: MetricReadings): ControlLoop {
  return new AutoscalerLoop(readings);
}

class AutoscalerLoop implements ControlLoop {
  readonly name = AUTOSCALER;
  readonly #readings: MetricReadings;
  readonly #marks = new Set<ServiceId>();
  /** When a service's metric counts as lost. */
  readonly #stale = new WakeQueue<ServiceId>();

  constructor(readings: MetricReadings) {
    this.#readings = readings;
  }

  begin(state: ClusterState): void {
    this.#marks.clear();
    this.#stale.clear();
    for (const { id, spec } of state.services()) if (spec.autoscale !== undefined) this.#marks.add(id);
  }

  listen(wake: () => void): () => void {
    return this.#readings.onNews((id) => {
      this.#marks.add(id);
      wake();
    });
  }

  observe(changes: ChangeSet): void {
    for (const { kind, before, after } of changes.changes) {
      if (kind !== 'service') continue;
      if (after?.spec.autoscale !== undefined) this.#marks.add(after.id);
      else if (before?.spec.autoscale !== undefined) this.#stale.delete(before.id);
    }
  }

  decide(state: ClusterState, { at }: DecideContext): Decision {
    for (const id of this.#stale.takeDue(at)) this.#marks.add(id);
    const events: ClusterEvent[] = [];
    let left = SERVICES_PER_TURN;
    for (const id of this.#marks) {
      if (left-- === 0) return { events, more: true };
      this.#marks.delete(id);
      const service = state.service(id);
      const policy = service?.spec.autoscale;
      const reading = policy && this.#readings.reading(id);
      if (!service || !policy || !reading) continue;
      events.push(...decideScale(service, reading, at));
      const lostAt = staleAt(policy, reading);
      this.#stale.set(id, lostAt > at ? lostAt : undefined);
    }
    return decision(events, false, this.#stale.next());
  }
}
