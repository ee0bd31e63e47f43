/**
 * Why a service is not where it should be: a look at its own tasks, and at nothing else of the cluster, save for a
 * global service at the nodes, which are its slots. Pure, and made in slices, so that a service of a million tasks holds
 * nobody up. It sits above the parts of the orchestrator that tell what one task waits for.
 */

import { metricName } from '../../model/autoscale.ts';
import { type Finding, type FindingCode, needsSomebody } from '../../model/finding.ts';
import type { ServiceId } from '../../model/ids.ts';
import type { Service, Task } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { isJob } from '../orchestrator/jobs/job-runs.ts';
import { rememberingNodes } from '../orchestrator/node-validity.ts';
import { type ServiceDiagnosis, TASKS_TOLD, type TaskFinding } from './diagnosis.ts';
import { globalFindings } from './global-findings.ts';
import { jobFindings } from './job-findings.ts';
import { replicatedFindings } from './replicated-findings.ts';
import type { SlotLook } from './slot-look.ts';
import { allocationFinding, type Sight, taskFinding } from './task-finding.ts';
import { updateFinding } from './update-finding.ts';

/** What only the member that looks knows. */
export interface Beside {
  /** As {@link Sight.isConnected}. Default: every node's agent has a session. */
  readonly isConnected?: Sight['isConnected'];
  /** What holds for the whole cluster: no leader, say. */
  readonly findings?: readonly Finding[];
}

/**
 * Diagnoses a service, or one that was removed and whose tasks still stop.
 *
 * @returns by a generator, each step of which is a slot.
 */
export function* diagnoseService(
  state: ClusterState,
  id: ServiceId,
  beside: Beside = {},
): Generator<undefined, ServiceDiagnosis, undefined> {
  const service = state.service(id);
  const nodes = rememberingNodes(state);
  const sight: Sight = { state, nodes, isConnected: beside.isConnected ?? (() => true) };
  const told = new Findings();
  const own: readonly Finding[] = service
    ? yield* ofService(sight, service, told)
    : yield* ofRest(sight, id, told);
  const findings = [...(beside.findings ?? []), ...(service ? standing(service) : []), ...own];
  // Where nobody decides, nothing else is worth a word unless something is left to do.
  const settled = told.size === 0 && findings.length === (beside.findings?.length ?? 0);
  return {
    service: id,
    name: service?.spec.name ?? state.roots.departed.get(id)?.name ?? id,
    index: state.index,
    at: state.at,
    settled,
    stalled: !settled && (told.stalled || findings.some(needsSomebody)),
    findings,
    tasks: told.tasks,
    counts: told.counts,
  };
}

/** What the service's own row tells. */
function standing(service: Service): Finding[] {
  const allocation = allocationFinding(service);
  const update = updateFinding(service);
  return [...(allocation ? [allocation] : []), ...(update ? [update] : []), ...metricFindings(service)];
}

/** What keeps the number of its tasks from following a metric. */
function metricFindings({ spec, autoscaleStatus }: Service): Finding[] {
  const { lost } = autoscaleStatus ?? {};
  if (!spec.autoscale || !lost) return [];
  const remedy = `${metricName(spec.autoscale)} is measured again; or another number of tasks is asked for by hand (scale)`;
  const message = `stays at ${spec.replicas ?? 1} tasks, since its metric is lost: ${lost.reason}`;
  return [{ code: 'metric-lost', message, remedy }];
}

function* ofService(
  sight: Sight,
  service: Service,
  told: Findings,
): Generator<undefined, readonly Finding[], undefined> {
  const look: SlotLook = {
    sight,
    service,
    note: (task, finding) => told.note(task, finding),
    task: (task) => told.note(task, taskFinding(sight, service, task)),
  };
  if (isJob(service)) return yield* jobFindings(look);
  return yield* service.spec.mode === 'global' ? globalFindings(look) : replicatedFindings(look);
}

/** Tasks of a service that is gone. */
function* ofRest(
  sight: Sight,
  id: ServiceId,
  told: Findings,
): Generator<undefined, readonly Finding[], undefined> {
  for (const [, tasks] of sight.state.slots(id)) {
    for (const task of tasks) told.note(task, goingOf(sight, task));
    yield;
  }
  return [];
}

function goingOf(sight: Sight, task: Task): Finding | undefined {
  const finding = taskFinding(sight, undefined, task);
  if (finding || task.desiredState === 'remove') return finding;
  // The task reaper has not come to it: there are too many to be told at once.
  const message = isMeantToRun(task.desiredState)
    ? 'its service was removed'
    : 'ended, and its service was removed';
  return { code: 'about-to-stop', message, remedy: 'the task reaper comes to it next' };
}

/** Gathers what is told of tasks: the first ones in full, all of them by count. */
class Findings {
  readonly tasks: TaskFinding[] = [];
  readonly counts: Partial<Record<FindingCode, number>> = {};
  size = 0;
  stalled = false;

  note(task: Task, finding: Finding | undefined): void {
    if (!finding) return;
    this.size += 1;
    this.counts[finding.code] = (this.counts[finding.code] ?? 0) + 1;
    this.stalled ||= needsSomebody(finding);
    if (this.tasks.length >= TASKS_TOLD) return;
    // Reasons of several kinds carry more than a finding has, and none of it is to be told twice.
    const { code, message, remedy, retryAt } = finding;
    this.tasks.push({
      ...{ task: task.id, slot: task.slot },
      ...(task.nodeId === undefined ? {} : { node: task.nodeId }),
      ...{ code, message, remedy },
      ...(retryAt === undefined ? {} : { retryAt }),
    });
  }
}
