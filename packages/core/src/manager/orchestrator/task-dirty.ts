/**
 * Whether a task is what its service now asks for. A newer spec version alone says no more than that something
 * changed: a task whose spec is the same, or differs in placement only and stands where it still may, is left alone.
 */

import { meetsConstraints } from '../../model/constraint-match.ts';
import type { AllocatedPort, Node, Service, Task } from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { PortSpec } from '../../model/service-spec.ts';
import type { Placement, TaskSpec } from '../../model/task-spec.ts';

/** True when the task must be replaced for the service to be as its spec says. */
export function isTaskDirty(service: Service, task: Task, node: Node | undefined): boolean {
  if (task.specVersion === service.specVersion) return false;
  if (task.leaseMs !== service.spec.maxOne?.leaseMs) return true;
  if (!portsServe(task.ports, service.spec.ports)) return true;
  switch (difference(task.spec, service.spec.task)) {
    case 'none':
      return false;
    case 'placement':
      return node !== undefined && !mayStand(service.spec.task.placement, node);
    case 'more':
      return true;
  }
}

type Difference = 'none' | 'placement' | 'more';

const differences = new WeakMap<TaskSpec, WeakMap<TaskSpec, Difference>>();

/** Tasks of one version share their spec, so the comparison is made once for all of them. */
function difference(a: TaskSpec, b: TaskSpec): Difference {
  if (a === b) return 'none';
  let known = differences.get(a);
  if (known === undefined) {
    known = new WeakMap();
    differences.set(a, known);
  }
  let result = known.get(b);
  if (result === undefined) {
    result = compare(a, b);
    known.set(b, result);
  }
  return result;
}

function compare(a: TaskSpec, b: TaskSpec): Difference {
  if (!plainEqual({ ...a, placement: b.placement }, b)) return 'more';
  return plainEqual(a.placement, b.placement) ? 'none' : 'placement';
}

function mayStand(placement: Placement, node: Node): boolean {
  return meetsConstraints(node, placement.constraints);
}

/** The task's ports are those that the spec asks for; one that the spec leaves open may be any. */
function portsServe(ports: readonly AllocatedPort[], asked: readonly PortSpec[]): boolean {
  return (
    ports.length === asked.length &&
    asked.every((port) =>
      ports.some(
        (given) =>
          given.target === port.target &&
          given.protocol === port.protocol &&
          given.mode === port.mode &&
          (port.published === undefined || given.published === port.published),
      ),
    )
  );
}
