/** `cluster.services.diagnose`: why a service and its tasks are not where they should be, as this member knows it. */

import { findServiceOrDeparted } from '../manager/api/find.ts';
import { type Beside, diagnoseService } from '../manager/diagnosis/diagnose-service.ts';
import type { ServiceDiagnosis } from '../manager/diagnosis/diagnosis.ts';
import type { Finding } from '../model/finding.ts';
import type { ServiceId } from '../model/ids.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import { checkOptions } from '../runtime/check-options.ts';
import { inSlices } from '../runtime/slices.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Control } from './control.ts';

/** Diagnoses a service, in slices. @throws NotFoundError, InvalidSpecError, TimeoutError, AbortedError, ClosedError */
export async function diagnoseOn(
  control: Control,
  ref: string,
  options: WaitOptions,
): Promise<ServiceDiagnosis> {
  checkOptions<WaitOptions>(options, { signal: true, timeout: true });
  const { state, clock, lifetime } = control;
  if (lifetime.ended) throw lifetime.ended;
  const id = findServiceOrDeparted(state, ref);
  const run = (signal: AbortSignal) => inSlices(clock, diagnoseService(state, id, besideOf(control)), signal);
  return withDeadline(clock, options, `the diagnosis of service ${ref}`, run, { lifetime });
}

/** The same at once, for a state that is being looked at. */
export function diagnoseNow(control: Control, state: ClusterState, id: ServiceId): ServiceDiagnosis {
  const work = diagnoseService(state, id, besideOf(control));
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** What this member knows beside the state. */
function besideOf({ manager }: Control): Beside {
  const { leading } = manager;
  if (leading) {
    return { isConnected: (nodeId) => leading.dispatcher.worker(nodeId) !== undefined };
  }
  return { findings: clusterFindings(manager) };
}

/** What stands in the way of everything. */
export function clusterFindings(
  manager: Pick<Control['manager'], 'leading' | 'leader' | 'refusal'>,
): Finding[] {
  const { refusal } = manager;
  if (manager.leading) return [];
  if (refusal) {
    return [{ code: 'log-refuses', message: refusal.message, remedy: 'the log takes entries again' }];
  }
  if (manager.leader !== undefined) return [];
  return [
    {
      code: 'no-leader',
      message: 'no manager leads the cluster that this member knows of, so nothing is decided',
      remedy: 'most of the managers run and reach each other, so that they elect one',
    },
  ];
}
