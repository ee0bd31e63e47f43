/**
 * Begins runs of jobs when their schedules say so. It stands between the schedules that users write and the jobs
 * orchestrator, which takes a run from there. It wakes for the next due time of all, whatever their number.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import type { ServiceId } from '../../../model/ids.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import type { ControlLoop, DecideContext, Decision } from '../../control-loop.ts';
import { WakeQueue } from '../wake-queue.ts';
import { dueRun, nextRunAt } from './due-run.ts';

/** Name of the loop, and the actor of its transactions. */
const CRON = 'orchestrator/cron';

/** Most schedules that one decision looks at: each takes some tenths of a millisecond. */
const SCHEDULES_PER_TURN = 20;

/**
 * The wall clock is looked at so often, milliseconds, since timers do not follow it when it is set or the machine
 * slept.
 */
const LOOK_AGAIN_MS = 60_000;

/** The control loop of schedules. */
export function createCron(): ControlLoop {
  return new CronLoop();
}

class CronLoop implements ControlLoop {
  readonly name = CRON;
  readonly #due = new WakeQueue<ServiceId>();
  /** Services whose next due time is to be found. */
  readonly #unknown = new Set<ServiceId>();

  begin(state: ClusterState): void {
    this.#due.clear();
    this.#unknown.clear();
    for (const { id, spec } of state.services()) if (spec.schedule !== undefined) this.#unknown.add(id);
  }

  observe(changes: ChangeSet): void {
    for (const change of changes.changes) {
      if (change.kind !== 'service') continue;
      const { before, after } = change;
      if (!after) {
        if (before) this.#due.delete(before.id);
      } else if (
        before?.spec.schedule !== after.spec.schedule ||
        before?.jobStatus?.decidedUntil !== after.jobStatus?.decidedUntil
      ) {
        this.#unknown.add(after.id);
      }
    }
  }

  decide(state: ClusterState, { at }: DecideContext): Decision {
    let left = SCHEDULES_PER_TURN;
    for (const id of this.#unknown) {
      if (left-- === 0) return { events: [], more: true };
      this.#unknown.delete(id);
      const service = state.service(id);
      this.#due.set(id, service && nextRunAt(service));
    }
    const events: ClusterEvent[] = [];
    for (const id of this.#due.takeDue(at)) {
      const service = state.service(id);
      // What is decided about is looked at anew when its event is observed; the rest waits for the next turn.
      if (left-- <= 0) this.#due.set(id, at);
      else if (service) events.push(...dueRun(service, at));
    }
    const next = this.#due.next();
    if (next === undefined) return { events, more: false };
    return { events, more: next <= at, wakeAt: Math.min(next, at + LOOK_AGAIN_MS) };
  }
}
