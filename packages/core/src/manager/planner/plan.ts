/** What a plan answers. All of it is plain data, and none of it is true yet. */

import type { SpecIssue } from '../../errors.ts';
import type { Difference } from '../../model/differences.ts';
import type { NodeId, ServiceId, TaskId } from '../../model/ids.ts';
import type { PlacementFinding } from '../../model/placement.ts';

/** An object by its id and by the name that people know it by. */
export interface Named<Id extends string> {
  readonly id: Id;
  /** Name of a service, hostname of a node. */
  readonly name: string;
}

/**
 * A service or node that is created or changed. Fields are those of its spec, and what follows from it: `replicas`,
 * `task.image`, `endpoint`, `availability`, `status.state`.
 */
export type PlannedChange =
  | {
      readonly kind: 'service';
      /** The id of one that is created is not known before it is. */
      readonly id?: ServiceId;
      readonly name: string;
      readonly action: 'created' | 'updated';
      readonly fields: readonly Difference[];
    }
  | {
      readonly kind: 'node';
      readonly id: NodeId;
      readonly name: string;
      readonly action: 'updated';
      readonly fields: readonly Difference[];
    };

/** A task as a plan speaks of it: by its place. Its id, if it is new, is not known before it is created. */
export interface PlannedTask {
  /** Name of the service. */
  readonly service: string;
  /** From 1 in a replicated service; 0 in a global one. */
  readonly slot: number;
}

/** A task that gets a node. */
export interface PlannedPlacement extends PlannedTask {
  readonly node: Named<NodeId>;
  /** The task that waits already. Absent: it will be created. */
  readonly task?: TaskId;
  /** The task in whose place it comes. */
  readonly replaces?: { readonly task: TaskId; readonly node?: Named<NodeId> };
}

/** A task that is stopped. */
export interface PlannedStop extends PlannedTask {
  readonly task: TaskId;
  readonly node?: Named<NodeId>;
  /** Another one takes its place. */
  readonly replaced: boolean;
  /** The task of a higher priority that it makes room for. */
  readonly preemptedBy?: PlannedTask & { readonly priority: number; readonly over: number };
}

/** Tasks of one service that have no node in the end, all for the same reason. */
export interface PlannedWait {
  readonly service: string;
  /** One entry for each task; 0 in a global service. */
  readonly slots: readonly number[];
  /** Why, in words. */
  readonly message: string;
  /** What turned nodes away, where the scheduler looked for some. */
  readonly finding?: PlacementFinding;
}

/** What a node has to do. */
export interface NodeLoad {
  /** Tasks that have a place on it. */
  readonly tasks: number;
  /** Processors that they reserve. */
  readonly cpus: number;
  /** Memory that they reserve. */
  readonly memoryBytes: number;
}

/** A node whose load changes. */
export interface PlannedLoad {
  readonly node: Named<NodeId>;
  readonly before: NodeLoad;
  readonly after: NodeLoad;
}

/** What would come of an action. */
export interface Plan {
  /** Index of the state that it was made from. Give it to a command as `ifIndex`, to carry out what was planned. */
  readonly index: number;
  /** The time for which it was made; milliseconds since 1970. */
  readonly at: number;
  /** Services and nodes that are created or changed. */
  readonly changes: readonly PlannedChange[];
  /** Tasks that get a node, in the order in which they were created. */
  readonly placements: readonly PlannedPlacement[];
  /** Tasks that are stopped. */
  readonly stopped: readonly PlannedStop[];
  /** Tasks that find no node, among those that are touched, and those of a service that is. */
  readonly unplaced: readonly PlannedWait[];
  /** Nodes that come to have more or less to do. */
  readonly nodes: readonly PlannedLoad[];
  /** What the cluster can't honour of a spec, though it is taken. */
  readonly warnings: readonly SpecIssue[];
  /** It was played through to its end. False: it was broken off, and more would follow. */
  readonly complete: boolean;
}
