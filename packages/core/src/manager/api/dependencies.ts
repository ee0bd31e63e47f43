/** Whether the start order that a spec asks for can come about. */

import { InvalidSpecError, type SpecIssue } from '../../errors.ts';
import { findCycle } from '../../model/dependency-cycle.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isJob } from '../orchestrator/jobs/job-runs.ts';

/**
 * Refuses what could never start. A service that is not there yet is no fault: whoever makes several need not know in
 * which order, and until it comes its name is the reason why tasks wait.
 *
 * @throws InvalidSpecError naming the cycle, or the service that can not complete.
 */
export function checkDependencies(head: ClusterState, spec: ServiceSpec): void {
  const issues: SpecIssue[] = [];
  const namesOf = (name: string) =>
    head.serviceByName(name)?.spec.dependsOn?.map(({ service }) => service) ?? [];
  spec.dependsOn?.forEach(({ service, condition }, index) => {
    const field = `dependsOn[${index}]`;
    const cycle = findCycle(spec.name, (name) => (name === spec.name ? [service] : namesOf(name)));
    if (cycle) issues.push({ field: `${field}.service`, rule: `makes a cycle: ${cycle.join(' → ')}` });
    const other = head.serviceByName(service);
    if (condition === 'completed' && other && !isJob(other)) {
      issues.push({
        field: `${field}.condition`,
        rule: `service '${service}' is ${other.spec.mode}, and only jobs complete`,
      });
    }
  });
  if (issues.length > 0) throw new InvalidSpecError(issues);
}
