/** What must have come about once faults have stopped, and within how much virtual time. */

import { TimeoutError } from '@skep/core';
import { isMeantToRun, meetsConstraints } from '@skep/core/testing';
import { Violation } from '@skep/raft/simulator';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import type { Expected } from './any-user.ts';
import { CROWD_PRIORITY } from './crowd-user.ts';

/** So much virtual time may pass until all is as asked for: ten minutes. */
const CONVERGED_WITHIN_MS = 600_000;

/** So often members are looked at until they hold the same. */
const LOOKS_AT_MEMBERS = 10;

/** Lets time pass until all is as the users were told, and looks whether it is so everywhere. @throws Violation */
export async function checkConvergence(sim: SimulatedCluster, expected: readonly Expected[]): Promise<void> {
  let standsInTheWay: string | undefined;
  try {
    const isThere = () => {
      standsInTheWay = missing(sim) ?? unscaled(sim, expected);
      return standsInTheWay === undefined;
    };
    await sim.until(isThere, { limitMs: CONVERGED_WITHIN_MS });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    throw new Violation(
      `not as asked for ${CONVERGED_WITHIN_MS / 1000} s after faults stopped: ${standsInTheWay}`,
    );
  }
  for (const each of expected) {
    checkExpected(sim, each);
    checkContents(sim, each);
  }
  await checkMembers(sim);
}

/** The first thing that is not yet as it should be. */
function missing(sim: SimulatedCluster): string | undefined {
  const { state } = sim;
  if (sim.leader === undefined) return 'nobody leads';
  for (const node of state.nodes()) {
    if (node.status.state !== 'ready') return `node ${node.description.hostname} is ${node.status.state}`;
  }
  for (const service of sim.cluster.services.list()) {
    // It takes what is left.
    if (service.spec.priority === CROWD_PRIORITY) continue;
    const { converged, reasons, desired, job } = sim.cluster.services.status(service.id);
    if (!converged) return `service ${service.spec.name}: ${reasons.join('; ')}`;
    if (job !== undefined && (job.outcome !== 'completed' || job.completed < job.total)) {
      const standing = `${job.completed} of ${job.total} tasks completed, outcome ${job.outcome}`;
      return `run ${job.iteration} of job ${service.spec.name}: ${standing}`;
    }
    if (service.spec.mode !== 'global') continue;
    const { constraints } = service.spec.task.placement;
    const nodes = [...state.nodes()].filter((node) => meetsConstraints(node, constraints)).length;
    if (desired !== nodes) return `service ${service.spec.name} is on ${desired} of ${nodes} nodes`;
  }
  return onMachines(sim);
}

/** A service that a metric decides about must come to as many tasks as its load asks for, and keep its metric. */
function unscaled(sim: SimulatedCluster, expected: readonly Expected[]): string | undefined {
  for (const { name, spec } of expected) {
    const service = sim.state.serviceByName(name);
    if (spec?.comesTo === undefined || service === undefined) continue;
    const { lost } = service.autoscaleStatus ?? {};
    if (lost !== undefined) return `the metric of ${name} is lost: ${lost.reason}`;
    const { replicas } = service.spec;
    if (replicas !== spec.comesTo)
      return `${name} has ${replicas} tasks, and its load asks for ${spec.comesTo}`;
  }
  return undefined;
}

/** What runs on machines must be what is meant to run, no more and no less. */
function onMachines(sim: SimulatedCluster): string | undefined {
  const meant = new Map<string, string>();
  for (const { id, nodeId, status, desiredState } of sim.state.tasks()) {
    if (status.state === 'running' && isMeantToRun(desiredState)) meant.set(id, nodeId ?? '');
  }
  for (const worker of sim.workers) {
    for (const { id, nodeId } of sim.host(worker).running()) {
      if (meant.get(id) !== nodeId) return `task ${id} runs on ${worker} and nobody wants it`;
      meant.delete(id);
    }
  }
  const [lost] = meant.keys();
  return lost === undefined ? undefined : `task ${lost} is said to run, and does not`;
}

function checkExpected(sim: SimulatedCluster, { name, spec }: Expected): void {
  const service = sim.state.serviceByName(name);
  if (spec === undefined) {
    if (service !== undefined) throw new Violation(`service ${name} is there, and was removed`);
    return;
  }
  if (service === undefined) throw new Violation(`service ${name} was acknowledged, and is lost`);
  const runs = service.jobStatus?.iteration;
  if (runs !== spec.runs)
    throw new Violation(`job ${name} was done ${runs} times, and asked for ${spec.runs} times`);
  const { replicas, task } = service.spec;
  const wanted = spec.comesTo ?? spec.replicas;
  if (replicas !== wanted || task.env['CHANGE'] !== spec.change) {
    throw new Violation(
      `service ${name} has ${replicas} replicas of change ${task.env['CHANGE']}; ${wanted} of ${spec.change} were acknowledged`,
    );
  }
}

/** Whatever of the user's runs has read what its secret and its config were rotated to last. */
function checkContents(sim: SimulatedCluster, { name, contents }: Expected): void {
  const service = sim.state.serviceByName(name);
  for (const worker of sim.workers) {
    for (const { task } of sim.host(worker).running()) {
      if (task.serviceId !== service?.id) continue;
      for (const { kind, name: file, data } of task.files) {
        if (new TextDecoder().decode(data) === contents[kind]) continue;
        throw new Violation(`task ${task.id} on ${worker} has an older revision of ${kind} ${file}`);
      }
    }
  }
}

/** Members may lag a little behind each other; what they hold must come to be the same. */
async function checkMembers(sim: SimulatedCluster): Promise<void> {
  let differing: string | undefined;
  for (let look = 0; look < LOOKS_AT_MEMBERS; look++) {
    await sim.advance(2_500);
    differing = await differingMember(sim);
    if (differing === undefined) return;
  }
  throw new Violation(`${differing} holds another state than the log tells`);
}

async function differingMember(sim: SimulatedCluster): Promise<string | undefined> {
  const digests = await sim.run(
    Promise.all([undefined, ...sim.managers].map((name) => sim.committed.digestOf(name))),
  );
  return sim.managers.find((_, at) => digests[at + 1] !== digests[0]);
}
