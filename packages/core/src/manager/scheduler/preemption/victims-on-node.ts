/** What would have to be stopped on one node so that a task fits there. Looks at the tasks of that node alone. */

import type { TaskId } from '../../../model/ids.ts';
import type { Service, Task } from '../../../model/objects.ts';
import { priorityOf } from '../../../model/service-spec.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { freeGeneric } from '../free-generic.ts';
import { offered } from '../generic-use.ts';
import { holdsPlace } from '../holds-place.ts';
import type { PlacementIndex } from '../placement-index.ts';
import type { PlacementOverlay } from '../placement-overlay.ts';
import { hostPortsOf, needsOf, type Requirements } from '../requirements.ts';
import { type Candidate, chooseVictims } from './choose-victims.ts';
import { keepsPort, keptCpus, keptGeneric, keptMemory } from './kept-room.ts';
import type { Nominee } from './nominations.ts';
import { isServing, type PreemptionBudgets } from './preemption-budgets.ts';

/** A task that may be stopped. */
export interface Victim extends Candidate<Service> {
  readonly task: Task;
}

/** What a look at a node needs. */
export interface Sight {
  readonly state: ClusterState;
  readonly index: PlacementIndex;
  readonly overlay: PlacementOverlay;
  readonly budgets: PreemptionBudgets;
  /** Tasks that are to leave, beside those of which the state says so. */
  readonly going: ReadonlySet<TaskId>;
}

/** What is wanted on the node. */
export interface Wanted {
  readonly requirements: Requirements;
  readonly priority: number;
  /** Whose room on the node is to be left alone. */
  readonly kept: readonly Nominee[];
}

/** What came of it. */
export interface Found {
  /** Those to stop: none where what is leaving makes room enough. Undefined: it can't be made to fit. */
  readonly victims: readonly Victim[] | undefined;
  /** Tasks looked at. */
  readonly looked: number;
}

/** Looks at one node. All other filters are taken to be met. */
export function victimsOn(slot: number, { requirements, priority, kept }: Wanted, sight: Sight): Found {
  const { state, index, overlay, budgets } = sight;
  const { nodes } = index;
  const node = nodes.nodes[slot];
  const { needs, hostPorts } = requirements;
  if (!node) return { victims: undefined, looked: 0 };
  const isTaken = (port: number) => keepsPort(kept, port) || overlay.holdsPort(slot, port);
  if (hostPorts.some(isTaken)) return { victims: undefined, looked: 0 };
  const { generic } = node.description.resources;
  const given = (task: Task, name: string, amount: number): number => {
    const offer = offered(generic, name);
    if (offer === undefined || typeof offer === 'number') return amount;
    return (task.assignedGeneric?.[name] ?? []).filter((each) => offer.includes(each)).length;
  };
  const amountsOf = (task: Task): number[] => {
    const { nanoCpus, memoryBytes, generic: held } = needsOf(task.spec);
    const amounts = needs.generic.map(([name]) => {
      const amount = held.find(([each]) => each === name)?.[1] ?? 0;
      return amount === 0 ? 0 : given(task, name, amount);
    });
    return [needs.nanoCpus > 0 ? nanoCpus : 0, needs.memoryBytes > 0 ? memoryBytes : 0, ...amounts];
  };
  const lack = [
    needs.nanoCpus === 0 ? 0 : needs.nanoCpus - freeCpus(slot, sight) + keptCpus(kept),
    needs.memoryBytes === 0 ? 0 : needs.memoryBytes - freeMemory(slot, sight) + keptMemory(kept),
    ...needs.generic.map(
      ([name, amount]) => amount - freeGeneric(nodes, overlay, slot, name) + keptGeneric(kept, name),
    ),
  ];
  const candidates: Victim[] = [];
  let looked = 0;
  for (const task of state.tasksOfNode(node.id)) {
    looked += 1;
    if (!holdsPlace(task)) continue;
    const gives = amountsOf(task);
    const service = state.service(task.serviceId);
    if (!service || isGoing(task, sight)) {
      for (const [at, amount] of gives.entries()) lack[at] = (lack[at] ?? 0) - amount;
      continue;
    }
    const mustGo = hostPorts.length > 0 && hostPortsOf(task.ports).some((port) => hostPorts.includes(port));
    const own = priorityOf(service.spec);
    if (own < priority) {
      candidates.push({
        task,
        service,
        priority: own,
        isLastResort: task.leaseMs !== undefined || task.jobIteration !== undefined,
        gives,
        mustGo,
        row: state.roots.tasks.ids.get(task.id) ?? 0,
        counts: isServing(task),
      });
    } else if (mustGo) return { victims: undefined, looked };
  }
  const budgetOf = (service: Service) => budgets.of(service, state);
  return { victims: chooseVictims<Service, Victim>(lack, candidates, budgetOf), looked };
}

/** It leaves its node, whatever is decided here. */
function isGoing(task: Task, { going }: Sight): boolean {
  return !isMeantToRun(task.desiredState) || task.evicted?.cause === 'preemption' || going.has(task.id);
}

function freeCpus(slot: number, { index: { nodes }, overlay }: Sight): number {
  return (nodes.freeNanoCpus[slot] as number) - (overlay.takenNanoCpus[slot] as number);
}

function freeMemory(slot: number, { index: { nodes }, overlay }: Sight): number {
  return (nodes.freeMemoryBytes[slot] as number) - (overlay.takenMemoryBytes[slot] as number);
}
