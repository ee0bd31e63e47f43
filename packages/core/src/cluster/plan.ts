/** `cluster.plan`: what would come of a spec, a drained or lost node, or another number of replicas. */

import { InvalidSpecError } from '../errors.ts';
import { type AtOptions, checkMoment } from '../history/history.ts';
import { CONTROL_LOOPS } from '../manager/manager.ts';
import type { Plan } from '../manager/planner/plan.ts';
import { eventsOf, type Plannable } from '../manager/planner/plan-action.ts';
import { planOutcome } from '../manager/planner/plan-outcome.ts';
import { rehearse } from '../manager/planner/rehearsal.ts';
import { parseServiceSpec } from '../model/parse-spec.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import { checkOptions, type OptionNames } from '../runtime/check-options.ts';
import { seededRandom } from '../runtime/random.ts';
import { inSlices } from '../runtime/slices.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Control } from './control.ts';
import { serviceRequest } from './service-request.ts';

/** Options of `cluster.plan`. */
export interface PlanOptions extends WaitOptions {
  /** Decisions of control loops after which a plan is broken off, and says so. Default 100,000. */
  readonly decisionsMax?: number;
  /** Plans on the cluster as it was at this index or time, as `cluster.at` gives it. Default: as it is. */
  readonly at?: number | Date;
}

const PLAN_OPTIONS: OptionNames<PlanOptions> = {
  decisionsMax: true,
  at: true,
  signal: true,
  timeout: true,
};

/** Default of {@link PlanOptions.decisionsMax}. */
const DECISIONS_MAX = 100_000;

/**
 * Makes a plan on a state of this member.
 *
 * @param pastState - gives a state of the past, where one is asked for.
 */
export async function planOn(
  control: Pick<Control, 'clock' | 'lifetime' | 'digest' | 'state'>,
  pastState: (moment: number | Date, options: AtOptions) => Promise<ClusterState>,
  plannable: Plannable,
  options: PlanOptions,
): Promise<Plan> {
  checkOptions(options, PLAN_OPTIONS);
  const { decisionsMax = DECISIONS_MAX, at: past, ...waiting } = options;
  const { signal } = waiting;
  if (control.lifetime.ended) throw control.lifetime.ended;
  if (!Number.isSafeInteger(decisionsMax) || decisionsMax < 1) {
    throw new InvalidSpecError([{ field: 'decisionsMax', rule: 'must be a whole number, 1 or more' }]);
  }
  const state =
    past === undefined
      ? control.state
      : await pastState(checkMoment(past, 'at'), signal === undefined ? {} : { signal });
  // One state gives one plan.
  const random = seededRandom(state.index);
  const at = past === undefined ? Math.max(state.at, control.clock.now()) : state.at;
  const requestOf = (input: Parameters<typeof parseServiceSpec>[0]) =>
    serviceRequest(control, parseServiceSpec(input));
  const { events, warnings } = eventsOf(plannable, state, requestOf, { at, random });
  const loops = CONTROL_LOOPS.map((create) => create());
  function* steps(): Generator<undefined, Plan, undefined> {
    const rehearsed = yield* rehearse({ state, loops, events, at, random, decisionsMax });
    return yield* planOutcome({ before: state, at, warnings }, rehearsed);
  }
  const run = (signal: AbortSignal) => inSlices(control.clock, steps(), signal);
  return withDeadline(control.clock, waiting, 'the plan', run, { lifetime: control.lifetime });
}
